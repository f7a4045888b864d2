"""The running median: windows and order statistics by hand."""

import math

import numpy as np
import pytest

from advlaw.fitting.running import running_median


def test_windows_are_of_equal_counts_along_x():
    """Seven points in three windows, y = 10 x: of three points, then two and two."""
    x = np.array([7.0, 1.0, 3.0, 2.0, 6.0, 5.0, 4.0])
    rows = running_median(x, 10 * x, 3, 0.95)
    assert [(row["x"], row["n"], row["median"]) for row in rows] == [(2.0, 3, 20.0), (4.5, 2, 45.0), (6.5, 2, 65.0)]
    assert all(math.isnan(row[end]) for row in rows for end in ("low", "high"))


@pytest.mark.parametrize(("n", "k"), [(6, 1), (8, 1), (9, 2), (24, 7), (100, 40)])
def test_the_interval_is_of_order_statistics(n, k):
    """Those of the sign test at 95 %, as tables have them: the k-th least and the k-th largest."""
    y = np.random.default_rng(n).permutation(n) + 1.0
    (row,) = running_median(np.zeros(n), y, 1, 0.95)
    assert (row["median"], row["low"], row["high"]) == ((n + 1) / 2, k, n + 1 - k)


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="x and y have 2 and 1 points: must be as many"):
        running_median([1.0, 2.0], [1.0], 1, 0.95)
    for windows in (0, 3):
        with pytest.raises(ValueError, match=f"windows = {windows}: must be from 1 to the number of points, 2"):
            running_median([1.0, 2.0], [1.0, 2.0], windows, 0.95)
