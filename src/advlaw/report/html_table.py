"""The markdown tables of the README as HTML, so that pages and report show the same cells."""

import re

from markupsafe import Markup, escape

CODE = re.compile(r"`([^`]+)`")
BOLD = re.compile(r"\*\*([^*]+)\*\*")


def html_table(markdown: str, caption: str) -> Markup:
    """A table made by `advlaw.report.cells.table`, with a caption; its first column names the rows.

    Raises ValueError where the text is no such table.
    """
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    if len(lines) < 2:
        raise ValueError(f"table {caption!r}: must be a markdown table with a head and a rule, found {markdown[:80]!r}")
    heads, rules, *rows = (_cells(line) for line in lines)
    classes = ["r" if rule.endswith(":") else "" for rule in rules]
    head = Markup("").join(
        Markup('<th scope="col"{}>{}</th>').format(_class(name), _inline(cell))
        for cell, name in zip(heads, classes, strict=True)
    )
    body = Markup("").join(_row(cells, classes) for cells in rows)
    return Markup("<table><caption>{}</caption><thead><tr>{}</tr></thead><tbody>{}</tbody></table>").format(
        caption, head, body
    )


def n_rows(markdown: str) -> int:
    """The number of rows under a markdown table's head."""
    return max(0, sum(line.startswith("|") for line in markdown.splitlines()) - 2)


def _row(cells: list[str], classes: list[str]) -> Markup:
    first, *others = (
        Markup("{}>{}").format(_class(name), _inline(cell)) for cell, name in zip(cells, classes, strict=True)
    )
    return Markup('<tr><th scope="row"{}</th>{}</tr>\n').format(
        first, Markup("").join(Markup("<td{}</td>").format(cell) for cell in others)
    )


def _class(name: str) -> Markup:
    return Markup(' class="{}"').format(name) if name else Markup("")


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]


def _inline(cell: str) -> Markup:
    """Code and bold, the only markdown in our cells."""
    return Markup(BOLD.sub(r"<strong>\1</strong>", CODE.sub(r"<code>\1</code>", str(escape(cell)))))
