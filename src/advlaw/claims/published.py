"""Published nets on photographs: those that were trained on adversarial examples (Cubuk Sec. 1-2, Kurakin Fig. 3)."""

import pandas as pd

from advlaw.claims.curves import errors
from advlaw.claims.finding import proportion
from advlaw.claims.kurakin import TOP1, largest_rise
from advlaw.claims.registry import view
from advlaw.claims.study import Evidence, nearest
from advlaw.core.io import Cells
from advlaw.core.tables import chosen, groups, records
from advlaw.papers.imagenet import ADVERSARIAL, NASNET, with_provenance

KNOWING = ("fgsm", "l2", "fast_linf")  # one-step methods that use the label
EPS = (2.0, 4.0, 8.0, 16.0)  # of Kurakin's tables


@view("published/pairs", "published/nets")
def best_and_defended(study: Evidence) -> pd.DataFrame:
    """Each defended `net` beside the `best` undefended one, on the same images; `gain`: its net error less that one's.

    The best is NASNet-A, of which the paper speaks, or else the most accurate on clean images. The paper's own are
    pairs of its nets with NASNet-A.
    """
    nets, found = with_provenance(study.rows("published/nets")).set_index("net"), [pd.DataFrame()]
    for _, pairs in groups(_both_ways(study.rows("published/pairs")), "dataset", "attack", "at"):
        attacked = nets.loc[nets.index.isin(pairs["net"])]
        plain = attacked[attacked["defence"] == ""]
        nasnet = plain[plain["is_cubuks"] & (plain["network"] == NASNET)]
        candidates = plain if nasnet.empty else nasnet
        best = str(candidates["top1"].idxmax()) if len(candidates) else ""
        defended = chosen(attacked, defence=ADVERSARIAL)
        beside = pairs[(pairs["other"] == best) & pairs["net"].isin(defended.index)]
        own = beside["net"].map(nets["is_cubuks"]).astype(bool) & (len(nasnet) > 0)
        found.append(beside.assign(best=best, of_imagenet=beside["net"].map(nets["of_imagenet"]), is_cubuks=own))
    return pd.concat(found)


def _both_ways(pairs: pd.DataFrame) -> pd.DataFrame:
    """Pairs of nets, and the same ones the other way round, each with how much larger the net error of `net` is."""
    gain, low, high = (pairs[f"net_difference{end}"] for end in ("", "_low", "_high"))
    turned = pairs.assign(net=pairs["other"], other=pairs["net"], gain=-gain, gain_low=-high, gain_high=-low)
    return pd.concat([pairs.assign(gain=gain, gain_low=low, gain_high=high), turned], ignore_index=True)


@view("error_curves", "models")
def defended_rises(study: Evidence) -> pd.DataFrame:
    """The largest rise of a defended net's accuracy from one of Kurakin's eps to the next, as `rises` has it."""
    rows = chosen(errors(study), attack=KNOWING, defence=ADVERSARIAL)
    points = pd.concat([nearest(rows, "eps", eps) for eps in EPS])
    found: list[Cells] = []
    for net, own in groups(points, "net"):
        ends = [proportion(row["accuracy"], int(row["n_images"])) for row in records(own)]
        accuracy = {name: [getattr(one, end) for one in ends] for name, end in zip(TOP1, _ENDS, strict=True)}
        if rise := largest_rise(own.assign(**accuracy)):
            about = ("dataset", "holds", "network", "stands_for", "defence")
            found.append({"net": net, **{name: own.iloc[0][name] for name in about}, **rise})
    return pd.DataFrame(found)


_ENDS = ("value", "low", "high")  # of an estimate
