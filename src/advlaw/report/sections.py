"""What a study's report shows in each chapter: figures as they stand in FIGURES, tables as in TABLES.

The first chapter, `overview`, has the forest plot of exponents and the study's main figure.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from markupsafe import Markup

from advlaw.core.tables import Tables
from advlaw.figures.registry import FIGURES, figure_of
from advlaw.papers.chapters import CHAPTERS
from advlaw.report.pictures import Picture, picture
from advlaw.report.registry import TABLES
from advlaw.report.render import Grid, html
from advlaw.report.table import Table

OVERVIEW = "overview"
LEADS = ("figure_2c", "figure_11", "own")  # the main figure is the first of these that was drawn
WIDE = 400.0  # in 1/72 inch: half a page of a paper is 243


class ShownFigure(NamedTuple):
    chapter: str
    key: str  # its id in the page
    picture: Picture
    title: str  # also what a screen reader says
    paper: str = ""
    seen: str = ""
    is_open: bool = False  # or folded

    @property
    def is_wide(self) -> bool:
        """Several panels side by side: it takes the width of the page."""
        return self.picture.width > WIDE

    @property
    def is_tall(self) -> bool:
        """Many lines below one another: it takes the height that they need."""
        return self.picture.height > 0.8 * self.picture.width


class ShownTable(NamedTuple):
    key: str
    title: str
    chapter: str
    n_rows: int
    html: Markup


class Section(NamedTuple):
    key: str
    title: str
    lead: str
    figures: list[ShownFigure]
    folded: list[ShownFigure]
    tables: list[ShownTable]

    @property
    def is_overview(self) -> bool:
        return self.key.endswith(f"-{OVERVIEW}")


def sections(study: str, tables: Tables, drawn: Mapping[str, str], only_main: bool) -> list[Section]:
    """The chapters that have something to show; `drawn` are SVG texts by name. With `only_main`, the main figures and
    tables alone, for a page about several studies; there all are folded but those of the overview."""
    figures = list(_figures(study, tables, drawn, only_main))
    grids = {table: table.shown(tables) for table in TABLES if table.is_main or not only_main}
    shown = [_table(study, table, grid) for table, grid in grids.items() if grid]
    made = []
    for key, (title, lead) in CHAPTERS.items():
        own = [figure for figure in figures if figure.chapter == key]
        first = [figure for figure in own if figure.is_open and (key == OVERVIEW or not only_main)]
        folded = [figure for figure in own if figure not in first]
        made.append(Section(f"{study}-{key}", title, lead, first, folded, [one for one in shown if one.chapter == key]))
    return [section for section in made if section.figures or section.folded or section.tables]


def _table(study: str, table: Table, grid: Grid) -> ShownTable:
    key = f"{study}-table-{table.name}"
    return ShownTable(key, table.title, table.chapter, len(grid.rows), html(grid, table.title))


def _figures(study: str, tables: Tables, drawn: Mapping[str, str], only_main: bool) -> Iterator[ShownFigure]:
    of = {name: figure_of(name) for name in sorted(drawn)}
    lead = next((name for name in LEADS if name in drawn), "")
    for figure in sorted(FIGURES, key=lambda figure: figure.chapter != OVERVIEW):
        for name in (name for name in of if of[name] is figure):
            is_main = figure.is_main and name == figure.file_name(figure.typical)
            if is_main or not only_main:
                words, image = figure.caption(name, tables), picture(name, drawn[name])
                chapter, is_open = (OVERVIEW, True) if name == lead else (figure.chapter, is_main)
                said = (words.title, words.paper, words.seen)
                yield ShownFigure(chapter, f"{study}-{name}", image, *said, is_open)
    for name in (name for name in of if of[name] is None and not only_main):
        yield ShownFigure("others", f"{study}-{name}", picture(name, drawn[name]), name.replace("_", " "))
