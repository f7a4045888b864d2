"""A figure as one object: what it is called, what the paper shows, which tables it needs, how it is drawn, what is seen."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import matplotlib.figure
import pandas as pd

from advlaw.core.tables import Tables

CHAPTERS = ("curves", "shuffled", "theory", "blind", "defences", "population", "variants")  # of a study's report


@dataclass(frozen=True)
class Caption:
    """`title` is also what a screen reader says of the figure; `paper` is what the paper shows in it."""

    title: str
    paper: str
    seen: str


@dataclass(frozen=True)
class Drawing:
    """What is drawn once: for a net or a set `of`, where a figure exists for each; `numbers` are those plotted."""

    sheet: matplotlib.figure.Figure
    of: str = ""
    numbers: pd.DataFrame | None = None


@dataclass(frozen=True)
class Figure:
    """A figure with its files NAME.svg and NAME.png, or NAME_X where it exists for several nets or sets X.

    No number is written in `seen`: it is read from a table of the study, or the words are true of every study.
    """

    name: str
    chapter: str
    title: str
    needs: tuple[str, ...]  # tables, * for any name: it is left out where one has no rows
    draw: Callable[[Tables], Iterable[Drawing]]
    seen: str | Callable[[Tables, str], str]  # words, or how they follow from tables and from what it is drawn of
    paper: str = "No figure of the papers."
    is_main: bool = False  # on the page about all studies
    typical: str = ""  # the one net or set that it is shown of there

    def file(self, of: str) -> str:
        return f"{self.name}_{of}" if of else self.name

    def is_main_file(self, file_name: str) -> bool:
        """Whether this file of it is on the page about all studies."""
        return self.is_main and file_name == self.file(self.typical)

    def caption(self, file_name: str, tables: Tables) -> Caption:
        """The words under one of its files."""
        of = file_name.removeprefix(self.name).removeprefix("_")
        seen = self.seen if isinstance(self.seen, str) else self.seen(tables, of)
        return Caption(f"{self.title}: {of}" if of else self.title, self.paper, seen)


def listed(lead: str, found: Iterable[str]) -> str:
    """`Lead: one; another.`, or nothing where nothing was found."""
    shown = list(dict.fromkeys(found))
    return f"{lead}: {'; '.join(shown)}." if shown else ""


def joined(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)
