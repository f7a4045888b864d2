"""The one-step methods of Kurakin App. A side by side: accuracy of one net against eps (as its Fig. 3), plain training.

Solid lines and markers are top-1 accuracy, dotted ones top-5. Methods that know the label are on the left, those
that do not on the right.
"""

import itertools
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from advlaw.core.io import Row
from advlaw.figures.style import ATTACK_NAMES, COLOURS, MARKERS, RC, TEXT_WIDTH_INCHES, legend_below, save_figure

NAME = "one_step_methods"
SMALLEST_SHOWN = 0.1
METHODS = (
    "fgsm",
    "l2",
    "fast_linf",
    "fgsm_predicted",
    "fast_entropy",
    "step_ll",
    "step_rnd",
    "random_sign",
    "truncated_normal",
)


def draw_methods(points: list[Row], folder: Path) -> list[str]:
    """Draw NAME.svg and .png of the first sweep that has every method; its numbers are in error_curves.csv."""
    sweeps: dict[str, dict[str, list[Row]]] = {}
    for row in points:
        if row["attack"] in METHODS and row["clip"] == "false" and not row["snapshot"]:
            sweeps.setdefault(row["sweep"], {}).setdefault(row["attack"], []).append(row)
    complete = [curves for curves in sweeps.values() if curves.keys() == set(METHODS)]
    if not complete:
        return []
    curves = complete[0]
    knowing = {name: rows for name, rows in curves.items() if rows[0]["target"] == "true_label"}
    blind = {name: rows for name, rows in curves.items() if name not in knowing}
    with plt.rc_context(RC):
        figure, axes = plt.subplots(1, 2, figsize=(TEXT_WIDTH_INCHES, 3.8), sharey=True)
        draw_accuracies(axes[0], knowing)
        draw_accuracies(axes[1], blind)
        net = curves["fgsm"][0]
        axes[0].set(
            title=f"{net['dataset']}, {net['model']}: methods that know the label",
            ylabel="accuracy (solid: top 1, dotted: top 5)",
        )
        axes[1].set_title("methods that do not")
        save_figure(figure, folder, NAME)
    return [NAME]


def draw_accuracies(ax: Axes, curves: dict[str, list[Row]]) -> None:
    """Top-1 and top-5 accuracy against eps on a logarithmic axis."""
    names = [name for name in METHODS if name in curves]
    for name, colour, marker in zip(names, itertools.cycle(COLOURS), itertools.cycle(MARKERS), strict=False):
        eps, top1, top5 = (
            np.array([float(row[column]) for row in curves[name]])
            for column in ("grid_eps", "accuracy", "top5_accuracy")
        )
        ax.plot(eps, top1, f"{marker}-", color=colour, markerfacecolor="none", label=ATTACK_NAMES[name])
        ax.plot(eps, top5, ":", color=colour)
    ax.set(xscale="log", xlabel="ε (pixel units, 0–255)", xlim=(SMALLEST_SHOWN, None), ylim=(-0.02, 1.02))
    legend_below(ax, n_columns=2)
