"""How figures look: the journal's text width, colours that the colour-blind can tell apart, stable bytes."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

mpl.use("agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from advlaw.core.io import replacing
from advlaw.papers import names

TEXT_WIDTH_INCHES = 6.75
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
RC: Any = {
    "font.size": 8,
    "axes.labelsize": 8,
    "axes.titlesize": 8,
    "legend.fontsize": 7,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E5E5E5",
    "grid.linewidth": 0.5,
    "axes.axisbelow": True,
    "lines.markersize": 3.2,
    "lines.linewidth": 1.2,
    "legend.framealpha": 0.8,
    "legend.edgecolor": "none",
    "legend.fancybox": False,
    "figure.constrained_layout.use": True,
    "svg.hashsalt": "advlaw",
    "svg.fonttype": "none",
}


# L2 is drawn on the shared axis of root-mean-square perturbations
ATTACK_NAMES = {**names.ATTACK_NAMES, "l2": f"{names.ATTACK_NAMES['l2']} (ε = ‖·‖₂ / √D)"}
EPS = "ε (pixel units, 0–255)"


def panels(
    n_panels: int, height: float, in_a_row: int | None = None, width: float = 0.5, **shared: Any
) -> tuple[Figure, np.ndarray]:
    """Axes (rows, columns), each of this height in inches and share of the text's width; those left over are hidden."""
    n_columns = min(n_panels, in_a_row or n_panels)
    n_rows = -(-n_panels // n_columns)
    size = (TEXT_WIDTH_INCHES * max(0.5, min(1.0, width * n_columns)), height * n_rows)
    figure, axes = plt.subplots(n_rows, n_columns, figsize=size, squeeze=False, **shared)
    for ax in axes.flat[n_panels:]:
        ax.set_visible(False)
    return figure, axes


def looks(n_curves: int) -> Iterator[tuple[str, str]]:
    """Colours and markers without end; of more curves than colours no pair repeats before 42."""
    colours = COLOURS[:-1] if n_curves > len(COLOURS) else COLOURS
    return zip(itertools.cycle(colours), itertools.cycle(MARKERS), strict=False)


def legend_below(ax: Axes, n_columns: int = 1) -> None:
    """The legend under the axes, where it hides no curve."""
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), handletextpad=0.3, borderaxespad=0.1, ncols=n_columns)


def save_figure(figure: Figure, folder: Path, name: str) -> None:
    """Write NAME.svg and NAME.png, byte for byte the same for the same figure; a panel of nothing says so."""
    for ax in figure.axes:
        if ax.get_visible() and _is_empty(ax):
            _say_that_it_is_empty(ax)
    figure.draw_without_rendering()  # lays the figure out, which takes as long as drawing it: once for both files
    figure.set_layout_engine("none")
    for kind, metadata in (("svg", {"Date": None}), ("png", {"Software": None})):
        with replacing(folder / f"{name}.{kind}") as temporary:
            figure.savefig(temporary, format=kind, dpi=200, metadata=metadata)
    plt.close(figure)


def _is_empty(ax: Axes) -> bool:
    """Whether nothing is drawn, or on a logarithmic axis nothing above zero."""
    limits = ax.dataLim
    if not np.isfinite(limits.get_points()).all():
        return True
    smallest = ((ax.get_xscale(), limits.minposx), (ax.get_yscale(), limits.minposy))
    return any(scale == "log" and not np.isfinite(positive) for scale, positive in smallest)


def _say_that_it_is_empty(ax: Axes) -> None:
    """Nothing flips, or everything does before the first eps: there is no logarithm to draw, and no silent blank."""
    ax.xaxis.set_visible(False)
    ax.yaxis.set_visible(False)
    if len(ax.get_shared_x_axes().get_siblings(ax)) == 1:  # else the panels that share it keep their scale
        ax.set_xscale("linear")
    if len(ax.get_shared_y_axes().get_siblings(ax)) == 1:
        ax.set_yscale("linear")
    ax.text(0.5, 0.5, "nothing to show:\nno point in range", ha="center", va="center", transform=ax.transAxes)
