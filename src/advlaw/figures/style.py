"""How figures look: the journal's text width, colours that the colour-blind can tell apart, stable bytes."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

mpl.use("agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Sheet

from advlaw.core.io import replacing
from advlaw.figures.figure import Drawing
from advlaw.papers import names

TEXT_WIDTH_INCHES = 6.75
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
RC: Any = {
    **dict.fromkeys(("font.size", "axes.labelsize", "axes.titlesize"), 8),
    **dict.fromkeys(("legend.fontsize", "xtick.labelsize", "ytick.labelsize"), 7),
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


def in_panels(
    panels: Mapping[str, Callable[[Axes], None]],
    height: float,
    y_label: str,
    in_a_row: int = 99,
    width: float = 0.5,
    of: str = "",
    in_a_legend: int = 4,
    **shared: Any,
) -> Iterator[Drawing]:
    """Panels by their titles, each of this height in inches and share of the text's width; nothing where there is none.

    The first panel's legend is all panels', below them, where it draws none itself; `in_a_legend`: entries beside one
    another. `shared` are the panels' axes.
    """
    if not panels:
        return
    n_columns = min(len(panels), in_a_row)
    n_rows = -(-len(panels) // n_columns)
    size = (TEXT_WIDTH_INCHES * max(0.5, min(1.0, width * n_columns)), height * n_rows)
    sheet, axes = plt.subplots(n_rows, n_columns, figsize=size, squeeze=False, **shared)
    for ax, (title, draw) in zip(axes.flat, panels.items(), strict=False):
        ax.set_title(title)
        draw(ax)
    for ax in axes[:, 0]:
        ax.set_ylabel(y_label)
    for ax in axes.flat[len(panels) :]:
        ax.set_visible(False)
    handles, labels = axes[0][0].get_legend_handles_labels()
    if handles and not axes[0][0].get_legend():
        sheet.legend(handles, labels, loc="outside lower center", ncols=in_a_legend)
    yield Drawing(sheet, of)


def looks(n_curves: int) -> Iterator[tuple[str, str]]:
    """Colours and markers without end; of more curves than colours no pair repeats before 42."""
    colours = COLOURS[:-1] if n_curves > len(COLOURS) else COLOURS
    return zip(itertools.cycle(colours), itertools.cycle(MARKERS), strict=False)


def legend_below(ax: Axes, n_columns: int = 1) -> None:
    """The legend under the axes, where it hides no curve."""
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), handletextpad=0.3, borderaxespad=0.1, ncols=n_columns)


def save(sheet: Sheet, path: Path) -> None:
    """Write PATH.svg and PATH.png, byte for byte the same for the same figure; a panel of nothing says so."""
    for ax in sheet.axes:
        if ax.get_visible() and _is_empty(ax):
            _say_that_it_is_empty(ax)
    sheet.draw_without_rendering()  # lays the figure out, which takes as long as drawing it: once for both files
    sheet.set_layout_engine("none")
    with replacing(path.with_name(f"{path.name}.svg")) as temporary:  # `savefig` would lay it out again
        FigureCanvasSVG(_for_printing(sheet)).print_svg(temporary, metadata={"Date": None})
    with replacing(path.with_name(f"{path.name}.png")) as temporary:
        FigureCanvasAgg(_for_printing(sheet)).print_png(temporary, metadata={"Software": None})
    plt.close(sheet)


def _for_printing(sheet: Sheet) -> Sheet:
    sheet.set_dpi(200)
    return sheet


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
