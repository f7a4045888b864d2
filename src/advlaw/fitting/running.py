"""A running median: the line through a cloud of nets, without a law for its shape (Cubuk Fig. 9 has running means)."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import quantile_test

from advlaw.core.io import Cells


def running_median(
    x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray, windows: int, confidence: float
) -> list[Cells]:
    """A row for each of so many windows along x, disjoint and of equal counts but for one: x, n, median, low, high.

    x is the median of its own; low and high are the order statistics of y that hold its median with no less than the
    confidence, NaN where too few points have any (five or fewer at 95 %). Points of one x keep their order. Raises
    ValueError for x and y of unlike lengths, and for windows outside 1 … the number of points.
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if len(x) != len(y):
        raise ValueError(f"x and y have {len(x)} and {len(y)} points: must be as many")
    if not 1 <= windows <= len(x):
        raise ValueError(f"windows = {windows}: must be from 1 to the number of points, {len(x)}")
    return [_row(x[inside], y[inside], confidence) for inside in np.array_split(np.argsort(x, kind="stable"), windows)]


def _row(x: np.ndarray, y: np.ndarray, confidence: float) -> Cells:
    low, high = quantile_test(y, p=0.5).confidence_interval(confidence)
    row: Cells = {"x": float(np.median(x)), "n": len(x), "median": float(np.median(y))}
    return row | {"low": float(low), "high": float(high)}
