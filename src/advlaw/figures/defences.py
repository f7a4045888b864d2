"""Cubuk Fig. 5 and 12: adversarial accuracy against eps with and without the entropy penalty and adversarial training.

Thick lines are the attack of the paper, thin ones what controls say of the same nets: the worst case over all attacks,
the same attack by the naive float32 gradient, and PGD images transferred from another net.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from advlaw.core.tables import Tables, chosen, groups, records
from advlaw.figures.figure import Drawing, Figure, listed
from advlaw.figures.style import ATTACK_NAMES, COLOURS, EPS, in_panels

BLUE, RED, GREEN, PURPLE, ORANGE = COLOURS[:5]
SMALLEST_SHOWN = 0.1
PAPER_EPOCHS = {"wide_resnet": 100}  # Cubuk Fig. 12
PGD, STEP_LL = ATTACK_NAMES["pgd"], ATTACK_NAMES["step_ll"]
STYLES: dict[str, tuple[Any, str]] = {  # of a control, by how its name begins
    "worst case": ("--", "worst case over all attacks"),
    "one_step.step_ll_naive": (":", f"{STEP_LL} by the naive gradient"),
    "transferred:iterative": ("-.", f"{PGD} transferred from another net"),
}
Panel = tuple[str, str, str]  # title, architecture, attack


def draw_defences(wanted: tuple[Panel, ...], tables: Tables) -> Iterator[Drawing]:
    """The panels that have a net with a defence, and others on the same data set."""
    panels, legend = {}, dict[str, Line2D]()
    for title, arch, attack in wanted:
        rows = _curves(tables, arch, attack)
        if rows["model"].nunique() > 1:
            size = _size(tables.rows("models", model=tuple(rows["model"])))
            controls = tables.rows("worst_case/accuracy")
            draw = partial(draw_accuracies, points=rows, controls=controls, legend=legend)
            panels[f"{title}, {rows['dataset'].iloc[0]}: {ATTACK_NAMES[attack]}\n{size}"] = draw
    for drawing in in_panels(panels, 3.4, "adversarial accuracy", width=0.42, sharey=True):
        order = sorted(legend, key=lambda meaning: meaning in {known for _, known in STYLES.values()})
        drawing.sheet.legend([legend[key] for key in order], order, loc="outside lower center", ncols=len(panels))
        yield drawing


def _curves(tables: Tables, arch: str, attack: str) -> pd.DataFrame:
    """The points of every net of an architecture on the data set that has a defended one."""
    rows = tables.rows("error_curves", arch=arch, attack=attack, snapshot=None)
    return chosen(rows, dataset=tuple(rows["dataset"][rows["defence"] != ""]), labels="original")


def look_of(defence: str) -> tuple[str, str]:
    """Colour and name: as in the paper purple for none, red for the entropy penalty, green for adversarial training,
    blue for both; orange for training on PGD."""
    attack = defence.removesuffix("entropy").removesuffix(" + ")
    has_penalty = defence.endswith("entropy")
    if not attack:
        return (RED, "entropy penalty") if has_penalty else (PURPLE, "regular")
    if attack.startswith("pgd"):
        return ORANGE, f"{PGD} training"
    return (BLUE, f"{STEP_LL} training and penalty") if has_penalty else (GREEN, f"{STEP_LL} training")


def _size(nets: pd.DataFrame) -> str:
    """Parameters and epochs of nets of one kind, and whether the paper trained this kind for longer."""
    fewest, most = int(nets["epochs"].min()), int(nets["epochs"].max())
    wanted = PAPER_EPOCHS.get(nets["arch"].iloc[0], 0)
    reduced = f" (reduced; paper: {wanted})" if fewest < wanted else ""
    epochs = f"{fewest}" if fewest == most else f"{fewest}–{most}"
    return f"{nets['n_parameters'].iloc[0]:,.0f} parameters, {epochs} epochs{reduced}"


def draw_accuracies(ax: Axes, points: pd.DataFrame, controls: pd.DataFrame, legend: dict[str, Line2D]) -> None:
    """Accuracy of each net under one attack, thin lines of its controls; what the lines mean goes into `legend`."""
    for model, rows in groups(points, "model"):
        colour, meaning = look_of(rows["defence"].iloc[0])
        ax.plot(*rows[["grid_eps", "accuracy"]].to_numpy().T, "-", color=colour, linewidth=1.8)
        legend[meaning] = Line2D([], [], color=colour, linewidth=1.8)
        for (net, control), own in groups(controls, "net", "attack"):
            for begins, (style, meaning) in STYLES.items():
                if net == model and control.startswith(begins):
                    ax.plot(*own[["eps", "accuracy"]].to_numpy().T, linestyle=style, color=colour, linewidth=0.7)
                    legend[meaning] = Line2D([], [], linestyle=style, color="#555555", linewidth=0.7)
    ax.set(xscale="log", xlabel=EPS, xlim=(SMALLEST_SHOWN, None), ylim=(-0.02, 1.02))


def _gains(tables: Tables, of: str) -> str:
    """What is left of each defence's gain in the worst case, at the largest eps."""
    rows = records(tables.rows("worst_case/gains"))
    largest = max((row["eps"] for row in rows), default=0.0)
    found = []
    for row in rows:
        if row["eps"] == largest:
            gain, low, high = (100 * row[f"worst_gain{end}"] for end in ("", "_low", "_high"))
            found.append(f"{row['net']} {gain:+.1f} [{low:+.1f}, {high:+.1f}] ({row['verdict']})")
    return listed(f"Gain over the net without the defence in the worst case at ε = {largest:g}, in points", found)


CONTROLS = (
    "Thick lines show the paper's attack. Thin lines show control attacks on the same nets; the dashed one is the "
    "worst case over all attacks, which a robust net would survive."
)
FIGURES = (
    Figure(
        "figure_5",
        "defences",
        "Adversarial accuracy against ε with and without the entropy penalty and adversarial training",
        "Cubuk Fig. 5: the entropy penalty makes nets more accurate under step l.l., with and without adversarial "
        "training.",
        ("error_curves", "models"),
        partial(draw_defences, (("(a) CNN", "cnn", "step_ll"), ("(b) FC", "fc", "step_ll"), ("(c) FC", "fc", "pgd"))),
        (CONTROLS, _gains),
        is_main=True,
    ),
    Figure(
        "figure_12",
        "defences",
        "Adversarial accuracy under step l.l. of wide ResNets on CIFAR-10, with and without the entropy penalty",
        "Cubuk Fig. 12: the entropy penalty makes a wide ResNet more accurate under step l.l. at the same clean "
        "accuracy.",
        ("error_curves", "models"),
        partial(draw_defences, (("Wide ResNet", "wide_resnet", "step_ll"),)),
        (CONTROLS, _gains),
        is_main=True,
    ),
)
