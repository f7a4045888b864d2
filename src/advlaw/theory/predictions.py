"""How well linear response and mean-field theory predict one attack on one net, image by image and as a curve."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, spearmanr

from advlaw.core.io import Cells
from advlaw.fitting.proportions import wilson
from advlaw.theory.mean_field import (
    agreement_range,
    class_thresholds,
    closing_speed,
    error_curve,
    linear_threshold,
    mean_field_threshold,
    rank_average,
    ranking,
)

TOLERANCES = (0.1, 0.25)
N_QUANTILES = 10
BINS_PER_DECADE = 12
PAPER_EPS = 50.0  # of claim C18
ROUNDING = 1e-10  # of logits of order 10 in float64, generously
PREDICTIONS = ("linear", "mean_field", "mean_field_literal")


@dataclass(frozen=True)
class Case:
    """One attack on one net: clean logits and gamma (N, K); label, threshold and threshold_class (N,).

    `threshold` is the measured eps at which a right image becomes wrong: inf where none is known, NaN where the
    image is wrong when clean. `scale` is what eps is divided by on the shared grid.
    """

    logits: np.ndarray
    gamma: np.ndarray
    label: np.ndarray
    threshold: np.ndarray
    threshold_class: np.ndarray
    scale: float

    @property
    def right(self) -> np.ndarray:
        return ~np.isnan(self.threshold)

    def predicted(self) -> dict[str, np.ndarray]:
        """Predicted thresholds of images: of the right ones; in the paper's literal reading of all (Cubuk Eq. 8)."""
        everything = np.ones(len(self.label), dtype=bool)
        speed = closing_speed(self.gamma, self.logits, self.right)
        literal = closing_speed(self.gamma, self.logits, everything)
        return {
            "linear": linear_threshold(self.logits, self.gamma)[self.right],
            "mean_field": mean_field_threshold(self.logits, speed)[self.right],
            "mean_field_literal": mean_field_threshold(self.logits, literal),
        }


def curves(case: Case, grid: np.ndarray, confidence: float) -> list[Cells]:
    """Measured and predicted shares of images that have become wrong, at every point of the shared grid (E,)."""
    eps, n_images = grid * case.scale, len(case.label)
    shares = {name: error_curve(found, eps, n_images) for name, found in case.predicted().items()}
    measured = error_curve(case.threshold[case.right], eps, n_images)
    rows = []
    for i, point in enumerate(grid.tolist()):
        low, high = wilson(round(measured[i] * n_images), n_images, confidence)
        row = {"grid_eps": point, "eps": eps[i], "measured": measured[i], "measured_low": low, "measured_high": high}
        rows.append(row | {name: share[i] for name, share in shares.items()})
    return rows


def agreement(rows: list[Cells], n_images: int, min_errors: int) -> list[Cells]:
    """Where each predicted curve is within 10 % and 25 % of the measured one.

    Of the points with at least `min_errors` errors and at most half of the largest, for beyond all curves end in the
    same plateau: the longest run, its ends, and the measured error there.
    """
    measured = np.array([row["measured"] for row in rows])
    enough = (measured * n_images >= min_errors - 1e-9) & (measured <= 0.5 * measured.max())
    found = []
    for name in PREDICTIONS:
        predicted = np.array([row[name] for row in rows])
        for tolerance in TOLERANCES:
            run = rows[agreement_range(measured, predicted, enough, tolerance)]
            row: Cells = {"prediction": name, "tolerance": tolerance, "n_points": len(run)}
            for end, point in zip(("first", "last"), (run[0], run[-1]) if run else ({}, {}), strict=True):
                row |= {f"grid_eps_{end}": point.get("grid_eps"), f"error_{end}": point.get("measured")}
            found.append(row)
    return found


