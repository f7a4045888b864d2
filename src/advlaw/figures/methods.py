"""The one-step methods of Kurakin App. A side by side: accuracy of one net against eps (as its Fig. 3), plain training.

Solid lines and markers are top-1 accuracy, dotted ones top-5. Methods that know the label are on the left, those
that do not on the right.
"""

from collections.abc import Iterator

import pandas as pd
from matplotlib.axes import Axes

from advlaw.core.tables import Tables, chosen, groups
from advlaw.figures.figure import Drawing, Figure
from advlaw.figures.style import ATTACK_NAMES, EPS, legend_below, looks, panels

SMALLEST_SHOWN = 0.1
METHODS = tuple("fgsm l2 fast_linf fgsm_predicted fast_entropy step_ll step_rnd random_sign truncated_normal".split())


def draw_methods(tables: Tables) -> Iterator[Drawing]:
    """The first sweep that has every method."""
    plain = chosen(tables.rows("error_curves"), attack=METHODS, clip=False, snapshot=None)
    for _, rows in groups(plain, "sweep"):
        if rows["attack"].nunique() == len(METHODS):
            knows = rows["target"] == "true_label"
            sheet, axes = panels(2, 3.8, sharey=True)
            draw_accuracies(axes[0][0], rows[knows])
            draw_accuracies(axes[0][1], rows[~knows])
            dataset, model = rows.iloc[0][["dataset", "model"]]
            axes[0][0].set_title(f"{dataset}, {model}: methods that know the label")
            axes[0][0].set_ylabel("accuracy (solid: top 1, dotted: top 5)")
            axes[0][1].set_title("methods that do not")
            yield Drawing(sheet)
            return


def draw_accuracies(ax: Axes, rows: pd.DataFrame) -> None:
    """Top-1 and top-5 accuracy against eps on a logarithmic axis."""
    curves = dict(groups(rows, "attack"))
    names = [name for name in METHODS if name in curves]
    for name, (colour, marker) in zip(names, looks(len(names)), strict=False):
        eps, top1, top5 = curves[name][["grid_eps", "accuracy", "top5_accuracy"]].to_numpy().T
        ax.plot(eps, top1, f"{marker}-", color=colour, markerfacecolor="none", label=ATTACK_NAMES[name])
        ax.plot(eps, top5, ":", color=colour)
    ax.set(xscale="log", xlabel=EPS, xlim=(SMALLEST_SHOWN, None), ylim=(-0.02, 1.02))
    legend_below(ax, n_columns=2)


FIGURES = (
    Figure(
        "one_step_methods",
        "curves",
        "Accuracy of one net against ε under all one-step methods, top 1 and top 5",
        ("error_curves",),
        draw_methods,
        "Left: methods that use the true label. Right: methods that do not, and noise. Dotted: top 5.",
        "Kurakin's appendix compares such methods on ImageNet; Cubuk takes FGSM, L2 and step l.l.",
    ),
)
