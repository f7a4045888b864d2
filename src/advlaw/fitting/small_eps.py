"""The exponent of error = A eps^B as eps -> 0: a power law times a smooth factor, by penalised likelihood.

Errors up to an eps e0 have sizes u = eps / e0 in (0, 1], of density

    f(u) = u^(B-1) exp(sum_j a_j P_j(2u - 1)) / Z(B, a),        P_j the Legendre polynomials, j = 1 to 4.

The factor lets the curve bend; B is what is left of it at 0. B and a_1 are free, a_2 to a_4 have normal priors of scale
0.8 / j^2. Given e0 the sizes below it are independent, so that the likelihood needs no bootstrap. Sizes are known
exactly (thresholds) or up to the cell of a grid of eps (counts). See docs/findings/exponent.md.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import brentq
from scipy.stats import chi2

from advlaw.fitting.sizes import (
    EXPECTED,
    N_TERMS,
    SMALLEST_SIZE,
    Parameters,
    Sizes,
    cell_moments,
    moments,
    statistics,
)

PRIOR = 0.8  # the scale of a_j is PRIOR / j^2 for j >= 2: frozen before it was tried on data that had no part in it
WEAK_PRIOR = 10.0  # the scale of a_1: far above what bends a curve, so that a cliff has an answer as well
SMALLEST, LARGEST = 0.02, 60.0  # B is looked for in between
ENOUGH_STEPS, LONGEST_STEP, PRECISION = 60, 10.0, 1e-10  # of Newton's method; no step halves B
FEWEST = 40  # errors: of fewer there is no estimate
FEWEST_CELLS = 3  # with errors
FEW, UNFIT = "too few errors", "the fit is rejected"  # why there is no exponent, or none to judge
REJECTED = 0.001  # p value of a fit that does not describe the data
ESTIMATED = 3.5  # degrees of freedom that the fit takes from Pearson's statistic: the total, B, a_1, some of a_2 to a_4


@dataclass(frozen=True)
class Point:
    """The penalised log likelihood at some parameters, with its gradient and minus its Hessian."""

    parameters: Parameters
    value: float
    gradient: np.ndarray
    information: np.ndarray


def evaluated(sizes: Sizes, parameters: Parameters, prior: float) -> Point:
    seen, whole = sizes.observed(parameters), moments(parameters)
    precision = np.array([0.0, 1.0 / WEAK_PRIOR**2, *((j * j / prior) ** 2 for j in range(2, N_TERMS + 1))])
    value = seen.log_mass - sizes.n * whole.log_mass - 0.5 * precision @ parameters**2
    gradient = seen.mean - sizes.n * whole.mean - precision * parameters
    information = sizes.n * whole.covariance - seen.covariance + np.diag(precision)
    return Point(parameters, float(value), gradient, information)


def maximised(sizes: Sizes, start: Parameters, prior: float, free: slice) -> Point:
    """Newton's method over the parameters in `free`; steps are halved until the likelihood rises."""
    best = evaluated(sizes, start, prior)
    for _ in range(ENOUGH_STEPS):
        information = best.information[free, free]
        smallest = np.linalg.eigvalsh(information)[0]
        if smallest <= 0:  # counts in cells are not concave far from the maximum
            information = information + (1e-3 * np.trace(information) - smallest) * np.eye(len(information))
        step = np.zeros_like(start)
        step[free] = np.linalg.solve(information, best.gradient[free])
        if best.gradient @ step < PRECISION:
            break
        size = 1.0 / max(1.0, abs(step[0]) / (0.5 * best.parameters[0]), abs(step).max() / LONGEST_STEP)
        while size > 1e-8:
            parameters = best.parameters + size * step
            parameters[0] = min(max(parameters[0], SMALLEST), LARGEST)
            tried = evaluated(sizes, parameters, prior)
            if tried.value > best.value:
                break
            size /= 2
        else:
            break
        best = tried
    return best


ALL, TERMS = slice(0, None), slice(1, None)