def deciles(case: Case) -> list[Cells]:
    """The relative error of predicted thresholds, by decile of the measured one: Cubuk Fig. 3b and 3c in numbers.

    Decile 0 is the smallest hundredth, the nearest to the limit in which the linear prediction is exact.
    """
    measured = case.threshold[case.right]
    known = np.isfinite(measured)
    order = np.argsort(measured[known], kind="stable")
    rows = []
    for name in ("linear", "mean_field"):
        error = np.abs(case.predicted()[name][known] / measured[known] - 1.0)
        parts = [order[: len(order) // 100], *np.array_split(order, N_QUANTILES)]
        for decile, images in enumerate(parts):
            if len(images) == 0:
                continue
            ends = measured[known][images[[0, -1]]] / case.scale
            row = {"prediction": name, "decile": decile, "n_images": len(images)}
            row |= {"grid_eps_first": ends[0], "grid_eps_last": ends[1]}
            spread = np.quantile(error[images], [0.5, 0.9], method="lower")  # the error may be infinite
            rows.append(row | {"median_error": spread[0], "error_90": spread[1]})
    return rows


def histogram(case: Case) -> list[Cells]:
    """How many images there are in each cell of measured x predicted thresholds, in logarithmic cells."""
    rows = []
    measured = case.threshold[case.right]
    for name in ("linear", "mean_field"):
        predicted = case.predicted()[name]
        both = np.isfinite(measured) & np.isfinite(predicted) & (predicted > 0)
        pairs = np.stack([measured[both], predicted[both]], axis=1) / case.scale
        cells, counts = np.unique(np.floor(np.log10(pairs) * BINS_PER_DECADE), axis=0, return_counts=True)
        for cell, count in zip(cells, counts.tolist(), strict=True):
            row: Cells = {"prediction": name}
            for axis, corner in zip(("measured", "predicted"), cell, strict=True):
                row |= {
                    f"{axis}_{end}": 10.0 ** ((corner + i) / BINS_PER_DECADE) for i, end in enumerate(("low", "high"))
                }
            rows.append(row | {"count": count})
    return rows


def takeovers(case: Case, grid: np.ndarray, confidence: float) -> list[Cells]:
    """Of the attacks that succeed up to eps, the share in which the class of rank 2 takes over first (claim C18)."""
    order, thresholds = ranking(case.logits), class_thresholds(case.logits, case.gamma)
    is_second = case.threshold_class == order[:, 1]
    by_linear = order[np.arange(len(order)), thresholds.argmin(axis=1) + 1]
    is_foreseen = (case.threshold_class == by_linear) & np.isfinite(thresholds.min(axis=1))
    rows = []
    for point in grid.tolist():
        with np.errstate(invalid="ignore"):
            succeeded = case.threshold <= point * case.scale
        n, second = int(succeeded.sum()), int((succeeded & is_second).sum())
        if n == 0:
            continue
        low, high = wilson(second, n, confidence)
        row = {"grid_eps": point, "n_successes": n, "second_first": second / n, "low": low, "high": high}
        rows.append(row | {"linear_is_right": float((succeeded & is_foreseen).sum() / n)})
    return rows


def summary(case: Case, confidence: float) -> Cells:
    """Closing speeds; of images that flip by eps = 50 in the attack's own norm, the share in which rank 2 takes over.

    And rank correlations of predicted with measured thresholds, over the images that flip at all.
    """
    average = rank_average(case.gamma, case.logits, case.right)
    measured = case.threshold[case.right]
    known = np.isfinite(measured)
    row: Cells = {"n_images": len(case.label), "n_right": int(case.right.sum()), "n_succeeded": int(known.sum())}
    row |= {"gamma_1": average[0], "gamma_2": average[1], "closing_speed": average[1] - average[0]}
    small = known & (measured <= PAPER_EPS)
    is_second = (case.threshold_class == ranking(case.logits)[:, 1])[case.right]
    n, second = int(small.sum()), int((small & is_second).sum())
    low, high = wilson(second, n, confidence) if n else (None, None)
    row |= {"n_below_50": n, "second_first": second / n if n else None}
    row |= {"second_first_low": low, "second_first_high": high}
    for name in ("linear", "mean_field"):
        values = spearman(case.predicted()[name][known], measured[known], confidence)
        row |= {f"spearman_{name}{end}": value for end, value in zip(("", "_low", "_high"), values, strict=True)}
    return row


def spearman(x: np.ndarray, y: np.ndarray, confidence: float) -> tuple[float, float, float]:
    """Rank correlation of x and y (n,) with its interval: Fisher's z with Bonett and Wright's variance.

    (1 + rho^2 / 2) / (n - 3) (Psychometrika 65, 2000); NaN where either is constant or n < 4.
    """
    if len(x) < 4 or (x == x[0]).all() or (y == y[0]).all():
        return np.nan, np.nan, np.nan
    rho = float(spearmanr(x, y).statistic)
    spread = norm.ppf(0.5 + 0.5 * confidence) * np.sqrt((1.0 + 0.5 * rho**2) / (len(x) - 3))
    centre = np.arctanh(min(max(rho, -1.0 + 1e-15), 1.0 - 1e-15))
    return rho, float(np.tanh(centre - spread)), float(np.tanh(centre + spread))


def residual_slope(eps: np.ndarray, residual: np.ndarray, last: float) -> float:
    """The slope of ln(mean residual) against ln(eps), residual (E, n), over eps up to `last` (Cubuk Eq. 16).

    From where the mean is more than rounding: a ReLU net is exactly linear up to its first kink.
    """
    mean = residual.mean(axis=1)
    used = (eps <= last) & (mean > ROUNDING)
    if used.sum() < 3:
        return np.nan
    return float(np.polyfit(np.log(eps[used]), np.log(mean[used]), 1)[0])


def residual_rows(eps: np.ndarray, residual: np.ndarray, last: float) -> list[Cells]:
    """Mean residual and the share of images that are not linear within rounding, at each eps (E,); and the slope."""
    labels = {"n_images": residual.shape[1], "slope": residual_slope(eps, residual, last)}
    means, shares = residual.mean(axis=1).tolist(), (residual > ROUNDING).mean(axis=1).tolist()
    columns = zip(eps.tolist(), means, shares, strict=True)
    return [{**labels, "eps": e, "residual": mean, "share_not_linear": share} for e, mean, share in columns]
