"""Training one net of a set, on one thread of a CPU or on the GPU, and reading what became of it.

What a net becomes depends on its entry, its random numbers and the data, not on the others of its set.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from advlaw.attacks.settings import Attacks
from advlaw.core.code import code_sha256
from advlaw.core.images import Examples
from advlaw.core.io import Cells
from advlaw.core.kept import kept_path
from advlaw.core.runtime import configure
from advlaw.models.settings import Spec
from advlaw.models.store import build, packed, told_of
from advlaw.training.accuracy import Diverged
from advlaw.training.loop import Defence
from advlaw.training.settings import Net
from advlaw.trials.net import Trial, row, trained

DEFENCE = "advlaw.trials.defence"  # imported for adversarial nets alone, so that no other depends on an attack


@dataclass(frozen=True)
class Recipe:
    """What the nets of a set have in common: the data set's file and hash, the attacks, and where they train."""

    dataset: Path
    data: str
    attacks: Attacks
    device: str
    portable: bool


def path_of(trial: Trial, recipe: Recipe) -> Path:
    """Where a trained net is kept: under the hash of all that decides it."""
    net = trial.net
    adversarial = net.adversarial
    modules = ["advlaw.trials.train", f"advlaw.models.{net.architecture.arch}"]
    return kept_path(
        "nets",
        {
            "net": net.entry(),
            "numbers": [trial.numbers.seed, *trial.numbers.names],
            "attack": recipe.attacks.by_key(adversarial.attack).model_dump() if adversarial else None,
            "data": recipe.data,
            "device": recipe.device,
            "portable": recipe.portable,
            "code": code_sha256(*modules, *([DEFENCE] if adversarial else [])),
            "torch": torch.__version__,
        },
    )


def train_trial(recipe: Recipe, trial: Trial) -> bytes:
    """The trained net as `advlaw.models.store.packed` writes it; spec and row are its metadata.

    A net whose training diverged has no weights, and a row that says so.
    """
    device = configure(1, recipe.device, recipe.portable)
    defend = _defend(trial.net, recipe.attacks) if trial.net.adversarial else None
    try:
        found = trained(trial.key, trial.net, recipe.dataset, trial.numbers, device, defend=defend)
    except Diverged as error:
        return packed({}, row={"diverged": True, "why": str(error)})
    about = {**row(trial.net, found, device), "diverged": False, "train_loss": found.history.rows[-1]["train_loss"]}
    return packed(found.model.state_dict(), spec=found.spec, row=about)


def _defend(net: Net, attacks: Attacks) -> Callable[[Examples], Defence]:
    assert net.adversarial is not None
    attack = attacks.by_key(net.adversarial.attack)
    make = importlib.import_module(DEFENCE).adversarial_defence
    return partial(make, net.adversarial, attack, net.training.batch_size)


def result(path: Path) -> Cells:
    """The row of a trained net's file."""
    found: Cells = told_of(path)["row"]
    return found


def n_parameters(spec: Spec) -> int:
    """The number of weights of a spec's net."""
    with torch.device("meta"):
        return sum(p.numel() for p in build(spec).parameters())


def flops(spec: Spec) -> int:
    """Floating-point operations that one image takes to its logits."""
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        build(spec).eval()(torch.empty(1, *spec["image_shape"]))
    return counter.get_total_flops()
