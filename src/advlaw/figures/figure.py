"""A figure as one object: its name, what the paper shows, which tables it needs, how it is drawn and what is seen."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure as Sheet

from advlaw.core.tables import Tables
from advlaw.papers.chapters import CHAPTERS

OURS = "No figure of the papers."
Sentence = str | Callable[[Tables, str], str]  # words, or how they follow from tables and from what a file is drawn of


@dataclass(frozen=True)
class Caption:
    """`title` is also what a screen reader says of the figure."""

    title: str
    paper: str
    seen: str


@dataclass(frozen=True)
class Drawing:
    """What is drawn into one file: all of a figure, or what it shows `of` one net or set; `numbers` are the plotted."""

    sheet: Sheet
    of: str = ""
    numbers: pd.DataFrame | None = None


@dataclass(frozen=True)
class Figure:
    """What a figure is. Its files begin with its name, and end with the net or set if there is one for each.

    No number is written in `seen`: it is read from a table of the study, or the words are true of every study.
    """

    name: str
    chapter: str
    title: str
    paper: str
    needs: tuple[str, ...]  # tables, * for any name: the figure is left out where one has no rows
    draw: Callable[[Tables], Iterable[Drawing]]
    seen: tuple[Sentence, ...]
    is_main: bool = False  # on the page about all studies
    typical: str = ""  # the net or set that it is shown of there

    def __post_init__(self) -> None:
        if self.chapter not in CHAPTERS:
            raise ValueError(f"figure {self.name}: chapter = {self.chapter!r}: must be one of {', '.join(CHAPTERS)}")
        if not self.needs:
            raise ValueError(f"figure {self.name}: needs = (): name the tables that it is drawn from")

    def file_name(self, of: str) -> str:
        return f"{self.name}_{of}" if of else self.name

    def caption(self, file_name: str, tables: Tables) -> Caption:
        of = file_name.removeprefix(self.name).removeprefix("_")
        seen = (sentence if isinstance(sentence, str) else sentence(tables, of) for sentence in self.seen)
        return Caption(f"{self.title}: {of}" if of else self.title, self.paper, " ".join(filter(None, seen)))


def listed(lead: str, found: Iterable[str]) -> str:
    """`Lead: one; another.`, or nothing where nothing was found."""
    shown = list(dict.fromkeys(found))
    return f"{lead}: {'; '.join(shown)}." if shown else ""
