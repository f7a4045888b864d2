"""The exponent of error = A eps^B as eps -> 0: a power law times a smooth factor, by penalised likelihood.

Errors up to an eps e0 have sizes u = eps / e0 in (0, 1], of density

    f(u) = u^(B-1) exp(sum_j a_j P_j(2u - 1)) / Z(B, a),        P_j the Legendre polynomials, j = 1 to 4.

The factor lets the curve bend; B is what is left of it at 0. B and a_1 are free, a_2 to a_4 have normal priors of scale
0.8 / j^2. Given e0 the sizes below it are independent, so that the likelihood needs no bootstrap. Sizes are known
exactly (thresholds) or up to the cell of a grid of eps (counts). See docs/exponent.md.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import brentq
from scipy.stats import chi2

N_TERMS = 4
PRIOR = (
    0.8  # the scale of a_j is PRIOR / j^2 for j >= 2: frozen before it was tried on other data than it was chosen on
)
SMALLEST, LARGEST = 0.02, 60.0  # B is looked for in between
NODES = 48  # of the quadrature over (0, 1], for sizes known exactly
NODES_IN_CELL = 12
ENOUGH_STEPS, PRECISION = 60, 1e-10
FEWEST = 40  # errors: of fewer there is no estimate
FEWEST_CELLS = 3  # with errors
FEW, UNFIT = "too few errors", "no such law fits"  # why there is no exponent, or none to judge
REJECTED = 0.001  # p value of a fit that does not describe the data
EXPECTED = 5.0  # errors in a cell of the test of fit
MOST_CELLS = 30
ESTIMATED = 3.5  # degrees of freedom that the fit takes from Pearson's statistic: the total, B, a_1, some of a_2 to a_4

Parameters = np.ndarray  # (1 + N_TERMS,): B, a_1 to a_4


@dataclass(frozen=True)
class Sizes:
    """How many errors are in each cell of u, or each error's own size.

    `edges` (c + 1,) rise from 0 to 1, `counts` (c,); `known` (n,) are the sizes themselves, in one cell.
    """

    edges: np.ndarray
    counts: np.ndarray
    known: np.ndarray | None = None

    @cached_property
    def sums(self) -> np.ndarray | None:
        """Of the statistics of known sizes."""
        return None if self.known is None else statistics(self.known).sum(axis=0)

    @cached_property
    def n(self) -> int:
        return int(self.counts.sum())

    @property
    def n_filled(self) -> int:
        """Cells that hold errors; known sizes are cells of their own."""
        return self.n if self.known is not None else int((self.counts > 0).sum())


def exact_sizes(u: np.ndarray) -> Sizes:
    """Of sizes u (k,) in (0, 1]."""
    return Sizes(np.array([0.0, 1.0]), np.array([len(u)]), u)


def statistics(u: np.ndarray) -> np.ndarray:
    """ln u and P_1 to P_4 of 2u - 1 (..., 1 + N_TERMS), the sufficient statistics of sizes (...)."""
    x = 2.0 * u - 1.0
    terms = [x, (3 * x**2 - 1) / 2, (5 * x**3 - 3 * x) / 2, (35 * x**4 - 30 * x**2 + 3) / 8]
    return np.stack([np.log(u), *terms], axis=-1)


@dataclass(frozen=True)
class Moments:
    """Of every cell under some parameters: ln of its mass, not over Z (c,), mean (c, 5), covariance (c, 5, 5)."""

    log_mass: np.ndarray
    mean: np.ndarray
    covariance: np.ndarray

    def whole(self) -> "Moments":
        """Of all cells together, (0, 1]."""
        top = self.log_mass.max()
        weight = np.exp(self.log_mass - top)
        share = weight / weight.sum()
        mean = share @ self.mean
        around = self.mean - mean
        spread = np.einsum("c,cij->ij", share, self.covariance) + np.einsum("c,ci,cj->ij", share, around, around)
        return Moments(np.array([top + math.log(weight.sum())]), mean[None], spread[None])


def cell_moments(parameters: Parameters, edges: np.ndarray) -> Moments:
    """By Gauss and Legendre's quadrature in w, u = w^(4/B), in which the density is smooth at 0."""
    b = parameters[0]
    ends = edges ** (b / 4.0)
    x, weight = _nodes(NODES if len(edges) == 2 else NODES_IN_CELL)
    w = ends[:-1, None] + (ends[1:] - ends[:-1])[:, None] * x
    t = statistics(np.maximum(w ** (4.0 / b), 1e-300))
    log_density = 3.0 * np.log(np.maximum(w, 1e-300)) + t[..., 1:] @ parameters[1:]
    top = log_density.max(axis=1, keepdims=True)
    mass = weight * np.exp(log_density - top)
    total = mass.sum(axis=1)
    share = mass / total[:, None]
    mean = np.einsum("cn,cni->ci", share, t)
    around = t - mean[:, None]
    width = np.log(np.maximum(ends[1:] - ends[:-1], 1e-300))
    log_mass = top[:, 0] + np.log(total) + width + math.log(4.0 / b)
    return Moments(log_mass, mean, np.einsum("cn,cni,cnj->cij", share, around, around))


