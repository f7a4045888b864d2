"""The one-step methods of Kurakin App. A side by side: accuracy of one net against eps (as its Fig. 3), plain training.

Solid lines and markers are top-1 accuracy, dotted ones top-5. Methods that know the label are on the left, those
that do not on the right.
"""

from collections.abc import Iterator
from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from advlaw.core.tables import Tables, chosen, groups
from advlaw.figures.figure import Drawing, Figure
from advlaw.figures.style import ATTACK_NAMES, EPS, in_panels, legend_below, looks

SMALLEST_SHOWN = 0.1
KNOWING = ("fgsm", "l2", "fast_linf")
BLIND = ("fgsm_predicted", "fast_entropy", "step_ll", "step_rnd", "random_sign", "truncated_normal")
METHODS = KNOWING + BLIND


def draw_methods(tables: Tables) -> Iterator[Drawing]:
    """The first sweep that has every method."""
    plain = chosen(tables.rows("error_curves"), attack=METHODS, clip=False, snapshot=None)
    complete = [rows for _, rows in groups(plain, "sweep") if rows["attack"].nunique() == len(METHODS)]
    for rows in complete[:1]:
        dataset, model = rows.iloc[0][["dataset", "model"]]
        panels = {
            f"{dataset}, {model}: methods that know the label": partial(draw_accuracies, rows=rows, methods=KNOWING),
            "methods that do not": partial(draw_accuracies, rows=rows, methods=BLIND),
        }
        yield from in_panels(panels, 3.8, "accuracy (solid: top 1, dotted: top 5)", sharey=True)


def draw_accuracies(ax: Axes, rows: pd.DataFrame, methods: tuple[str, ...]) -> None:
    """Top-1 and top-5 accuracy against eps on a logarithmic axis."""
    for name, (colour, marker) in zip(methods, looks(len(methods)), strict=False):
        eps, top1, top5 = chosen(rows, attack=name)[["grid_eps", "accuracy", "top5_accuracy"]].to_numpy().T
        ax.plot(eps, top1, f"{marker}-", color=colour, markerfacecolor="none", label=ATTACK_NAMES[name])
        ax.plot(eps, top5, ":", color=colour)
    ax.set(xscale="log", xlabel=EPS, xlim=(SMALLEST_SHOWN, None), ylim=(-0.02, 1.02))
    legend_below(ax, n_columns=2)


FIGURES = (
    Figure(
        "one_step_methods",
        "curves",
        "Accuracy of one net against ε under all one-step methods, top 1 and top 5",
        "Kurakin's appendix compares these methods on ImageNet; Cubuk uses FGSM, L2 and step l.l.",
        ("error_curves",),
        draw_methods,
        (
            "The left panel shows methods that use the true label, the right one those that do not, and noise. "
            "Dotted lines show top-5 accuracy.",
        ),
    ),
)
