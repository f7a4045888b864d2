"""Cubuk Fig. 9: adversarial accuracy of the nets that a search trained, against their size and their clean accuracy."""

from collections.abc import Iterator
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import SubFigure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from matplotlib.ticker import EngFormatter

from advlaw.core.tables import Tables, chosen, groups, records
from advlaw.core.words import interval
from advlaw.figures.figure import Drawing, Figure, listed
from advlaw.figures.search import ARMS
from advlaw.figures.style import TEXT_WIDTH_INCHES

CLEAN, ADVERSARIAL = "clean_accuracy", "adversarial_accuracy"
LABELS = {"n_parameters": "trainable parameters", CLEAN: "clean accuracy"}
MANY = 2000  # children of an arm; more are counted in hexagons, each arm in panels of its own
HEXAGONS = 40  # across a panel
BINS = 30
OUTLINED = [withStroke(linewidth=3.0, foreground="white")]


class Row(NamedTuple):
    """A row of panels: the children of a search, of both arms or of one."""

    search: str
    children: pd.DataFrame
    are_many: bool


def _rows(tables: Tables) -> Iterator[Row]:
    """Of every search that rewards adversarial accuracy; children whose training diverged are left out."""
    wanted = tuple(tables.rows("search/settings", rewarded_by="adversarial")["search"])
    children = tables.rows("search/children", search=wanted, diverged=False)
    for search, rows in groups(children, "search"):
        arms = [own for own in (chosen(rows, arm=arm) for arm in ARMS) if len(own)]
        if max(map(len, arms)) > MANY:
            yield from (Row(search, own, True) for own in arms)
        else:
            yield Row(search, pd.concat(arms), False)


def draw_children(tables: Tables) -> Iterator[Drawing]:
    """A row of three panels for each search."""
    rows = list(_rows(tables))
    if not rows:
        return
    sheet = plt.figure(figsize=(TEXT_WIDTH_INCHES, 2.7 * len(rows)))
    for part, row in zip(sheet.subfigures(len(rows), 1, squeeze=False).flat, rows, strict=True):
        _draw_row(part, row, tables)
    shown = dict.fromkeys(arm for row in rows for arm in row.children["arm"].unique())
    names = [_dot(ARMS[arm][1], ARMS[arm][0]) for arm in ARMS if arm in shown]
    running = tables.rows("search/running")
    if not running.empty and any(len(line) > 1 for _, line in groups(running, "search", "arm", "other")):
        names.append(Line2D([], [], color="black", label="running median, its 95 % interval shaded"))
    sheet.legend(handles=names, loc="outside lower center", ncols=3)
    yield Drawing(sheet)


def _draw_row(part: SubFigure, row: Row, tables: Tables) -> None:
    by_size, by_clean, histogram = part.subplots(1, 3)
    counts = (f"{ARMS[arm][0]} {len(own):,}" for arm, own in groups(row.children, "arm"))
    part.suptitle(f"search {row.search}: {', '.join(counts)} children", fontsize=8)
    for ax, other in ((by_size, "n_parameters"), (by_clean, CLEAN)):
        for arm, own in groups(row.children, "arm"):
            _draw_points(ax, own[other], own[ADVERSARIAL], ARMS[arm][1], row.are_many)
            running = tables.rows("search/running", search=row.search, arm=arm, other=other)
            ax.fill_between(running["x"], running["low"], running["high"], color=ARMS[arm][1], alpha=0.25, linewidth=0)
            ax.plot(running["x"], running["median"], color=ARMS[arm][1], linewidth=1.5, path_effects=OUTLINED)
        _say_correlations(ax, row, tables, other)
        ax.set(xlabel=LABELS[other])
    by_size.set_ylabel("adversarial accuracy")
    by_size.xaxis.set_major_formatter(EngFormatter(sep=""))
    by_size.xaxis.get_major_locator().set_params(nbins=5)
    by_clean.sharey(by_size)
    _draw_histogram(histogram, row, tables)


def _draw_points(ax: Axes, x: pd.Series, y: pd.Series, colour: str, are_many: bool) -> None:
    """A dot for each child, or hexagons that are darker where there are more, by the logarithm of their number."""
    if are_many:
        shades = LinearSegmentedColormap.from_list("shades", ["#EEEEEE", colour])
        ax.hexbin(x, y, gridsize=HEXAGONS, bins="log", mincnt=1, cmap=shades, linewidths=0, rasterized=True)
    else:
        ax.plot(x, y, "o", color=colour, markersize=2.5, markeredgewidth=0, alpha=0.5)


