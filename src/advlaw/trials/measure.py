"""What is measured of every net of a population: its accuracy, its exponents, its gaps and its gradients."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from advlaw.attacks.gradient import input_gradient
from advlaw.attacks.settings import Grid, OneStepAttack
from advlaw.core.rng import generator
from advlaw.core.runtime import configure
from advlaw.evaluation.batches import in_batches
from advlaw.evaluation.sweep import Randomness, grid, sweep_one_step
from advlaw.fitting.fit import Fitted
from advlaw.fitting.outcomes import Outcomes, outcomes
from advlaw.fitting.settings import Fit
from advlaw.models.classifier import Classifier
from advlaw.trials.train import Sampled, examples, trained

Row = dict[str, Any]
GAP_QUANTILES = (0.01, 0.1, 0.5, 0.9)
BATCH = 1000
ESTIMATES = {  # column -> error and estimator
    "gross": ("gross", "maximum_likelihood"),
    "net": ("net", "maximum_likelihood"),
    "net_ls": ("net", "least_squares"),
}
ENDS = ("", "_low", "_high")


@dataclass(frozen=True)
class Protocol:
    """How every net of a population is attacked by one attack, and what is fitted to the outcomes."""

    dataset: Path
    name: str
    attack: OneStepAttack
    grid: Grid
    reference_eps: tuple[float, ...]
    fit: Fit
    seed: int
    portable: bool

    def as_json(self) -> Row:
        """All of it that decides a net's rows, but for the data."""
        return {
            "name": self.name,
            "attack": self.attack.model_dump(),
            "grid": self.grid.model_dump(),
            "reference_eps": self.reference_eps,
            "fit": self.fit.model_dump(exclude={"headline"}),
            "seed": self.seed,
            "portable": self.portable,
        }


@dataclass(frozen=True)
class Trained:
    """A net and the file it lies in."""

    net: Sampled
    path: Path
    diverged: bool


def columns(reference_eps: Sequence[float]) -> tuple[str, ...]:
    """The columns that `measured` fills for every net and attack."""
    estimates = [f"{name}_{what}{end}" for name in ESTIMATES for what in ("exponent", "amplitude") for end in ENDS]
    return (
        "attack",
        "norm",
        "target",
        "eps_scale",
        "test_accuracy",
        *(f"gap_{quantile:g}" for quantile in GAP_QUANTILES),
        "gradient_l1",
        "gradient_l2",
        *estimates,
        "eps_first",
        "eps_last",
        "n_points",
        "n_errors",
        "n_images",
        "n_zero_gradient",
        "n_not_finite",
        *(f"error_at_{eps:g}" for eps in reference_eps),
    )


def measured(device_name: str, protocol: Protocol, item: Trained) -> bytes:
    """JSON {row, curve} of one net under one attack: what is measured, and a point for every eps.

    A net whose training diverged has a row that says no more than that.
    """
    device = configure(1, device_name, protocol.portable)
    attack = protocol.attack
    about = {"attack": protocol.name, "norm": attack.norm, "target": attack.target}
    if item.diverged:
        return _json({**dict.fromkeys(columns(protocol.reference_eps)), **about}, [])
    model = trained(item.net.spec, item.path, device)
    test = examples(protocol.dataset, "test", device)
    n_pixels, points = test.images[0].numel(), protocol.grid
    eps = grid(points.eps_min, points.eps_max, points.count, attack.norm, n_pixels)
    randomness = Randomness(protocol.seed, ("population", item.net.name, protocol.name))
    arrays = sweep_one_step(model, test.images, test.labels, attack, eps, randomness, BATCH)
    found, judged = outcomes(arrays), torch.from_numpy(~arrays["not_finite"]).to(device)
    bootstrap = generator(protocol.seed, "population", "bootstrap", item.net.name, protocol.name)
    fitted = Fitted(found, protocol.fit, bootstrap)
    scale = math.sqrt(n_pixels) if attack.norm == "l2" else 1.0
    row = {
        **about,
        "eps_scale": scale,
        "test_accuracy": float(found.was_right.mean()),
        **_gap_quantiles(found),
        **gradient_norms(model, test.images[judged], test.labels[judged]),
        **_estimates(fitted),
        "n_zero_gradient": int(arrays["zero_gradient"].sum()),
        "n_not_finite": int(arrays["not_finite"].sum()),
        **{
            f"error_at_{e:g}": _gross_error(arrays["threshold"][~arrays["not_finite"]], e * scale)
            for e in protocol.reference_eps
        },
    }
    errors = ("gross_error", "net_error")
    return _json(row, [{"grid_eps": p["eps"] / scale, **{name: p[name] for name in errors}} for p in fitted.curve()])


def gradient_norms(model: Classifier, images: Tensor, labels: Tensor) -> dict[str, float]:
    """Medians over images of the L1 and L2 norms of the input gradient of the loss, over 1 - p_y (logits per pixel).

    The L1 norm is the rate at which FGSM closes the gap between the label's logit and the others', to first order.
    """

    def norms(batch: slice) -> Tensor:
        gradient = input_gradient(model, images[batch], labels[batch]).flatten(1)
        return torch.stack([gradient.abs().sum(dim=1), gradient.norm(dim=1)])

    l1, l2 = torch.cat(in_batches(len(images), BATCH, norms, "gradients"), dim=1).cpu().median(dim=1).values.tolist()
    return {"gradient_l1": l1, "gradient_l2": l2}


def _gap_quantiles(found: Outcomes) -> Row:
    values = np.quantile(found.gaps, GAP_QUANTILES).tolist() if len(found.gaps) else [None] * len(GAP_QUANTILES)
    return {f"gap_{quantile:g}": value for quantile, value in zip(GAP_QUANTILES, values, strict=True)}


def _estimates(fitted: Fitted) -> Row:
    exponents = {(row["kind"], row["estimator"]): row for row in fitted.exponents()}
    estimates = {
        f"{name}_{what}{end}": exponents[key][f"{what}{end}"]
        for name, key in ESTIMATES.items()
        for what in ("exponent", "amplitude")
        for end in ENDS
    }
    line = exponents[ESTIMATES["net_ls"]]
    return {**estimates, **{name: line[name] for name in ("eps_first", "eps_last", "n_points", "n_errors", "n_images")}}


def _gross_error(threshold: np.ndarray, eps: float) -> float:
    """The share of all images that are right when clean and wrong at some size up to eps."""
    return float((threshold <= eps).mean())


def _json(row: Row, curve: list[Row]) -> bytes:
    """None for not-a-number, which JSON cannot hold."""
    finite = {key: None if value != value else value for key, value in row.items()}
    return json.dumps({"row": finite, "curve": curve}).encode()
