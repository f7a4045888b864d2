"""How much of a difference between two nets is their trainings' chance: nets that differ in their seed alone tell.

An interval over images says how sure the difference of two given nets is. Another training of the same net gives
another accuracy, so two nets that are trained alike may differ by more than that interval.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t


@dataclass(frozen=True)
class Spread:
    """A standard deviation with its degrees of freedom, estimated on `n_nets` nets."""

    sd: float
    df: float
    n_nets: int


def pooled(groups: Iterable[Sequence[float]]) -> Spread | None:
    """The standard deviation within groups of replicates, each around its own mean; None without two of one group."""
    replicated = [np.asarray(group, dtype=float) for group in groups if len(group) > 1]
    df = sum(len(group) - 1 for group in replicated)
    if df == 0:
        return None
    squares = sum(float(((group - group.mean()) ** 2).sum()) for group in replicated)
    return Spread(math.sqrt(squares / df), df, sum(map(len, replicated)))


def of_difference(first: Spread, second: Spread) -> Spread:
    """The spread of the difference of two nets that are trained apart, each with the spread of its kind.

    Of one kind (the same estimate) sqrt(2) s, with its degrees of freedom; of two kinds sqrt(s1^2 + s2^2), with those
    of Welch and Satterthwaite.
    """
    if first is second:
        return Spread(math.sqrt(2.0) * first.sd, first.df, first.n_nets)
    squares = first.sd**2, second.sd**2
    total, weighed = sum(squares), squares[0] ** 2 / first.df + squares[1] ** 2 / second.df
    df = total**2 / weighed if weighed > 0 else first.df + second.df
    return Spread(math.sqrt(total), df, first.n_nets + second.n_nets)


def half_width(spread: Spread, confidence: float) -> float:
    """That of Student's interval around one draw with this spread."""
    return float(t.ppf(0.5 + confidence / 2, spread.df)) * spread.sd


def widened(value: float, low: float, high: float, half: float) -> tuple[float, float]:
    """The ends of a difference's interval [low, high], with another half-width added in squares on either side.

    Wider than it need be: replicates also differ in which images they get wrong, which the first interval counts too.
    """
    return max(-1.0, value - math.hypot(value - low, half)), min(1.0, value + math.hypot(high - value, half))
