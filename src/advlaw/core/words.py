"""Numbers of a table's rows as words: the same in figures, pages and claims."""

import math

from advlaw.core.io import Cells


def interval(row: Cells, name: str = "exponent") -> str:
    """`1.09 [1.01, 1.17]` of a column and its ends, `too few` where it is missing."""
    value, low, high = (row[f"{name}{end}"] for end in ("", "_low", "_high"))
    if math.isnan(value):
        return "too few"
    return f"{value:.2f}" if math.isnan(low) else f"{value:.2f} [{low:.2f}, {high:.2f}]"
