"""Gaps between sorted i.i.d. logits, exactly (Cubuk App. 6.2.2, Eq. 17-22).

K logits are drawn from one law with density p, distribution function F and quantile function Q. Integrals over a
logit r are taken over v = F(r) in [0, 1], where they are proper whatever the law's support.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import betainc, ndtr, ndtri

Function = Callable[[float], float]
NEAR_ONE = [1.0 - 10.0**-k for k in range(1, 13)]  # a large gap needs a largest logit that few values of v are about


@dataclass(frozen=True)
class Law:
    """A law of one logit: density, distribution function and its inverse."""

    pdf: Function
    cdf: Function
    ppf: Function


def _gumbel_cdf(x: float) -> float:
    return math.exp(-math.exp(-x)) if x > -700.0 else 0.0


LAWS = {
    "uniform": Law(lambda x: float(0.0 <= x <= 1.0), lambda x: min(max(x, 0.0), 1.0), lambda v: v),
    "normal": Law(lambda x: math.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi), ndtr, ndtri),
    "gumbel": Law(
        lambda x: math.exp(-x) * _gumbel_cdf(x) if x > -700.0 else 0.0,
        _gumbel_cdf,
        lambda v: -math.log(-math.log(v)) if 0.0 < v < 1.0 else (-math.inf if v <= 0.0 else math.inf),
    ),
    "exponential": Law(
        lambda x: math.exp(-x) if x >= 0.0 else 0.0,
        lambda x: -math.expm1(-x) if x > 0.0 else 0.0,
        lambda v: -math.log1p(-v) if v < 1.0 else math.inf,
    ),
}


def combinations(n_classes: int, rank: int) -> int:
    """A(K, j) = K (K - 1) binom(K - 2, j - 2): choices of the largest, of the j-th and of those between."""
    return n_classes * (n_classes - 1) * math.comb(n_classes - 2, rank - 2)


def gap_density_constant(n_classes: int, rank: int, law: Law) -> float:
    """C of P(Delta_1j) = C Delta^(j-2) + O(Delta^(j-1)) (Cubuk Eq. 22); K for j = 2 and the uniform law."""
    _check(n_classes, rank)

    def integrand(v: float) -> float:
        return v ** (n_classes - rank) * law.pdf(law.ppf(v)) ** (rank - 1)

    return combinations(n_classes, rank) * _integral(integrand, [])


def gap_density(n_classes: int, rank: int, law: Law, gap: float) -> float:
    """The density of Delta_1j at `gap` > 0 (Cubuk Eq. 20)."""
    _check(n_classes, rank)

    def integrand(v: float) -> float:
        above = law.ppf(v) + gap
        return v ** (n_classes - rank) * (law.cdf(above) - v) ** (rank - 2) * law.pdf(above)

    return combinations(n_classes, rank) * _integral(integrand, _kinks(law, 1.0, -gap))


def gap_distribution(n_classes: int, rank: int, law: Law, gap: float) -> float:
    """P(Delta_1j <= gap): given the largest logit, at least j - 1 of the others lie within `gap` below it."""
    _check(n_classes, rank)

    def integrand(v: float) -> float:
        within = 1.0 - law.cdf(law.ppf(v) - gap) / v
        return n_classes * v ** (n_classes - 1) * betainc(rank - 1, n_classes - rank + 1, min(max(within, 0.0), 1.0))

    return _integral(integrand, _kinks(law, 0.0, gap))


def gap_quantile(n_classes: int, rank: int, law: Law, share: float) -> float:
    """The gap below which a `share` in (0, 1) of all Delta_1j lie."""

    def excess(gap: float) -> float:
        return gap_distribution(n_classes, rank, law, gap) - share

    low = high = 1.0
    while excess(high) < 0.0:
        high *= 2.0
    while excess(low) > 0.0:
        low /= 2.0
    return float(brentq(excess, low, high, rtol=1e-8))


def _check(n_classes: int, rank: int) -> None:
    if not 2 <= rank <= n_classes:
        raise ValueError(f"rank = {rank}: must be between 2 and n_classes = {n_classes}")


def _kinks(law: Law, end: float, shift: float) -> list[float]:
    """Where r + shift meets a finite end of the law's support: the integrand has a kink there."""
    edge = law.ppf(end)
    return [float(law.cdf(edge + shift))] if math.isfinite(edge) else []


def _integral(integrand: Function, kinks: list[float]) -> float:
    """Over v in (0, 1)."""
    points = [v for v in (*kinks, *NEAR_ONE) if 0.0 < v < 1.0]
    return float(quad(integrand, 0.0, 1.0, points=points, epsabs=1e-30, epsrel=1e-8, limit=500)[0])
