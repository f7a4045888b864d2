"""All figures: a new one is an object in FIGURES of a module beside this one, and that is all."""

import pkgutil
import re
from collections.abc import Sequence
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path

import matplotlib.pyplot as plt
from joblib import Parallel, delayed

from advlaw.core.tables import Tables, framed, write_frame
from advlaw.figures.figure import Figure
from advlaw.figures.style import RC, save


def collected(package: str) -> tuple[Figure, ...]:
    """The figures of a package's modules: those of the papers by their numbers, then the others by their modules."""
    found: dict[str, Figure] = {}
    modules = [f"{package}.{module.name}" for module in pkgutil.iter_modules(import_module(package).__path__)]
    for module in sorted(set(modules) - {__name__}):
        for figure in getattr(import_module(module), "FIGURES", ()):
            if figure.name in found:
                raise ValueError(f"{module}: figure {figure.name}: there is another of this name")
            found[figure.name] = figure
    return tuple(sorted(found.values(), key=_place))


def _place(figure: Figure) -> tuple[float, str]:
    """`figure_2b` is (2, "b"); what is no paper's figure comes last."""
    numbered = re.fullmatch(r"figure_(\d+)([a-z]?)", figure.name)
    return (int(numbered[1]), numbered[2]) if numbered else (float("inf"), "")


FIGURES = collected("advlaw.figures")


def figure_of(file_name: str) -> Figure | None:
    """The figure with the longest name that a file's begins with."""
    known = [figure for figure in FIGURES if f"{file_name}_".startswith(f"{figure.name}_")]
    return max(known, key=lambda figure: len(figure.name), default=None)


def draw_all(tables: Tables, compared: Sequence[str], folder: Path, processes: int = 1) -> list[str]:
    """Draw every figure that has rows in the tables it needs: .svg, .png, and .csv where it has numbers; their names.

    `compared`, the nets of `theory.compared`, is one more table, with the column `net`. `processes` share the figures.
    """
    folder.mkdir(parents=True, exist_ok=True)
    given = Tables({**tables.frames, "compared": framed([{"net": net} for net in compared], ["net"])})
    filled = [name for name, frame in given.frames.items() if not frame.empty]
    wanted = [figure for figure in FIGURES if all(any(fnmatch(name, need) for name in filled) for need in figure.needs)]
    in_processes = Parallel(processes, "multiprocessing", batch_size=1)  # forked: they need not import anything anew
    drawn = in_processes(delayed(_draw)(figure.name, given, folder) for figure in wanted)
    return [name for names in drawn for name in names]


def _draw(name: str, tables: Tables, folder: Path) -> list[str]:
    """Draw what the figure of this name, which workers know it by, has in these tables."""
    (figure,) = (figure for figure in FIGURES if figure.name == name)
    drawn = []
    with plt.rc_context(RC):
        for drawing in figure.draw(tables):
            drawn.append(figure.file_name(drawing.of))
            save(drawing.sheet, folder / drawn[-1])
            if drawing.numbers is not None:
                write_frame(folder / f"{drawn[-1]}.csv", drawing.numbers)
    return drawn
