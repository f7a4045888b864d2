"""A table as Markdown and as HTML, from cells that are neither."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup


class Right(str):
    """The head of a column that is aligned to the right, as numbers are."""

    __slots__ = ()


@dataclass(frozen=True)
class Marked:
    """Text that is set as code or strongly, or links to `target`."""

    text: str
    how: Literal["code", "strong", "link"]
    target: str = ""


Cell = str | Marked | tuple[str | Marked, ...]


@dataclass(frozen=True)
class Grid:
    """The heads of the columns, and a row for each line; the first column names the rows."""

    heads: Sequence[str]
    rows: Sequence[Sequence[Cell]]


BREAKS = re.compile(r" (?=[^\[\]]*\])")  # the spaces within brackets
MARKDOWN = {"code": "`{0.text}`", "strong": "**{0.text}**", "link": "[{0.text}]({0.target})"}
HTML = {
    "code": Markup("<code>{0.text}</code>"),
    "strong": Markup("<strong>{0.text}</strong>"),
    "link": Markup('<a href="{0.target}">{0.text}</a>'),
}


def markdown(grid: Grid) -> str:
    rules = ["---:" if isinstance(head, Right) else "---" for head in grid.heads]
    lines = (grid.heads, rules, *grid.rows)
    return "\n".join(f"| {' | '.join(map(_in_markdown, line))} |" for line in lines)


def html(grid: Grid, caption: str) -> Markup:
    classes = [Markup(' class="r"' if isinstance(head, Right) else "") for head in grid.heads]
    head = Markup("").join(map(Markup('<th scope="col"{}>{}</th>').format, classes, grid.heads))
    body = Markup("").join(_row(classes, row) for row in grid.rows)
    return Markup("<table><caption>{}</caption><thead><tr>{}</tr></thead><tbody>{}</tbody></table>").format(
        caption, head, body
    )


def _row(classes: Sequence[Markup], row: Sequence[Cell]) -> Markup:
    first, *others = zip(classes, map(_in_html, row), strict=True)
    cells = Markup("").join(Markup("<td{}>{}</td>").format(*cell) for cell in others)
    return Markup('<tr><th scope="row"{}>{}</th>{}</tr>\n').format(*first, cells)


def _in_markdown(cell: Cell) -> str:
    """A bar in a cell would end it."""
    texts = (piece if isinstance(piece, str) else MARKDOWN[piece.how].format(piece) for piece in _pieces(cell))
    return "".join(texts).replace("|", r"\|")


def _in_html(cell: Cell) -> Markup:
    """An interval is not broken into two lines."""
    texts = (piece if isinstance(piece, str) else HTML[piece.how].format(piece) for piece in _pieces(cell))
    return Markup(BREAKS.sub("\u00a0", Markup("").join(texts)))


def _pieces(cell: Cell) -> tuple[str | Marked, ...]:
    return cell if isinstance(cell, tuple) else (cell,)
