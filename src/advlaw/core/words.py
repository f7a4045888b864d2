"""Numbers of a table's rows as words: the same in figures, pages and claims."""

import math

from advlaw.core.io import Cells


def interval(row: Cells, name: str = "exponent") -> str:
    """`1.09 [1.01, 1.17]` of a column and its ends, `too few` where it is missing; ∞ is an upper end not found."""
    value, low, high = (row[f"{name}{end}"] for end in ("", "_low", "_high"))
    if math.isnan(value):
        return "too few"
    if math.isnan(low):
        return f"{value:.2f}"
    return f"{value:.2f} [{low:.2f}, {'∞' if math.isnan(high) else f'{high:.2f}'}]"


def law(row: Cells) -> str:
    """`1.04 [0.76, 1.37]`, the exponent as eps -> 0 of a row of laws/exponents, or `no law: too few errors`."""
    return f"no law: {row['remark'].replace('eps', 'ε')}" if row["remark"] else interval(row)