_NODES: dict[int, tuple[np.ndarray, np.ndarray]] = {}


def _nodes(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights on (0, 1)."""
    if n not in _NODES:
        x, weight = np.polynomial.legendre.leggauss(n)
        _NODES[n] = (x + 1) / 2, weight / 2
    return _NODES[n]


@dataclass(frozen=True)
class Point:
    """The penalised log likelihood at some parameters, with its gradient and minus its Hessian."""

    parameters: Parameters
    value: float
    gradient: np.ndarray
    information: np.ndarray


def evaluated(sizes: Sizes, parameters: Parameters, prior: float) -> Point:
    cells = cell_moments(parameters, sizes.edges)
    whole, n = cells.whole(), sizes.n
    precision = np.array([0.0, 0.0, *((j * j / prior) ** 2 for j in range(2, N_TERMS + 1))])
    if sizes.sums is not None:
        value = (parameters[0] - 1.0) * sizes.sums[0] + parameters[1:] @ sizes.sums[1:] - n * whole.log_mass[0]
        gradient = sizes.sums - n * whole.mean[0]
        information = n * whole.covariance[0]
    else:
        value = sizes.counts @ cells.log_mass - n * whole.log_mass[0]
        gradient = sizes.counts @ cells.mean - n * whole.mean[0]
        information = n * whole.covariance[0] - np.einsum("c,cij->ij", sizes.counts, cells.covariance)
    value -= 0.5 * precision @ parameters**2
    return Point(parameters, float(value), gradient - precision * parameters, information + np.diag(precision))


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
        size = 1.0 if step[0] == 0 else min(1.0, 0.5 * best.parameters[0] / abs(step[0]))  # B stays positive
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
        return np.linalg.inv(self.best.information)

    def amplitude(self, n_images: int, e0: float) -> float:
        """A of error = A eps^B as eps -> 0, of this many images, eps up to e0."""
        log_z = cell_moments(self.best.parameters, np.array([0.0, 1.0])).log_mass[0]
        factor = self.best.parameters[1:] @ np.array([(-1.0) ** j for j in range(1, N_TERMS + 1)])
        return self.n / n_images * math.exp(factor - log_z - self.b * math.log(e0)) / self.b

    def scores(self, u: np.ndarray, edges: np.ndarray | None = None) -> np.ndarray:
        """How far each size (k,) moves B, 0 for those beyond the range: their squares' sum is B's variance.

        `edges` where sizes are known up to a cell alone.
        """
        inside = u <= 1.0
        if edges is None:
            t = statistics(np.where(inside, np.maximum(u, 1e-300), 1.0))
        else:
            cells = cell_moments(self.best.parameters, edges)
            t = cells.mean[np.clip(np.searchsorted(edges, u, side="left") - 1, 0, len(edges) - 2)]
        mean = cell_moments(self.best.parameters, np.array([0.0, 1.0])).mean[0]
        return np.where(inside, (t - mean) @ self._covariance[0], 0.0)


def fit(sizes: Sizes, confidence: float = 0.95, prior: float = PRIOR) -> Law | None:
    """The law of these errors; None of fewer than FEWEST, or in fewer than FEWEST_CELLS cells."""
    if sizes.n < FEWEST or sizes.n_filled < FEWEST_CELLS:
        return None
    best = maximised(sizes, straight_start(sizes), prior, ALL)
    limit = float(chi2.ppf(confidence, 1)) / 2.0

    def drop(b: float) -> float:
        return best.value - at(sizes, b, best, prior).value - limit

    low, high = (_end(drop, best.parameters[0], way) for way in (-1, 1))
    p_one = float(chi2.sf(max(0.0, 2.0 * (drop(1.0) + limit)), 1))
    return Law(sizes, prior, best, low, high, p_one, goodness_of_fit(sizes, best.parameters))


def straight_start(sizes: Sizes) -> Parameters:
    """A power law without a factor."""
    if sizes.sums is not None:
        mean_log = sizes.sums[0] / sizes.n
    else:
        middle = np.sqrt(np.maximum(sizes.edges[:-1], sizes.edges[1:] / 4.0) * sizes.edges[1:])
        mean_log = sizes.counts @ np.log(middle) / sizes.n
    return np.array([min(max(-1.0 / min(mean_log, -1e-6), 2 * SMALLEST), LARGEST / 2), *np.zeros(N_TERMS)])


def at(sizes: Sizes, b: float, near: Point, prior: float) -> Point:
    """The most likely smooth factor for this B; `near`: where to begin."""
    return maximised(sizes, np.array([b, *near.parameters[1:]]), prior, TERMS)


def _end(drop, best: float, way: int) -> float:  # type: ignore[no-untyped-def]
    """Where `drop` crosses 0 on one side of the best B; 0 or inf where it does not."""
    bound, open_end = (SMALLEST, 0.0) if way < 0 else (LARGEST, math.inf)
    inner, outer = best, best
    while outer != bound:
        outer = max(outer / 1.3, bound) if way < 0 else min(outer * 1.3, bound)
        if drop(outer) > 0:
            return float(brentq(drop, min(inner, outer), max(inner, outer), xtol=1e-5))
        inner = outer
    return open_end


def goodness_of_fit(sizes: Sizes, parameters: Parameters) -> float:
    """Pearson's p value; NaN where there are too few cells of EXPECTED errors."""
    statistic, n_cells = pearson(sizes, parameters)
    return float(chi2.sf(statistic, n_cells - ESTIMATED)) if n_cells > ESTIMATED + 0.5 else math.nan


def pearson(sizes: Sizes, parameters: Parameters) -> tuple[float, int]:
    """Pearson's statistic over cells of EXPECTED errors and more, and how many cells."""
    if sizes.known is not None:
        edges = _equal_cells(parameters, min(MOST_CELLS, int(sizes.n / EXPECTED)))
        counts = np.histogram(sizes.known, edges)[0].astype(float)
    else:
        edges, counts = sizes.edges, sizes.counts.astype(float)
    log_mass = cell_moments(parameters, edges).log_mass
    expected = sizes.n * np.exp(log_mass - np.logaddexp.reduce(log_mass))
    observed, expected = _merged(counts, expected)
    return float(((observed - expected) ** 2 / expected).sum()), len(expected)


def _equal_cells(parameters: Parameters, n_cells: int) -> np.ndarray:
    """Edges of cells that are equally likely."""
    fine = np.linspace(0.0, 1.0, 401) ** (4.0 / parameters[0])
    fine[0], fine[-1] = 0.0, 1.0
    mass = np.exp(cell_moments(parameters, fine).log_mass)
    cumulated = np.concatenate([[0.0], np.cumsum(mass) / mass.sum()])
    edges = np.interp(np.linspace(0.0, 1.0, n_cells + 1), cumulated, fine)
    edges[0], edges[-1] = 0.0, 1.0
    return np.unique(edges)


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
