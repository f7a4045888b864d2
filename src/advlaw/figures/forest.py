"""All exponents of a study as eps -> 0 at a glance: a forest plot, a row for each curve, sets of nets below."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, NullLocator

from advlaw.core.io import Cells
from advlaw.core.tables import Tables, chosen, records
from advlaw.core.words import interval
from advlaw.figures.figure import Drawing, Figure
from advlaw.figures.population import KINDS
from advlaw.figures.style import COLOURS, TEXT_WIDTH_INCHES
from advlaw.papers.names import ATTACK_NAMES
from advlaw.papers.ranges import PAPER_RANGES, POPULATION_RANGES

ROW, AROUND = 0.152, 0.75  # inches: of a line, and above and below all of them
LEFT, RIGHT = 0.25, 8.0  # what lies beyond is an arrow
TICKS = (0.25, 0.5, 1, 2, 4, 8)
ENOUGH = 200  # errors: of fewer no claim holds
WIDEST = 0.1  # the share of the images right when clean up to which sets of nets are shown
BAND, QUIET = "#DDDDDD", "#777777"
NUMBERS, ERRORS = 8, 122  # where the columns on the right begin and end, in points from the axes


@dataclass(frozen=True)
class Line:
    """A curve, or a set of nets together, with its row of a table of laws; without one, the heading of a group."""

    name: str
    row: Cells | None = None
    colour: str = ""
    paper: tuple[float, float] | None = None
    is_pooled: bool = False


def draw_forest(tables: Tables) -> Iterator[Drawing]:
    lines = [*_of_curves(tables.rows("laws/exponents")), *_of_sets(tables.rows("laws/pooled"))]
    sheet, ax = plt.subplots(figsize=(TEXT_WIDTH_INCHES, AROUND + ROW * len(lines)))
    draw_lines(ax, lines)
    handles = (
        Line2D([], [], color=QUIET, marker="o", label="exponent with its 95 % interval"),
        Line2D([], [], color=QUIET, marker="o", markerfacecolor="white", label=f"of fewer than {ENOUGH} errors"),
        Patch(color=BAND, label="the paper's range"),
    )
    sheet.legend(handles=handles, loc="outside lower center", ncols=3)
    yield Drawing(sheet)


def _of_curves(laws: pd.DataFrame) -> Iterator[Line]:
    """Curves by what the attack knows and the net was fitted to; in a group those with a range of the paper first."""
    fitted = chosen(laws, labels="original")
    families = {
        "attacks that know the label: images broken": chosen(fitted, kind="gross"),
        "attacks that do not: images broken less those repaired": chosen(fitted, kind="net"),
        "nets fitted to shuffled labels, on their training images": chosen(laws, labels="shuffled"),
    }
    for (heading, curves), colour in zip(families.items(), COLOURS, strict=False):
        if not curves.empty:
            yield Line(heading)
        for row in sorted(records(curves), key=lambda row: _place(row["attack"])):
            yield Line(row["curve"], row, colour, PAPER_RANGES.get(row["attack"]))


def _place(attack: str) -> int:
    return [*PAPER_RANGES, attack].index(attack)


def _of_sets(pooled: pd.DataFrame) -> Iterator[Line]:
    """Sets of nets together, under every attack: all, and those of one kind."""
    rows = pooled if pooled.empty else chosen(pooled, share=WIDEST)
    if not rows.empty:
        yield Line("sets of nets, with one exponent for all")
    for row in records(rows):
        kind = KINDS[row["nets"]][0] if row["nets"] in KINDS else "nets"
        name = f"{row['set']}: {row['n_nets']} {kind}, {ATTACK_NAMES.get(row['attack'], row['attack'])}"
        yield Line(name, {**row, "remark": ""}, COLOURS[-1], POPULATION_RANGES.get(row["attack"]), True)


def draw_lines(ax: Axes, lines: list[Line]) -> None:
    """From top to bottom, on a logarithmic axis of exponents; numbers to the right."""
    ax.set(xscale="log", xlim=(LEFT, RIGHT), ylim=(len(lines) - 0.4, -0.9), xlabel="exponent B as ε → 0")
    ax.xaxis.set(major_locator=FixedLocator(TICKS), minor_locator=NullLocator(), major_formatter="{x:g}")
    ax.set_yticks([y for y, line in enumerate(lines) if line.row], [line.name for line in lines if line.row])
    ax.tick_params("y", length=0)
    ax.spines["left"].set_visible(False)
    ax.grid(visible=False, axis="y")
    ax.axvline(1.0, color=QUIET, linewidth=0.6)
    _write(ax, -0.9, "B [95 %]", "errors")
    for y, line in enumerate(lines):
        if line.row is None:
            behind = {"facecolor": "white", "edgecolor": "none", "pad": 0.4}
            ax.text(LEFT, y + 0.1, line.name, fontweight="bold", fontsize=7, va="center_baseline", bbox=behind)
            continue
        if line.paper:
            ax.fill_between(line.paper, y - 0.5, y + 0.5, color=BAND, linewidth=0, zorder=0)
        draw_interval(ax, y, line, line.row)
        n_errors = "" if math.isnan(line.row["n_errors"]) else f"{line.row['n_errors']:,.0f}"
        _write(ax, y, line.row["remark"].replace("eps", "ε") or interval(line.row), n_errors, not line.row["remark"])


def _write(ax: Axes, y: float, number: str, n_errors: str, is_law: bool = True) -> None:
    """A line of the columns on the right."""
    place: dict[str, Any] = {"xy": (1.0, y), "xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
    place |= {"va": "center_baseline", "fontsize": 7}
    ax.annotate(number, xytext=(NUMBERS, 0), color="black" if is_law else QUIET, **place)
    ax.annotate(n_errors, xytext=(ERRORS, 0), ha="right", **place)


def draw_interval(ax: Axes, y: int, line: Line, row: Cells) -> None:
    """A point and its interval, with an arrow where they go on beyond the axis, or no end was found."""
    value, low, high = (row[f"exponent{end}"] for end in ("", "_low", "_high"))
    if math.isnan(value) or row["remark"]:
        return
    high = math.inf if math.isnan(high) else high
    look: dict[str, Any] = {"color": line.colour, "clip_on": False, "linewidth": 1.0}
    if low < RIGHT and high > LEFT:
        ax.plot([max(low, LEFT), min(high, RIGHT)], [y, y], **look)
    for is_beyond, edge, arrow in ((low < LEFT, LEFT, "<"), (high > RIGHT, RIGHT, ">")):
        if is_beyond:
            ax.plot(edge, y, arrow, markersize=4, **look)
    if LEFT <= value <= RIGHT:
        face = line.colour if row["n_errors"] >= ENOUGH else "white"
        marker, size = ("D", 4) if line.is_pooled else ("o", 3.5)
        ax.plot(value, y, marker, markersize=size, markerfacecolor=face, **look)


FIGURES = (
    Figure(
        "forest_exponents",
        "overview",
        "All exponents of the adversarial error as ε → 0",
        "Cubuk Sec. 1 and 2 report exponents of 0.9 to 1.3 under FGSM, L2 and PGD for all nets and data sets, of 0.9 "
        "to 1.2 under FGSM for sampled nets, and of 1.8 to 2.5 under step l.l.",
        ("laws/exponents",),
        draw_forest,
        (
            "Each row shows one curve, named by its sweep and its attack. The exponent is the log-log slope of the "
            "error as ε → 0. An arrow marks an interval that continues beyond the axis or has no known end. Where "
            "errors follow no power law, or are too few, the row gives the reason. The vertical line marks 1, the "
            "exponent that theory predicts for attacks that know the label.",
        ),
        is_main=True,
    ),
)
