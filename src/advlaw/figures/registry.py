"""Every figure of the modules beside this one, found by itself: a new one is an object in the FIGURES of a module."""

import pkgutil
import re
from collections.abc import Sequence
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path

import matplotlib.pyplot as plt

from advlaw.core.tables import Tables, framed, write_frame
from advlaw.figures.figure import CHAPTERS, Figure
from advlaw.figures.style import RC, save_figure


def collected(package: str) -> tuple[Figure, ...]:
    """The figures of a package's modules: those of the papers by their numbers, then the others by their modules.

    Raises ValueError for two of one name, a chapter that the report has not, and a figure that needs no table.
    """
    found: dict[str, Figure] = {}
    for module in sorted(module.name for module in pkgutil.iter_modules(import_module(package).__path__)):
        figures = (
            () if f"{package}.{module}" == __name__ else getattr(import_module(f"{package}.{module}"), "FIGURES", ())
        )
        for figure in figures:
            where = f"{package}.{module}: figure {figure.name}"
            if figure.name in found:
                raise ValueError(f"{where}: there is another of this name")
            if figure.chapter not in CHAPTERS:
                raise ValueError(f"{where}: chapter = {figure.chapter!r}: must be one of {', '.join(CHAPTERS)}")
            if not figure.needs:
                raise ValueError(f"{where}: needs = (): name the tables that it is drawn from")
            found[figure.name] = figure
    return tuple(sorted(found.values(), key=_place))


def _place(figure: Figure) -> tuple[bool, int, str]:
    """`figure_2b` is (False, 2, "b"); what is no paper's figure comes last, in the order in which it was found."""
    numbered = re.fullmatch(r"figure_(\d+)([a-z]?)", figure.name)
    return (False, int(numbered[1]), numbered[2]) if numbered else (True, 0, "")


FIGURES = collected("advlaw.figures")


def figure_of(file_name: str) -> Figure | None:
    """The figure that a file, without its ending, is of; of several whose names it begins with the longest."""
    known = [figure for figure in FIGURES if f"{file_name}_".startswith(f"{figure.name}_")]
    return max(known, key=lambda figure: len(figure.name), default=None)


def draw_all(tables: Tables, compared: Sequence[str], folder: Path) -> list[str]:
    """Draw every figure that has rows in the tables it needs: .svg, .png, and .csv where it has numbers; their names.

    `compared`, the nets of `theory.compared`, is a table like others: `compared` with the column `net`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    given = Tables({**tables.frames, "compared": framed([{"net": net} for net in compared], ["net"])})
    filled = [name for name, frame in given.frames.items() if not frame.empty]
    drawn = []
    with plt.rc_context(RC):
        for figure in FIGURES:
            if all(any(fnmatch(name, need) for name in filled) for need in figure.needs):
                for drawing in figure.draw(given):
                    drawn.append(figure.file(drawing.of))
                    save_figure(drawing.sheet, folder, drawn[-1])
                    if drawing.numbers is not None:
                        write_frame(folder / f"{drawn[-1]}.csv", drawing.numbers)
    return drawn
