"""Cubuk Fig. 5 and 12: adversarial accuracy against eps with and without the entropy penalty and adversarial training.

Thick lines are the attack of the paper, thin ones what controls say of the same nets: the worst case over all attacks,
the same attack by the naive float32 gradient, and PGD images transferred from another net.
"""

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from advlaw.core.io import Row
from advlaw.figures.style import ATTACK_NAMES, COLOURS, RC, TEXT_WIDTH_INCHES, columns, grouped, save_figure

BLUE, RED, GREEN, PURPLE, ORANGE = COLOURS[:5]
SMALLEST_SHOWN = 0.1
PAPER_EPOCHS = {"wide_resnet": 100}  # Cubuk Fig. 12
STYLES: dict[str, tuple[Any, str]] = {  # of a control, by how its name begins
    "worst case": ("--", "worst case over all attacks"),
    "one_step.step_ll_naive": (":", "step l.l. by the naive gradient"),
    "transferred:iterative": ("-.", "PGD transferred from another net"),
}
FIGURES = {  # name -> panels of (title, architecture, attack)
    "figure_5": (("(a) CNN", "cnn", "step_ll"), ("(b) FC", "fc", "step_ll"), ("(c) FC", "fc", "pgd")),
    "figure_12": (("Wide ResNet", "wide_resnet", "step_ll"),),
}


def draw_defences(points: list[Row], controls: list[Row], models: list[Row], folder: Path) -> list[str]:
    """Draw the figures that have a defended net: `points` are of error_curves.csv, `controls` of worst_case/."""
    drawn = []
    for name, panels in FIGURES.items():
        found = {}
        for title, arch, attack in panels:
            curves = _curves(points, arch, attack)
            if len(curves) > 1:
                found[title, attack] = curves
        if found:
            _draw(name, found, controls, models, folder)
            drawn.append(name)
    return drawn


def _curves(points: list[Row], arch: str, attack: str) -> dict[str, list[Row]]:
    """The curves of every net of an architecture on the data set that has a defended one: model -> points."""
    rows = [row for row in points if (row["arch"], row["attack"]) == (arch, attack) and not row["snapshot"]]
    defended = {row["dataset"] for row in rows if row["defence"]}
    return grouped([row for row in rows if row["dataset"] in defended and row["labels"] == "original"], "model")


def look_of(defence: str) -> tuple[str, str]:
    """Colour and name: as in the paper purple for none, red for the entropy penalty, green for adversarial training,
    blue for both; orange for training on PGD."""
    attack = defence.removesuffix("entropy").removesuffix(" + ")
    has_penalty = defence.endswith("entropy")
    if not attack:
        return (RED, "entropy penalty") if has_penalty else (PURPLE, "regular")
    if attack.startswith("pgd"):
        return ORANGE, "PGD training"
    return (BLUE, "step l.l. training and penalty") if has_penalty else (GREEN, "step l.l. training")


def _draw(
    name: str,
    panels: dict[tuple[str, str], dict[str, list[Row]]],
    controls: list[Row],
    models: list[Row],
    folder: Path,
) -> None:
    n_columns = len(panels)
    with plt.rc_context(RC):
        size = (TEXT_WIDTH_INCHES * max(0.5, min(1.0, 0.42 * n_columns)), 3.4)
        figure, axes = plt.subplots(1, n_columns, figsize=size, sharey=True, squeeze=False)
        legend: dict[str, Line2D] = {}
        for ax, ((title, attack), curves) in zip(axes[0], panels.items(), strict=True):
            legend |= draw_accuracies(ax, curves, controls)
            dataset = next(iter(curves.values()))[0]["dataset"]
            shown = [row for row in models if row["model"] in curves]
            ax.set_title(f"{title}, {dataset}: {ATTACK_NAMES[attack]}\n{_size(shown)}")
        axes[0][0].set_ylabel("adversarial accuracy")
        order = sorted(legend, key=lambda meaning: meaning in {known for _, known in STYLES.values()})
        figure.legend([legend[key] for key in order], order, loc="outside lower center", ncols=n_columns)
        save_figure(figure, folder, name)


def _size(nets: list[Row]) -> str:
    """Parameters and epochs of nets of one kind, and whether the paper trained this kind for longer."""
    epochs, wanted = sorted({int(net["epochs"]) for net in nets}), PAPER_EPOCHS.get(nets[0]["arch"])
    reduced = f" (reduced; paper: {wanted})" if wanted and epochs[0] < wanted else ""
    shown = "–".join(map(str, dict.fromkeys((epochs[0], epochs[-1]))))
    return f"{int(nets[0]['n_parameters']):,} parameters, {shown} epochs{reduced}"


def draw_accuracies(ax: Axes, curves: dict[str, list[Row]], controls: list[Row]) -> dict[str, Line2D]:
    """Accuracy of each net under one attack, thin lines of its controls; returns what the lines mean."""
    legend = {}
    for model, rows in curves.items():
        colour, meaning = look_of(rows[0]["defence"])
        ax.plot(*columns(rows, "grid_eps", "accuracy"), "-", color=colour, linewidth=1.8)
        legend[meaning] = Line2D([], [], color=colour, linewidth=1.8)
        for control, own in grouped([row for row in controls if row["net"] == model], "attack").items():
            for begins, (style, meaning) in STYLES.items():
                if control.startswith(begins):
                    ax.plot(*columns(own, "eps", "accuracy"), linestyle=style, color=colour, linewidth=0.7)
                    legend[meaning] = Line2D([], [], linestyle=style, color="#555555", linewidth=0.7)
    ax.set(xscale="log", xlabel="ε (pixel units, 0–255)", xlim=(SMALLEST_SHOWN, None), ylim=(-0.02, 1.02))
    return legend
