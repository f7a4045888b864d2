"""Intervals of proportions and of their differences."""

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
