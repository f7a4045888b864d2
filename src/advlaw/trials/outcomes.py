"""All outcomes of a set: every net under attacks over a grid or at a few eps, and adversarial images handed on."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from advlaw.attacks.settings import Attacks, Grid
from advlaw.core.workers import Pool
from advlaw.trials import at_eps, measure, transfer
from advlaw.trials.plan import Measured, Setting
from advlaw.trials.settings import AtEps, Measure, Transfer

Kept = dict[str, Path]  # the name of a file of outcomes -> where it is kept


def outcomes(
    pool: Pool, nets: Sequence[Measured], setting: Setting, attacks: Attacks, how: Measure | AtEps, grid: Grid
) -> Kept:
    """A file `<net>` of every net and, where the set says so, `transfer/<source>`; `grid` is that of the study.

    Larger nets should come first, as `Pool.fan_out` says.
    """
    methods = {key: attacks.by_key(key) for key in how.attacks}
    if isinstance(how, Measure):
        over_grid = measure.AttackPlan(setting, methods, how.grid or grid, how.images)
        find = partial(measure.path_of, plan=over_grid)
        return _done(pool, nets, partial(measure.measure, over_grid), find, "attack nets")
    under = {key: how.images_under(key) for key in how.attacks}
    plan = at_eps.EpsPlan(setting, methods, tuple(how.eps), how.images, under)
    find = partial(at_eps.path_of, plan=plan)
    found = _done(pool, nets, partial(at_eps.measure_at_eps, plan), find, "attack nets")
    return found | (_transferred(pool, nets, setting, attacks, how.transfer, plan.eps) if how.transfer else {})


def _transferred(
    pool: Pool,
    nets: Sequence[Measured],
    setting: Setting,
    attacks: Attacks,
    how: Transfer,
    eps: tuple[float, ...],
) -> Kept:
    """A file `transfer/<source>` of every net that `how` names; one that diverged is left out, and it is said."""
    known = {net.name: net for net in nets}
    for name in how.nets:
        if name not in known:
            print(f"transfer: {name} is left out; its training diverged")
    chosen = tuple(known[name] for name in how.nets if name in known)
    methods = {key: attacks.by_key(key) for key in how.attacks}
    plan = transfer.TransferPlan(setting, methods, eps, how.images, chosen)
    work, find = partial(transfer.measure_transfer, plan), partial(transfer.path_of, plan=plan)
    return {f"transfer/{name}": path for name, path in _done(pool, chosen, work, find, "transfer").items()}


def _done(
    pool: Pool,
    nets: Sequence[Measured],
    work: Callable[[Measured], bytes],
    path_of: Callable[[Measured], Path],
    description: str,
) -> Kept:
    """What `work` finds of every net, kept by the net's name."""
    paths = {net.name: path_of(net) for net in nets}
    pool.fan_out(work, [(net,) for net in nets], list(paths.values()), description)
    return paths