def _say_correlations(ax: Axes, row: Row, tables: Tables, other: str) -> None:
    """Above the panel, Spearman's correlation in each arm."""
    said = []
    for arm in dict.fromkeys(row.children["arm"]):
        for found in records(tables.rows("search/correlations", search=row.search, arm=arm, other=other, given="")):
            said.append(_dot(ARMS[arm][1], f"ρ = {_rho(found)}"))
    _above(ax, said)


def _dot(colour: str, label: str) -> Line2D:
    return Line2D([], [], color=colour, marker="o", linestyle="", markeredgewidth=0, label=label)


def _rho(found: dict[str, float]) -> str:
    return interval({"rho": found["rho"], "rho_low": found["low"], "rho_high": found["high"]}, "rho")


def _above(ax: Axes, said: list[Line2D] | list[Patch]) -> None:
    """A legend above the panel, where it hides no child."""
    ax.legend(
        handles=said, loc="lower left", bbox_to_anchor=(-0.05, 1.0), handletextpad=0.2, handlelength=0.7, borderpad=0.1
    )


def _draw_histogram(ax: Axes, row: Row, tables: Tables) -> None:
    """Children with a good clean accuracy: the paper's 85 % and more where every arm has such, else the upper half.

    No panel where there are too few children for that.
    """
    spread = tables.rows("search/spread", search=row.search, arm=tuple(row.children["arm"].unique()))
    if spread.empty:
        ax.set_visible(False)
        return
    shared = spread.groupby("clean_from")["arm"].nunique()
    of_all = shared.index[shared == row.children["arm"].nunique()]
    cut = of_all[0] if len(of_all) else None
    values, colours, said = [], [], []
    for arm, found in groups(spread, "arm"):
        last = records(found)[-1] if cut is None else records(chosen(found, clean_from=cut))[0]
        good = chosen(row.children, arm=arm)
        values.append(good[ADVERSARIAL][good[CLEAN] >= last["clean_from"]])
        colours.append(ARMS[arm][1])
        sd, low, high = (100 * last[name] for name in ("sd", "sd_low", "sd_high"))
        said.append(
            Patch(color=ARMS[arm][1], label=f"clean ≥ {last['clean_from']:.3g}: sd {sd:.1f} [{low:.1f}, {high:.1f}] %")
        )
    bins = max(6, min(BINS, round(2 * np.sqrt(max(map(len, values))))))
    ax.hist(values, bins=bins, color=colours)
    ax.set(xlabel="adversarial accuracy", ylabel="children")
    _above(ax, said)


def _given_clean(tables: Tables, of: str) -> str:
    """What is left of the correlation with size among children of equal clean accuracy, in the random arm."""
    rows = tables.rows("search/correlations", arm="random", other="n_parameters", given=CLEAN)
    wanted = [row.search for row in _rows(tables)]
    found = (f"{row['search']} {_rho(row)}" for row in records(rows) if row["search"] in wanted)
    return listed("Rank correlation with parameters given clean accuracy, in random search", found)


def _seeds(tables: Tables, of: str) -> str:
    """How much of the spread of random search's good children is none of the cells'."""
    rows = tables.rows("search/spread", arm="random")
    wanted = [row.search for row in _rows(tables)]
    found = (
        f"{row['search']} {100 * row['sd']:.1f}, without the seeds' part {100 * row['sd_cell']:.1f} (clean accuracy "
        f"from {row['clean_from']:.1%}, {row['n']:g} children, range {100 * (row['largest'] - row['least']):.1f})"
        for row in records(rows)
        if row["search"] in wanted
    )
    return listed("Standard deviation of adversarial accuracy in random search, in points", found)


FIGURES = (
    Figure(
        "search_children",
        "search",
        "Adversarial accuracy of the children of a search, against their parameters and their clean accuracy",
        "Cubuk Fig. 9: it goes strongly with clean accuracy and not very strongly with the number of parameters; "
        "children with more than 85 % clean accuracy differ in it by 22 % (standard deviation 2.6 %).",
        ("search/children", "search/correlations", "search/running", "search/settings"),
        draw_children,
        (
            "Children of a controller are no sample, as it draws what was rewarded: look at random search first. Lines "
            "are running medians with 95 % intervals.",
            _given_clean,
            _seeds,
        ),
    ),
)
