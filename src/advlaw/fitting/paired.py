"""How much the exponents of two attacks differ on the same net and images, whose errors go together.

An exponent, or a mean, moves by the sum of what each image contributes. Two attacks find nearly the same images, so
that of the difference little is chance, though each exponent is uncertain.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import t

from advlaw.fitting.outcomes import Outcomes
from advlaw.fitting.signs import Odds
from advlaw.fitting.sizes import SMALLEST_SIZE, Counted
from advlaw.fitting.small_eps import Law


@dataclass(frozen=True)
class Moved:
    """An exponent or another number, and how far each image (N,) moves it."""

    value: float
    by_image: np.ndarray


def moved(outcomes: Outcomes, law: Law, odds: Odds | None, e0: float) -> Moved:
    """Of the law of a curve, of net errors with its odds, up to e0."""
    first, is_wrong = first_changes(outcomes)
    counted = is_wrong if odds is None else np.ones_like(is_wrong)
    is_inside = counted & (first > SMALLEST_SIZE * e0) & (first <= e0 * (1 + 1e-9))
    u = np.where(is_inside, np.minimum(first / e0, 1.0), np.inf)
    edges = law.sizes.edges if isinstance(law.sizes, Counted) else None
    by_image = law.scores(u, edges)
    if odds is None:
        return Moved(law.b, by_image)
    inside = np.isfinite(u)
    by_image[inside] += odds.scores(u[inside], is_wrong[inside])
    return Moved(law.b + odds.d, by_image)


def first_changes(outcomes: Outcomes) -> tuple[np.ndarray, np.ndarray]:
    """The eps (N,) of each image's first change, inf without one, and whether it is one to wrong."""
    if outcomes.events is not None:
        return np.where(np.isnan(outcomes.events), np.inf, outcomes.events), outcomes.was_right
    changed = np.where(outcomes.was_right, outcomes.broken, outcomes.net < 0)
    first = np.where(changed.any(axis=0), outcomes.eps[changed.argmax(axis=0)], np.inf)
    return first, outcomes.was_right


def difference(one: Moved, other: Moved, confidence: float) -> tuple[float, float, float]:
    """one - other with its interval: Student's, with as many degrees of freedom as images make the difference."""
    value = one.value - other.value
    squares = (one.by_image - other.by_image) ** 2
    if not squares.any():
        return value, value, value
    n_images = squares.sum() ** 2 / (squares**2).sum()
    half = float(t.ppf(0.5 + confidence / 2, n_images) * np.sqrt(squares.sum()))
    return value, value - half, value + half
