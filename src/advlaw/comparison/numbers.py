"""When two numbers agree: each lies in the other's interval, but for rounding. See docs/compare.md."""

import math

from advlaw.claims.finding import NORMAL, Estimate, proportion
from advlaw.comparison.sizes import Sizes
from advlaw.comparison.tables import Row, Table

ROUNDING = 1e-5  # relative: what sums of float32 differ by from CPU to CPU


def agree(old: Estimate, new: Estimate) -> bool:
    """Whether each value lies in the other's interval."""
    slack = ROUNDING * max(abs(old.value), abs(new.value))
    old_is_in = new.low - slack <= old.value <= new.high + slack
    return old_is_in and old.low - slack <= new.value <= old.high + slack


def relative(old: Estimate, new: Estimate) -> float:
    """How far two numbers are apart, over the larger one."""
    scale = max(abs(old.value), abs(new.value))
    return abs(new.value - old.value) / scale if scale > 0 else 0.0


def written(estimate: Estimate) -> str:
    """`1.265 [0.9433, 1.799]`, with nothing for an open end."""
    if math.isnan(estimate.value):
        return "none"
    if not estimate.is_complete:
        return f"{estimate.value:.4g}"
    low, high = ("" if math.isinf(end) else f"{end:.4g}" for end in (estimate.low, estimate.high))
    return f"{estimate.value:.4g} [{low}, {high}]"


def estimate(table: Table, column: str, row: Row, sizes: Sizes) -> Estimate | None:
    """A cell with its interval, ends NaN where it has none; None where it is a word.

    The interval is that of the table's columns (an end alone leaves the other open), else Wilson's of a share. That of
    a share is to neither side narrower than Wilson's of a share of 0, z^2 / (n + z^2), about four images: no bootstrap
    sample of no error has an error, and Wilson's interval of one image in n leaves 0 out.
    """
    ends = [row[end] for end in table.ends(column, row)]
    if not all(_is_number(cell) for cell in (row[column], *ends)):
        return None
    value, low, high = (_number(cell) for cell in (row[column], *(ends or ("", ""))))
    n_images = sizes.images(row, table.shares[column]) if column in table.shares else math.nan
    if n_images > 0 and not math.isnan(value):
        if math.isnan(low) and math.isnan(high):
            found = proportion(min(abs(value), 1.0), int(n_images))
            low, high = found.low, found.high
        least = NORMAL**2 / (n_images + NORMAL**2)
        low, high = min(low, value - least), max(high, value + least)
        return Estimate(value, low if column.startswith("net_") else max(low, 0.0), min(high, 1.0))
    if (math.isnan(low) and math.isnan(high)) or low == high:  # an interval of no width is none: a fit's slope, say
        return Estimate(value)
    low, high = (-math.inf if math.isnan(low) else low), (math.inf if math.isnan(high) else high)
    return Estimate(value, min(low, value), max(high, value))  # a bootstrap's interval may leave its estimate out


def _is_number(cell: str) -> bool:
    try:
        float(cell or "nan")
    except ValueError:
        return False
    return True


def _number(cell: str) -> float:
    return float(cell or "nan")
