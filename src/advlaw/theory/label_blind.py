"""Why attacks that do not know the label have larger exponents: two mechanisms (docs/findings/label_blind.md).

(i) Near a tie the answer is right as often as the runner-up is, so an attack that closes the gap without knowing the
label repairs as many images as it breaks, to first order in the gap: the net error loses its linear term.
(ii) Under step l.l. the speed at which the gap closes falls with the gap itself, to a remainder of random sign.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from advlaw.core.io import Cells
from advlaw.fitting.fit import Fitted
from advlaw.fitting.outcomes import Outcomes
from advlaw.fitting.proportions import wilson
from advlaw.fitting.settings import Fit
from advlaw.theory.mean_field import (
    by_rank,
    class_thresholds,
    closing_speed,
    mean_field_threshold,
    ranking,
    sorted_gaps,
)
from advlaw.theory.predictions import Case

SMALLEST_BIN = 50
NEAR = 1.0
AT_ONCE = 1_000_000
SPEEDS = ("constant", "linear", "measured")


def by_gap(case: Case, confidence: float) -> list[Cells]:
    """What happens near a tie, in bins of Delta_12 over all images: 50 images, 50, 100, 200, and so on.

    The shares of images whose label is the prediction and the runner-up, and mean and spread of the speed at which
    the gap closes, (Gamma_2 - Gamma_1) times the attack's scale, and the share of gaps that close.
    """
    order, ranked = ranking(case.logits), by_rank(case.gamma, case.logits).astype(float)
    speed = (ranked[:, 1] - ranked[:, 0]) * case.scale
    gap = sorted_gaps(case.logits)[:, 0]
    rows = []
    for images in _bins(np.argsort(gap, kind="stable")):
        row: Cells = {"gap": float(np.median(gap[images])), "n_images": len(images)}
        for name, rank in (("right", 0), ("second", 1)):
            n = int((order[images, rank] == case.label[images]).sum())
            low, high = wilson(n, len(images), confidence)
            row |= {f"p_{name}": n / len(images), f"p_{name}_low": low, f"p_{name}_high": high}
        here = speed[images]
        row |= {"speed": here.mean(), "speed_error": here.std(ddof=1) / np.sqrt(len(here)), "spread": here.std(ddof=1)}
        rows.append(row | {"closing": float((here > 0).mean())})
    return rows


def near_ties(case: Case) -> Cells:
    """Speeds = slope * Delta_12 + intercept + noise of standard deviation floor, over images with a gap below 1.

    Least squares; speeds times the attack's scale. `pole` is the eps of 1 / slope, where w(eps) would diverge.
    """
    ranked, gap = by_rank(case.gamma, case.logits).astype(float), sorted_gaps(case.logits)[:, 0]
    near = gap < NEAR
    row: Cells = {"n_images": int(near.sum()), "slope": None, "intercept": None, "floor": None, "pole": None}
    if near.sum() < SMALLEST_BIN:
        return row
    speed = (ranked[near, 1] - ranked[near, 0]) * case.scale
    slope, intercept = np.polyfit(gap[near], speed, 1)
    floor = float(np.std(speed - slope * gap[near] - intercept, ddof=2))
    return row | {"slope": slope, "intercept": intercept, "floor": floor, "pole": 1.0 / slope if slope > 0 else None}


def _bins(order: np.ndarray) -> list[np.ndarray]:
    edges = [0, SMALLEST_BIN]
    while edges[-1] < len(order):
        edges.append(2 * edges[-1])
    edges[-1] = len(order)
    return [order[a:b] for a, b in pairwise(edges) if b - a > 1]


def decomposed(case: Case, recovery: np.ndarray, grid: np.ndarray) -> dict[str, Outcomes]:
    """The outcomes (as `advlaw.fitting` takes them) of an attack under three accounts of when decisions change.

    `constant`: every gap to the runner-up closes at the mean speed, so that only mechanism (i) is at work;
    `linear`: every image's own linear response, (i) and (ii); `measured`: what really happened first, with
    `recovery` (N,), the eps at which images wrong when clean become right.
    """
    order, rows = ranking(case.logits), np.arange(len(case.label))
    thresholds = class_thresholds(case.logits, case.gamma)
    everything = np.ones(len(rows), dtype=bool)
    speed = closing_speed(case.gamma, case.logits, everything)
    flips = {
        "constant": (mean_field_threshold(case.logits, speed), order[:, 1]),
        "linear": (thresholds.min(axis=1), order[rows, thresholds.argmin(axis=1) + 1]),
    }
    events = {
        name: np.where(case.right | (new_class == case.label), eps, np.inf) for name, (eps, new_class) in flips.items()
    }
    events["measured"] = np.where(case.right, case.threshold, recovery)
    return {name: _outcomes(event, case, grid) for name, event in events.items()}


def _outcomes(events: np.ndarray, case: Case, grid: np.ndarray) -> Outcomes:
    eps, signs = grid * case.scale, np.where(case.right, 1.0, -1.0)
    has_flipped = events <= eps[:, None]
    net = (has_flipped * signs).astype(np.int8)
    gaps = sorted_gaps(case.logits)[case.right, 0]
    top5 = np.full(len(eps), np.nan)
    return Outcomes(eps, case.right, net, has_flipped & case.right, events, signs, top5, gaps)


def exponents(
    case: Case,
    recovery: np.ndarray,
    grid: np.ndarray,
    settings: Fit,
    rng: np.random.Generator,
    accounts: Sequence[str] = SPEEDS,
) -> list[Cells]:
    """Gross and net exponents under the `accounts`, by both estimators, with bootstrap intervals."""
    rows, curves = [], decomposed(case, recovery, grid)
    for speeds in accounts:
        rows += [{"speeds": speeds, **row} for row in Fitted(curves[speeds], settings, rng).exponents()]
    return rows


def error_counts(case: Case, recovery: np.ndarray, grid: np.ndarray) -> list[Cells]:
    """Gross and net error at every point of the grid under every account."""
    rows = []
    for speeds, outcomes in decomposed(case, recovery, grid).items():
        gross, net = outcomes.broken.mean(axis=1), outcomes.net.mean(axis=1)
        points = zip(grid.tolist(), gross.tolist(), net.tolist(), strict=True)
        rows += [{"speeds": speeds, "grid_eps": eps, "gross_error": g, "net_error": n} for eps, g, n in points]
    return rows


def flip_width(eps: np.ndarray, slope: float, floor: float) -> np.ndarray:
    """w(eps): how wide a gap an attack closes, where speeds are slope * Delta + floor * N(0, 1); eps * slope < 1."""
    return floor * eps / (1.0 - slope * eps)


def ideal_errors(eps: np.ndarray, slope: float | None, floor: float) -> tuple[np.ndarray, np.ndarray]:
    """Gross and net error (E,) where Delta_12 is uniform on [0, 1] and the prediction right with (1 + Delta_12) / 2.

    Speeds are `floor` for every image (slope None), or slope * Delta_12 + floor * N(0, 1). Integrals over Delta_12 of
    (1 + Delta_12) / 2 and Delta_12 times the share that has flipped, exact while no gap near 1 flips.
    """
    if slope is None:
        width = floor * eps
        return width / 2 + width**2 / 4, width**2 / 2
    width = flip_width(eps, slope, floor)
    return width / np.sqrt(8 * np.pi) + width**2 / 8, width**2 / 4


def sampled_errors(
    eps: np.ndarray, slope: float | None, floor: float, n_images: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Gross and net error (E,) of such images, drawn one by one, a million at a time."""
    gross, net = np.zeros(len(eps)), np.zeros(len(eps))
    for start in range(0, n_images, AT_ONCE):
        n = min(AT_ONCE, n_images - start)
        gap = rng.uniform(size=n)
        is_right = rng.uniform(size=n) < 0.5 * (1.0 + gap)
        speed = np.full(n, floor) if slope is None else slope * gap + floor * rng.standard_normal(n)
        threshold = np.divide(gap, speed, out=np.full(n, np.inf), where=speed > 0)
        broken, repaired = (
            np.searchsorted(np.sort(threshold[kind]), eps, side="right") for kind in (is_right, ~is_right)
        )
        gross, net = gross + broken, net + broken - repaired
    return gross / n_images, net / n_images
