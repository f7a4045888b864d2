"""Numbers as cells of tables."""

import math

from advlaw.core.io import Cells


def number(value: float, form: str, missing: str = "–") -> str:
    return missing if math.isnan(value) else format(value, form)


def percent(share: float) -> str:
    return f"{100 * share:.1f} %" if 100 * share < 9.95 else f"{100 * share:.0f} %"


def points(row: Cells, name: str) -> str:
    """A difference of shares with its interval, in percentage points: `+1.2 [-0.3, +2.7]`."""
    value, low, high = (100 * row[f"{name}{end}"] for end in ("", "_low", "_high"))
    return f"{value:+.1f} [{low:+.1f}, {high:+.1f}]"
