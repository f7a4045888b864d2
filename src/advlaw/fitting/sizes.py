"""Sizes of errors, known exactly or up to the cell of a grid, and what the density of `small_eps` makes of them.

The density is f(u) = u^(B-1) exp(sum_j a_j P_j(2u - 1)) / Z(B, a) on (0, 1].
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

N_TERMS = 4
NODES = 12  # of the quadrature over a cell
SMALLEST_SIZE = 1e-6  # smaller ones are ties that rounding breaks, and are left out
EXPECTED = 5.0  # errors in a cell of the test of fit
MOST_CELLS = 30

Parameters = np.ndarray  # (1 + N_TERMS,): B, a_1 to a_4
PANELS = np.array([0, *np.geomspace(1e-3, 0.5, 12), 0.63, 0.75, 0.85, 0.92, 0.97, 1.0])  # of the quadrature over (0, 1]


def statistics(u: np.ndarray, log_u: np.ndarray) -> np.ndarray:
    """ln u and P_1 to P_4 of 2u - 1 (..., 1 + N_TERMS), the sufficient statistics of sizes (...)."""
    x = 2.0 * u - 1.0
    square = x * x
    terms = (x, 1.5 * square - 0.5, (2.5 * square - 1.5) * x, (4.375 * square - 3.75) * square + 0.375)
    return np.stack([log_u, *terms], axis=-1)


@dataclass(frozen=True)
class Moments:
    """Of the statistics: ln of a mass, their mean and covariance; of each cell (c,), (c, 5), (c, 5, 5)."""

    log_mass: np.ndarray
    mean: np.ndarray
    covariance: np.ndarray

    def together(self) -> "Moments":
        """Of all cells as one."""
        top = self.log_mass.max()
        mass = np.exp(self.log_mass - top)
        share = mass / mass.sum()
        mean = share @ self.mean
        around = self.mean - mean
        spread = np.tensordot(share, self.covariance, 1) + (share * around.T) @ around
        return Moments(top + np.log(mass.sum()), mean, spread)


def moments(parameters: Parameters) -> Moments:
    """Of all sizes, (0, 1]: ln Z (), (5,), (5, 5)."""
    return cell_moments(parameters, PANELS).together()


def cell_moments(parameters: Parameters, edges: np.ndarray) -> Moments:
    """Of the cells between rising edges (c + 1,), masses not over Z.

    By Gauss and Legendre's quadrature in w, u = w^(4/B), in which the density is smooth at 0.
    """
    power = 4.0 / parameters[0]
    ends = edges ** (1.0 / power)
    x, weight = _nodes(NODES)
    w = ends[:-1, None] + (ends[1:] - ends[:-1])[:, None] * x
    log_w = np.log(np.maximum(w, 1e-300))
    t = statistics(np.exp(power * log_w), power * log_w)
    log_density = 3.0 * log_w + t[..., 1:] @ parameters[1:]
    top = log_density.max(axis=1, keepdims=True)
    mass = weight * np.exp(log_density - top)
    total = mass.sum(axis=1)
    share = (mass / total[:, None])[..., None]
    mean = (share * t).sum(axis=1)
    around = t - mean[:, None]
    width = np.log(np.maximum(ends[1:] - ends[:-1], 1e-300))
    log_mass = top[:, 0] + np.log(total) + width + math.log(power)
    return Moments(log_mass, mean, (share * around).transpose(0, 2, 1) @ around)


@cache
def _nodes(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights on (0, 1)."""
    x, weight = np.polynomial.legendre.leggauss(n)
    return (x + 1) / 2, weight / 2


@dataclass(frozen=True)
class Compared:
    """Errors observed and expected (c,) in cells up to sizes `upper` (c,), which rise."""

    upper: np.ndarray
    observed: np.ndarray
    expected: np.ndarray


