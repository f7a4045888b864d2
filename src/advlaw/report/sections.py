"""What a study's report shows in each chapter: figures as they stand in FIGURES, tables as in TABLES."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from markupsafe import Markup

from advlaw.core.tables import Tables
from advlaw.figures.registry import FIGURES, figure_of
from advlaw.papers.chapters import CHAPTERS
from advlaw.report.pictures import Picture, picture
from advlaw.report.registry import TABLES
from advlaw.report.render import html
from advlaw.report.table import Table

WIDE = 400.0  # in 1/72 inch: half a page of a paper is 243


class ShownFigure(NamedTuple):
    chapter: str
    key: str  # its id in the page
    picture: Picture
    title: str  # also what a screen reader says
    paper: str = ""
    seen: str = ""

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
    table: Table
    html: Markup


class Section(NamedTuple):
    key: str
    title: str
    lead: str
    figures: list[ShownFigure]
    tables: list[ShownTable]


def sections(study: str, tables: Tables, drawn: Mapping[str, str], only_main: bool) -> list[Section]:
    """The chapters that have something to show; `drawn` are SVG texts by name. With `only_main`, the papers' figures
    and the tables that are shown unfolded, for a page about several studies."""
    figures = list(_figures(study, tables, drawn, only_main))
    grids = {table: table.shown(tables) for table in TABLES if table.is_open or not only_main}
    shown = [ShownTable(f"{study}-table-{t.name}", t, html(grid, t.title)) for t, grid in grids.items() if grid]
    made = [
        Section(
            *(f"{study}-{key}", title, lead),
            [figure for figure in figures if figure.chapter == key],
            [each for each in shown if each.table.chapter == key],
        )
        for key, (title, lead) in CHAPTERS.items()
    ]
    return [section for section in made if section.figures or section.tables]


def _figures(study: str, tables: Tables, drawn: Mapping[str, str], only_main: bool) -> Iterator[ShownFigure]:
    of = {name: figure_of(name) for name in sorted(drawn)}
    for figure in FIGURES:
        for name in (name for name in of if of[name] is figure):
            if not only_main or (figure.is_main and name == figure.file_name(figure.typical)):
                words, image = figure.caption(name, tables), picture(name, drawn[name])
                yield ShownFigure(figure.chapter, f"{study}-{name}", image, words.title, words.paper, words.seen)
    for name in (name for name in of if of[name] is None and not only_main):
        yield ShownFigure("others", f"{study}-{name}", picture(name, drawn[name]), name.replace("_", " "))