@dataclass(frozen=True)
class Law:
    """An estimated law: B with its profile interval, an end 0 or inf where none was found, and how well it fits.

    n: errors; p_one: of B = 1, by the likelihood ratio; p_fit: of the fit, by Pearson's test; NaN for too few errors.
    """

    sizes: Sizes
    prior: float
    best: Point
    low: float
    high: float
    p_one: float
    p_fit: float

    @property
    def b(self) -> float:
        return float(self.best.parameters[0])

    @property
    def n(self) -> int:
        return self.sizes.n

    @property
    def curvature(self) -> tuple[float, float]:
        """a_1 and its standard error: how much the curve bends upwards over the range."""
        return float(self.best.parameters[1]), float(np.sqrt(self._covariance[1, 1]))

    @property
    def standard_error(self) -> float:
        return float(np.sqrt(self._covariance[0, 0]))

    @cached_property
    def _covariance(self) -> np.ndarray:
        """The inverse of the information; large where the likelihood has no maximum within the bounds."""
        values, vectors = np.linalg.eigh(self.best.information)
        return vectors / np.maximum(values, 1e-12 * values[-1]) @ vectors.T

    def amplitude(self, n_images: int, e0: float) -> float:
        """A of error = A eps^B as eps -> 0, of this many images, eps up to e0."""
        log_z = moments(self.best.parameters).log_mass
        factor = self.best.parameters[1:] @ np.array([(-1.0) ** j for j in range(1, N_TERMS + 1)])
        return self.n / n_images * math.exp(factor - log_z - self.b * math.log(e0)) / self.b

    def scores(self, u: np.ndarray, edges: np.ndarray | None = None) -> np.ndarray:
        """How far each size (k,) moves B, 0 for those beyond the range: their squares' sum is B's variance.

        `edges` where sizes are known up to a cell alone.
        """
        inside = (u > SMALLEST_SIZE) & (u <= 1.0)
        if edges is None:
            kept = np.where(inside, u, 1.0)
            t = statistics(kept, np.log(kept))
        else:
            cells = cell_moments(self.best.parameters, edges)
            t = cells.mean[np.clip(np.searchsorted(edges, u, side="left") - 1, 0, len(edges) - 2)]
        mean = moments(self.best.parameters).mean
        return np.where(inside, (t - mean) @ self._covariance[0], 0.0)


def fit(sizes: Sizes, confidence: float = 0.95, prior: float = PRIOR) -> Law | None:
    """The law of these errors; None of fewer than FEWEST, or in fewer than FEWEST_CELLS cells."""
    if sizes.n < FEWEST or sizes.n_filled < FEWEST_CELLS:
        return None
    best = maximised(sizes, straight_start(sizes), prior, ALL)
    if best.parameters[0] in (SMALLEST, LARGEST):
        best = at(sizes, best.parameters[0], best, prior)
    limit = math.sqrt(chi2.ppf(confidence, 1))

    def deviation(b: float) -> float:
        """The root of the likelihood ratio of this B: nearly a straight line on either side of the best."""
        return math.sqrt(max(0.0, 2.0 * (best.value - at(sizes, b, best, prior).value)))

    low, high = (_end(lambda b: deviation(b) - limit, best.parameters[0], way) for way in (-1, 1))
    p_one = float(chi2.sf(deviation(1.0) ** 2, 1))
    return Law(sizes, prior, best, low, high, p_one, goodness_of_fit(sizes, best.parameters))


def straight_start(sizes: Sizes) -> Parameters:
    """A power law without a factor."""
    b = -1.0 / min(sizes.sum_of_logs / sizes.n, -1e-6)
    return np.array([min(max(b, 2 * SMALLEST), LARGEST / 2), *np.zeros(N_TERMS)])


def at(sizes: Sizes, b: float, near: Point, prior: float) -> Point:
    """The most likely smooth factor for this B; `near`: where to begin."""
    return maximised(sizes, np.array([b, *near.parameters[1:]]), prior, TERMS)


def _end(beyond: Callable[[float], float], best: float, way: int) -> float:
    """Where `beyond` crosses 0 on one side of the best B; 0 or inf where it does not."""
    bound, open_end = (SMALLEST, 0.0) if way < 0 else (LARGEST, math.inf)
    inner, outer = best, best
    while outer != bound:
        outer = max(outer / 1.3, bound) if way < 0 else min(outer * 1.3, bound)
        if beyond(outer) > 0:
            return float(brentq(beyond, min(inner, outer), max(inner, outer), xtol=1e-5))
        inner = outer
    return open_end


def goodness_of_fit(sizes: Sizes, parameters: Parameters) -> float:
    """Pearson's p value; NaN where there are too few cells of EXPECTED errors."""
    statistic, n_cells = pearson(sizes, parameters)
    return float(chi2.sf(statistic, n_cells - ESTIMATED)) if n_cells > ESTIMATED + 0.5 else math.nan


def pearson(sizes: Sizes, parameters: Parameters) -> tuple[float, int]:
    """Pearson's statistic over cells of EXPECTED errors and more, and how many cells."""
    cells = sizes.compared(parameters)
    observed, expected = _merged(cells.observed, cells.expected)
    return float(((observed - expected) ** 2 / expected).sum()), len(expected)


def _merged(observed: np.ndarray, expected: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Neighbouring cells joined until EXPECTED errors are expected in each."""
    groups, waiting = [], 0.0
    for i, value in enumerate(expected):
        waiting += value
        if waiting >= EXPECTED:
            groups.append(i + 1)
            waiting = 0.0
    if not groups:
        return np.zeros(0), np.zeros(0)
    groups[-1] = len(expected)
    starts = np.array([0, *groups[:-1]])
    return np.add.reduceat(observed, starts), np.add.reduceat(expected, starts)
