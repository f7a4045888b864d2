"""Markdown tables and what stands in their cells."""

from collections.abc import Iterable

from advlaw.core.io import Row


def table(columns: list[str], rows: Iterable[list[str]]) -> str:
    """A markdown table; a column whose name ends in `:` is aligned to the right."""
    heads = [column.removesuffix(":") for column in columns]
    rules = ["---:" if column.endswith(":") else "---" for column in columns]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, rules, *rows))


def interval(row: Row, name: str = "exponent") -> str:
    """`1.09 [1.01, 1.17]` of a column and its ends, `too few` where it is empty."""
    if not row[name]:
        return "too few"
    if not row[f"{name}_low"]:
        return f"{float(row[name]):.2f}"
    return f"{float(row[name]):.2f} [{float(row[f'{name}_low']):.2f}, {float(row[f'{name}_high']):.2f}]"
