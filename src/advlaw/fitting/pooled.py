"""One exponent for several nets: a joint likelihood, in which B is common and each net has its own smooth factor.

Averages of the nets' own estimates do not do: their bias does not average out. See docs/exponent.md.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.stats import chi2

from advlaw.fitting.small_eps import LARGEST, PRIOR, SMALLEST, Law, at


@dataclass(frozen=True)
class Pooled:
    """The common B with its profile interval, of nets with n errors in all.

    p_equal: of one B for all nets, by the likelihood ratio. tau: the spread of their exponents about it that is not
    chance, by the moments of DerSimonian and Laird.
    """

    b: float
    low: float
    high: float
    n_nets: int
    n: int
    p_one: float
    p_equal: float
    tau: float


def pool(laws: Sequence[Law], confidence: float = 0.95, prior: float = PRIOR) -> Pooled | None:
    """The common exponent of nets, each with its own range and factor; None of fewer than two."""
    if len(laws) < 2:
        return None

    def slope(b: float) -> float:
        return sum(float(at(law.sizes, b, law.best, prior).gradient[0]) for law in laws)

    def value(b: float) -> float:
        return sum(at(law.sizes, b, law.best, prior).value for law in laws)

    middle = float(np.median([law.b for law in laws]))
    b = float(brentq(slope, *_around(slope, middle), xtol=1e-6))
    best, limit = value(b), float(chi2.ppf(confidence, 1)) / 2.0

    def drop(other: float) -> float:
        return best - value(other) - limit

    low, high = (_end(drop, b, way) for way in (-1, 1))
    apart = sum(law.best.value for law in laws)
    p_equal = float(chi2.sf(max(0.0, 2.0 * (apart - best)), len(laws) - 1))
    p_one = float(chi2.sf(max(0.0, 2.0 * (best - value(1.0))), 1))
    return Pooled(b, low, high, len(laws), sum(law.n for law in laws), p_one, p_equal, spread(laws))


def spread(laws: Sequence[Law]) -> float:
    """tau of ln B, times the mean B: 0 where the nets differ by no more than their errors."""
    logs = np.log([law.b for law in laws])
    weight = np.array([(law.b / law.standard_error) ** 2 for law in laws])
    mean = (weight * logs).sum() / weight.sum()
    q = (weight * (logs - mean) ** 2).sum()
    scale = weight.sum() - (weight**2).sum() / weight.sum()
    return float(math.exp(mean) * math.sqrt(max(0.0, (q - (len(logs) - 1)) / scale)))


def _around(slope, start: float) -> tuple[float, float]:  # type: ignore[no-untyped-def]
    """Where the slope of the likelihood changes its sign."""
    low = high = start
    while slope(low) < 0 and low > SMALLEST:
        low = max(low / 1.2, SMALLEST)
    while slope(high) > 0 and high < LARGEST:
        high = min(high * 1.2, LARGEST)
    return low, high


def _end(drop, b: float, way: int) -> float:  # type: ignore[no-untyped-def]
    outer = b
    while SMALLEST < outer < LARGEST:
        inner, outer = outer, outer * (1.05 if way > 0 else 1 / 1.05)
        if drop(outer) > 0:
            return float(brentq(drop, min(inner, outer), max(inner, outer), xtol=1e-5))
    return math.inf if way > 0 else 0.0
