"""`advlaw.measure`: the law of a model's adversarial error, in a notebook, by the functions that the stages call."""

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from advlaw.attacks.settings import Attacks, Grid
from advlaw.audit.params import COUNT, EPS_MAX, EPS_MIN, STEPS, audit_params
from advlaw.audit.summary import check_accuracy, check_number
from advlaw.core.images import Examples
from advlaw.core.io import Arrays
from advlaw.core.section import NAME_PATTERN, validate
from advlaw.evaluation.settings import Sweep
from advlaw.evaluation.sweep import Randomness
from advlaw.evaluation.swept import swept
from advlaw.interface.attacks import chosen_attacks
from advlaw.interface.inputs import given
from advlaw.interface.measurement import ARGUMENTS, Measurement
from advlaw.interface.model import device_of, taken
from advlaw.interface.tables import Collected
from advlaw.interface.units import real, units, whole
from advlaw.training.accuracy import accuracy

AttackNames = str | Sequence[str] | Mapping[str, Mapping[str, Any]]


def measure(
    model: nn.Module,
    images: Any,
    labels: Any = None,
    attacks: AttackNames = ("fgsm", "pgd"),
    *,
    bounds: Sequence[float] | None = None,
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
    eps_min: float = EPS_MIN,
    eps_max: float = EPS_MAX,
    count: int = COUNT,
    steps: int = STEPS,
    seed: int = 0,
    name: str = "model",
) -> Measurement:
    """How the error of `model` grows with the size eps of an attack: its exponent as eps -> 0, and the data behind it.

    images (N, C, H, W), a tensor or an array, with labels (N,), class numbers; or an iterable of batches
    (images, labels), such as a DataLoader, without `labels`. Give a thousand images or more: an exponent needs at
    least 400 that are classified as labelled.
    bounds: the values of black and white in the images, (0, 1) or (0, 255). Required, because we do not guess.
    mean, std: of each channel, or one number for all, in the units of the images, if the model takes
    (images - mean) / std; else it takes the images unchanged. It returns logits (B, K). We copy it and run
    the copy in evaluation mode on the model's device.
    attacks: "fgsm", "l2", "step_ll", "pgd" (with `steps` steps), with the settings of `advlaw audit`, or a mapping of
    names to settings as in params.yaml, each with its `family`: {"mine": {"family": "one_step", "direction": "sign",
    "clip": True}}.
    eps_min, eps_max, count: the grid of eps, log-spaced, in pixel units [0, 255] for all bounds of the images:
    eps = 8 is 8/255 of the range from black to white. L2 attacks use it times sqrt(C*H*W).
    seed: for random attacks and bootstraps. name: the model's name in `entry()`.

    Raises ValueError naming the argument, what was found, what is allowed and the next step. Warns where the model does
    about as well as by chance.
    """
    in_units, device = units(bounds), device_of(model)
    name, seed, steps = _name(name), whole("seed", seed, 0, 0), whole("steps", steps, 0, STEPS)
    families = chosen_attacks(attacks, steps)
    settings = validate(families, Attacks, ARGUMENTS, "attacks")
    ends = {"eps_min": real("eps_min", eps_min, EPS_MIN), "eps_max": real("eps_max", eps_max, EPS_MAX)}
    grid = {**ends, "count": whole("count", count, 2, COUNT)}
    points = validate(grid, Grid, ARGUMENTS)
    examples = given(images, labels, in_units)
    n_images, n_channels = examples.pixels.shape[:2]
    check_number(n_images, f"images: {n_images}")
    statistics = in_units.statistics(mean, std, n_channels)
    on_device = Examples(examples.images(device), examples.labels.to(device))
    with exact_arithmetic():
        net, n_classes = taken(model, statistics, on_device.images, int(examples.labels.max()) + 1)
        clean = accuracy(net, on_device)
        if warning := check_accuracy(clean, n_images, n_classes, "labels, bounds, mean and std"):
            warnings.warn(warning, stacklevel=2)
        entry = {"arch": "own_file", "file": f"{name}.pt2", "classes": n_classes, **statistics}
        params = audit_params(name, entry, grid, steps, tuple(examples.pixels.shape), {"seed": seed})
        params |= {"attacks": families, "sweeps": _sweeps(families, name)}
        collected = Collected(params, tuple(examples.pixels.shape[1:]), clean)
        for attack, sweep in params["sweeps"].items():
            sweep = validate(sweep, Sweep, ARGUMENTS, f"attacks.{attack}")
            kind = settings.by_key(f"{sweep.family}.{attack}")
            randomness = Randomness(seed, ("sweep", attack, attack))
            arrays = swept(net, on_device.images, on_device.labels, sweep.family, kind, points, randomness)
            collected.add(attack, sweep, kind, _judged(attack, arrays))
    return collected.measurement()


def _name(name: Any) -> str:
    if not isinstance(name, str) or not re.fullmatch(NAME_PATTERN, name):
        raise ValueError(f"name = {name!r}: must be of letters, digits, _ and -, as the name of a file is; rename it")
    return name


def _sweeps(families: Mapping[str, Mapping[str, Any]], name: str) -> dict[str, dict[str, Any]]:
    """The section `sweeps`: one for each attack, under its name."""
    return {
        attack: {"model": name, "family": family, "attacks": [attack]}
        for family, attacks in families.items()
        for attack in attacks
    }


def _judged(attack: str, arrays: Arrays) -> Arrays:
    """The arrays unchanged; ValueError if no image can be judged."""
    if arrays["not_finite"].all():
        raise ValueError(
            f"attacks: {attack}: every image has NaN or infinite logits or gradients at some eps up to "
            f"{arrays['eps'][-1]:g}; lower eps_max, or check the model's divisions and square roots"
        )
    return arrays


@contextmanager
def exact_arithmetic() -> Iterator[None]:
    """Float32 without TF32, as in a stage; restores the settings afterwards."""
    precision, tf32 = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(precision)
        torch.backends.cudnn.allow_tf32 = tf32
