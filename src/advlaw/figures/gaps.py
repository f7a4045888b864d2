"""Why nets fitted to shuffled labels have other exponents (Cubuk Fig. 2b): how many images are close to a decision.

P(Delta_12 <= d) against d over its median, for each state of such a net on its training images, and for the nets
fitted to the true labels of the same data, undefended, on test images. A slope of 1 is a positive density at zero.
"""

import itertools
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from advlaw.core.io import Row
from advlaw.figures.error_curves import state_label
from advlaw.figures.style import COLOURS, MARKERS, RC, TEXT_WIDTH_INCHES, legend_below, save_figure

NAME = "figure_2b_gaps"


def draw_gaps(points: list[Row], folder: Path) -> list[str]:
    """Draw NAME.svg and .png where a net was fitted to shuffled labels; the numbers are logit_gap_distribution.csv."""
    fitted = [row for row in points if row["labels"] == "shuffled" and row["split"] == "train"]
    shuffled = list(dict.fromkeys(row["model"] for row in fitted))
    if not shuffled:
        return []
    with plt.rc_context(RC):
        size = (TEXT_WIDTH_INCHES * min(1.0, 0.5 * len(shuffled)), 3.8)
        figure, axes = plt.subplots(1, len(shuffled), figsize=size, sharey=True, squeeze=False)
        for ax, model in zip(axes[0], shuffled, strict=True):
            own = [row for row in fitted if row["model"] == model]
            same_data = [row for row in points if all(row[key] == own[0][key] for key in ("dataset", "arch"))]
            wanted = {"labels": "original", "split": "test", "snapshot": "", "defence": ""}
            ordinary = [row for row in same_data if wanted.items() <= row.items()]
            draw_gap_distributions(ax, {**_curves(own), **_curves(ordinary)})
            ax.set_title(f"{model}: distance to a decision")
        axes[0][0].set_ylabel("share of images right when clean")
        save_figure(figure, folder, NAME)
    return [NAME]


def _curves(rows: list[Row]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """label -> gaps over their median and shares, of every net and state."""
    curves = {}
    for _, group in itertools.groupby(rows, key=lambda row: (row["model"], row["snapshot"])):
        points = list(group)
        gap, share = (np.array([float(row[name]) for row in points]) for name in ("gap", "share"))
        label = state_label(points[0]) if points[0]["labels"] == "shuffled" else f"true labels ({points[0]['model']})"
        curves[label] = (gap / np.interp(0.5, share, gap), share)
    return curves


def draw_gap_distributions(ax: Axes, curves: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Cumulative distributions on log-log axes, with a guide of slope 1."""
    for (label, (gap, share)), colour, marker in zip(
        curves.items(), itertools.cycle(COLOURS), itertools.cycle(MARKERS), strict=False
    ):
        ax.plot(gap, share, marker, linestyle="-", color=colour, markerfacecolor="none", label=label)
    left, bottom = (min(float(values.min()) for values in columns) for columns in zip(*curves.values(), strict=True))
    guide = np.array([left, 0.3])
    ax.plot(guide, guide * 0.5, color="#777777", linestyle=":", label="slope 1: a positive density at zero")
    ax.set(xscale="log", yscale="log", xlim=(left / 1.5, 5), ylim=(bottom / 1.5, 1.5), xlabel="Δ₁₂ over its median")
    legend_below(ax)
