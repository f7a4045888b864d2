"""Intervals of proportions, and of their differences and ratios."""

import math

import numpy as np
from scipy.stats import binomtest, norm


def wilson(successes: int, n: int, confidence: float) -> tuple[float, float]:
    """Wilson's interval of a proportion."""
    interval = binomtest(successes, n).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)


def paired_difference(first: np.ndarray, second: np.ndarray, confidence: float) -> tuple[float, float, float]:
    """mean(first) - mean(second) of outcomes (N,) bool on the same images, with its interval.

    Agresti and Min (2005): the normal interval after half an observation is added to each cell of the 2x2 table.
    """
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    n = len(first) + 2.0
    b, c = only_first + 0.5, only_second + 0.5
    centre = (b - c) / n
    spread = norm.ppf(0.5 + 0.5 * confidence) * np.sqrt((b + c) - (b - c) ** 2 / n) / n
    estimate = (only_first - only_second) / len(first)
    return estimate, max(-1.0, float(centre - spread)), min(1.0, float(centre + spread))


def paired_ratio(first: np.ndarray, second: np.ndarray, confidence: float) -> tuple[float, float, float]:
    """mean(first) / mean(second) of outcomes (N,) bool on the same images, with its interval; NaN if second is 0.

    Bonett and Price (2006), recommended by Fagerland, Lydersen and Laake (2014): a ratio of the ends of two Wilson
    intervals, of the images that are in either, whose level is chosen so that the ratio has the wanted one. The delta
    method's variance of the logarithm sets it, with one observation added to each cell where outcomes differ.
    """
    n_first, n_second = int(first.sum()), int(second.sum())
    if n_second == 0:
        return math.nan, math.nan, math.nan
    n_either, n_unlike = int((first | second).sum()), int((first ^ second).sum())
    of_ratio = math.sqrt((n_unlike + 2) / ((n_first + 1) * (n_second + 1)))
    of_each = sum(math.sqrt((1 - (n + 1) / (n_either + 2)) / (n + 1)) for n in (n_first, n_second))
    z = float(norm.ppf(0.5 + 0.5 * confidence)) * of_ratio / of_each
    (low_first, high_first), (low_second, high_second) = (_wilson_at(n, n_either, z) for n in (n_first, n_second))
    return n_first / n_second, low_first / high_second, high_first / low_second


def _wilson_at(successes: int, n: int, z: float) -> tuple[float, float]:
    """Wilson's interval of a proportion, z standard deviations to either side."""
    centre, spread = 2 * successes + z**2, z * math.sqrt(z**2 + 4 * successes * (1 - successes / n))
    return max(0.0, (centre - spread) / (2 * (n + z**2))), (centre + spread) / (2 * (n + z**2))
