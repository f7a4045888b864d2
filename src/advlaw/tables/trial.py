"""What is estimated of one net of a set, from its outcomes under every attack: net by net, so that it can be kept."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from advlaw.attacks.settings import Attack
from advlaw.core.io import Arrays, Cells, read_npz
from advlaw.core.rng import generator
from advlaw.fitting.fit import Fitted
from advlaw.fitting.outcomes import Outcomes, outcomes
from advlaw.fitting.settings import Fit

GAP_QUANTILES = (0.01, 0.1, 0.5, 0.9)
ESTIMATES = {  # column -> error and estimator
    "gross": ("gross", "mean_slope"),
    "net": ("net", "mean_slope"),
    "net_ls": ("net", "least_squares"),
}
ENDS = ("", "_low", "_high")
FITTED = tuple(f"{name}_{what}{end}" for name in ESTIMATES for what in ("exponent", "amplitude") for end in ENDS)
LINE = ("eps_first", "eps_last", "n_points", "n_errors")  # of the least squares line
MEASURED_COLUMNS = (
    "attack",
    "norm",
    "target",
    "eps_scale",
    "test_accuracy",
    *(f"gap_{quantile:g}" for quantile in GAP_QUANTILES),
    "gradient_l1",
    "gradient_l2",
    *FITTED,
    *LINE,
    "n_images",
    "n_zero_gradient",
    "n_not_finite",
)


def arrays_of(kept: Arrays, attack: str) -> Arrays:
    """The arrays of a sweep, out of a net's outcomes under all attacks."""
    prefix = f"{attack}/"
    return {name.removeprefix(prefix): values for name, values in kept.items() if name.startswith(prefix)}


@dataclass(frozen=True)
class Estimates:
    """What is estimated of every net: `attacks` by their keys, errors at `reference_eps`, exponents by `fit`."""

    attacks: dict[str, Attack]
    n_pixels: int
    reference_eps: tuple[float, ...]
    fit: Fit
    seed: int

    def of(self, net: str, path: Path) -> bytes:
        """JSON [{row, curve}, …] of one net's file of outcomes, an entry for each attack."""
        kept = read_npz(path)
        return json.dumps([self._under(key, arrays_of(kept, key), kept, net) for key in self.attacks]).encode()

    def as_json(self) -> Cells:
        """All of it, as JSON can hold it."""
        return {
            "attacks": {key: attack.model_dump() for key, attack in self.attacks.items()},
            "n_pixels": self.n_pixels,
            "reference_eps": self.reference_eps,
            "fit": self.fit.model_dump(exclude={"headline"}),
            "seed": self.seed,
        }

    def _under(self, key: str, arrays: Arrays, norms: Arrays, net: str) -> Cells:
        attack, name = self.attacks[key], key.partition(".")[2]
        judged = ~arrays["not_finite"]
        counts = {f"n_{what}": int(arrays[what].sum()) for what in ("zero_gradient", "not_finite")}
        if not judged.any():
            return {"row": {**_about(name, attack), "n_images": 0, **counts}, "curve": []}
        found = outcomes(arrays)
        estimated = Fitted(found, self.fit, generator(self.seed, "trials", "bootstrap", net, name))
        scale = math.sqrt(self.n_pixels) if attack.norm == "l2" else 1.0
        row = {
            **_about(name, attack),
            "eps_scale": scale,
            "test_accuracy": float(found.was_right.mean()),
            **_gap_quantiles(found),
            **{name: float(np.median(norms[name][judged])) for name in ("gradient_l1", "gradient_l2")},
            **(dict.fromkeys((*FITTED, *LINE)) if attack.clip else _exponents(estimated)),  # Cubuk Eq. 1 does not clip
            "n_images": found.n_images,
            **counts,
            **{f"error_at_{eps:g}": _gross_error(arrays, found, eps * scale) for eps in self.reference_eps},
        }
        points = [
            {"grid_eps": point["eps"] / scale, **{name: point[name] for name in ("gross_error", "net_error")}}
            for point in estimated.curve()
        ]
        return {"row": {name: None if value != value else value for name, value in row.items()}, "curve": points}


def _about(name: str, attack: Attack) -> Cells:
    return {"attack": name, "norm": attack.norm, "target": attack.target}


def unmeasured(attacks: Mapping[str, Attack]) -> list[Cells]:
    """What `Estimates` finds of a net whose training diverged: nothing."""
    return [{"row": _about(key.partition(".")[2], attack), "curve": []} for key, attack in attacks.items()]


def _gap_quantiles(found: Outcomes) -> Cells:
    values = np.quantile(found.gaps, GAP_QUANTILES).tolist() if len(found.gaps) else [None] * len(GAP_QUANTILES)
    return {f"gap_{quantile:g}": value for quantile, value in zip(GAP_QUANTILES, values, strict=True)}


def _exponents(estimated: Fitted) -> Cells:
    exponents = {(row["kind"], row["estimator"]): row for row in estimated.exponents()}
    estimates = {
        f"{name}_{what}{end}": exponents[key][f"{what}{end}"]
        for name, key in ESTIMATES.items()
        for what in ("exponent", "amplitude")
        for end in ENDS
    }
    line = exponents[ESTIMATES["net_ls"]]
    return {**estimates, **{name: line[name] for name in LINE}}


def _gross_error(arrays: Arrays, found: Outcomes, eps: float) -> float:
    """The share of images that are right when clean and wrong at some size up to eps.

    Of attacks without thresholds, at the sizes of the grid, of which eps is one.
    """
    if "threshold" in arrays:
        return float((arrays["threshold"][~arrays["not_finite"]] <= eps).mean())
    reached = found.eps <= eps * (1 + 1e-9)
    return float(found.broken[reached][-1].mean())
