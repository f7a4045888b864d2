"""Why nets fitted to shuffled labels have other exponents (Cubuk Fig. 2b): how many images are close to a decision.

P(Delta_12 <= d) against d over its median, for each state of such a net on its training images, and for the nets
fitted to the true labels of the same data, undefended, on test images. A slope of 1 is a positive density at zero.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from advlaw.core.tables import Tables, chosen, groups, records
from advlaw.figures.error_curves import ORDINARY, state_label
from advlaw.figures.figure import Drawing, Figure
from advlaw.figures.style import legend_below, looks, panels


def draw_gaps(tables: Tables) -> Iterator[Drawing]:
    """A panel for every net that was fitted to shuffled labels."""
    points = tables.rows("logit_gap_distribution")
    shuffled = list(groups(chosen(points, labels="shuffled", split="train"), "model"))
    if not shuffled:
        return
    sheet, axes = panels(len(shuffled), 3.8, sharey=True)
    for ax, (model, own) in zip(axes[0], shuffled, strict=True):
        same_data = {name: own.iloc[0][name] for name in ("dataset", "arch")}
        ordinary = chosen(points, split="test", **same_data, **ORDINARY)
        draw_gap_distributions(ax, _curves(own) | _curves(ordinary))
        ax.set_title(f"{model}: distance to a decision")
    axes[0][0].set_ylabel("share of images right when clean")
    yield Drawing(sheet)


def _curves(rows: pd.DataFrame) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """label -> gaps over their median and shares, of every net and state."""
    curves = {}
    for (model, _), points in groups(rows, "model", "snapshot"):
        gap, share = points[["gap", "share"]].to_numpy().T
        first = records(points.head(1))[0]
        label = state_label(first) if first["labels"] == "shuffled" else f"true labels ({model})"
        curves[label] = (gap / np.interp(0.5, share, gap), share)
    return curves


def draw_gap_distributions(ax: Axes, curves: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Cumulative distributions on log-log axes, with a guide of slope 1."""
    for (label, (gap, share)), (colour, marker) in zip(curves.items(), looks(len(curves)), strict=False):
        ax.plot(gap, share, marker, linestyle="-", color=colour, markerfacecolor="none", label=label)
    left, bottom = (min(float(values.min()) for values in columns) for columns in zip(*curves.values(), strict=True))
    guide = np.array([left, 0.3])
    ax.plot(guide, guide * 0.5, color="#777777", linestyle=":", label="slope 1: a positive density at zero")
    ax.set(xscale="log", yscale="log", xlim=(left / 1.5, 5), ylim=(bottom / 1.5, 1.5), xlabel="Δ₁₂ over its median")
    legend_below(ax)


FIGURES = (
    Figure(
        "figure_2b_gaps",
        "shuffled",
        "Share of images whose gap Δ₁₂ is below a multiple of its median, for shuffled and for true labels",
        ("logit_gap_distribution",),
        draw_gaps,
        "A curve parallel to the dotted line has a positive density of gaps at zero, and the error then begins linearly "
        "in ε; a steeper one has pushed its training images away from ties.",
        "No figure of the papers: it asks why Fig. 2b comes out as it does.",
    ),
)
