"""A table of a study: at its marker in README.md and docs/, and in a chapter of the study's report."""

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import partial

from advlaw.core.tables import Tables
from advlaw.papers.chapters import CHAPTERS
from advlaw.report.render import Grid


@dataclass(frozen=True)
class Table:
    """What `make` makes of a study's tables is shown in pages at `<!-- NAME STUDY -->`, and in the study's report.

    The report shows it, folded, if the study has rows in all tables that it `needs` (`*` stands for any set of nets).
    With `is_main` it is on the page about all studies as well. Raises ValueError for an unknown chapter.
    """

    name: str
    chapter: str
    title: str
    needs: tuple[str, ...]
    is_main: bool
    make: Callable[[Tables], Grid]

    def __post_init__(self) -> None:
        if self.chapter not in CHAPTERS:
            raise ValueError(f"table {self.name}: chapter = {self.chapter!r}: must be one of {', '.join(CHAPTERS)}")

    def shown(self, tables: Tables) -> Grid | None:
        """None if the study has nothing for it."""
        filled = [name for name, frame in tables.frames.items() if not frame.empty]
        if not all(any(fnmatch(name, need) for name in filled) for need in self.needs):
            return None
        grid = self.make(tables)
        return grid if grid.rows else None


def table(
    name: str, chapter: str, title: str, needs: tuple[str, ...], is_main: bool = False
) -> Callable[[Callable[[Tables], Grid]], Table]:
    """Turns the function below it into a `Table`, which the registry finds."""
    return partial(Table, name, chapter, title, needs, is_main)