@dataclass(frozen=True)
class Exact:
    """Sizes u (n,), each known."""

    u: np.ndarray

    @property
    def n(self) -> int:
        return len(self.u)

    @property
    def n_filled(self) -> int:
        """Cells that hold errors: each size is one."""
        return self.n

    @property
    def sum_of_logs(self) -> float:
        return float(self._sums[0])

    @cached_property
    def _sums(self) -> np.ndarray:
        return statistics(self.u, np.log(self.u)).sum(axis=0)

    def observed(self, parameters: Parameters) -> Moments:
        """Sums over the errors of ln f, without Z, of the statistics, and of their covariance where not known."""
        return Moments(self._sums @ parameters - self._sums[0], self._sums, np.zeros((1 + N_TERMS, 1 + N_TERMS)))

    def compared(self, parameters: Parameters) -> Compared:
        """In cells that are equally likely."""
        fine = np.linspace(0.0, 1.0, 401) ** (4.0 / parameters[0])
        mass = np.exp(cell_moments(parameters, fine).log_mass)
        shares = np.linspace(0.0, 1.0, max(1, min(MOST_CELLS, int(self.n / EXPECTED))) + 1)
        edges = np.interp(shares, np.concatenate([[0.0], np.cumsum(mass) / mass.sum()]), fine)
        edges[0], edges[-1] = 0.0, 1.0
        edges = np.unique(edges)
        return Counted(edges, np.histogram(self.u, edges)[0]).compared(parameters)


@dataclass(frozen=True)
class Counted:
    """How many sizes, `counts` (c,), are in each cell between `edges` (c + 1,), which rise from 0 to 1."""

    edges: np.ndarray
    counts: np.ndarray

    @property
    def n(self) -> int:
        return int(self.counts.sum())

    @property
    def n_filled(self) -> int:
        return int((self.counts > 0).sum())

    @property
    def sum_of_logs(self) -> float:
        return float(self.counts @ np.log(middles(self.edges)))

    def observed(self, parameters: Parameters) -> Moments:
        cells = cell_moments(parameters, self.edges)
        covariance = np.tensordot(self.counts, cells.covariance, 1)
        return Moments(self.counts @ cells.log_mass, self.counts @ cells.mean, covariance)

    def compared(self, parameters: Parameters) -> Compared:
        log_mass = cell_moments(parameters, self.edges).log_mass
        expected = self.n * np.exp(log_mass - np.logaddexp.reduce(log_mass))
        return Compared(self.edges[1:], self.counts.astype(float), expected)


@dataclass(frozen=True)
class Joined:
    """The sizes of several nets, each of its own range, as one sample.

    Sizes of densities that differ in their smooth factors alone have such a density together.
    """

    parts: Sequence["Sizes"]

    @property
    def n(self) -> int:
        return sum(part.n for part in self.parts)

    @property
    def n_filled(self) -> int:
        return sum(part.n_filled for part in self.parts)

    @property
    def sum_of_logs(self) -> float:
        return sum(part.sum_of_logs for part in self.parts)

    def observed(self, parameters: Parameters) -> Moments:
        found = [part.observed(parameters) for part in self.parts]
        log_mass, mean, covariance = (sum(getattr(one, name) for one in found) for name in Moments.__annotations__)
        return Moments(log_mass, mean, covariance)

    def compared(self, parameters: Parameters) -> Compared:
        """Cells that end at the same size are one."""
        found = [part.compared(parameters) for part in self.parts]
        upper, place = np.unique(np.concatenate([one.upper for one in found]).round(9), return_inverse=True)
        observed, expected = (
            np.bincount(place, np.concatenate([getattr(one, name) for one in found]))
            for name in ("observed", "expected")
        )
        return Compared(upper, observed, expected)


Sizes = Exact | Counted | Joined


def joined(parts: Sequence[Sizes]) -> Sizes:
    """The sizes of all parts as one sample."""
    known = [part.u for part in parts if isinstance(part, Exact)]
    return Exact(np.concatenate(known)) if len(known) == len(parts) else Joined(parts)


def middles(edges: np.ndarray) -> np.ndarray:
    """A typical size in each cell; where that begins at 0, half its end."""
    return np.sqrt(np.maximum(edges[:-1], edges[1:] / 4.0) * edges[1:])
