"""Why attacks that do not know the label have larger exponents: three panels a net (docs/findings/label_blind.md)."""

import math
from collections.abc import Iterator
from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from advlaw.core.tables import Tables, chosen, groups, records
from advlaw.core.words import interval
from advlaw.figures.figure import Drawing, Figure, listed
from advlaw.figures.style import ATTACK_NAMES, COLOURS, EPS, in_panels

SHOWN = ("fgsm_predicted", "step_ll")
STYLES = {"measured": ("o", "measured"), "linear": ("-", "own speeds"), "constant": (":", "one speed")}
SMALLEST_SHOWN = 3e-4


def draw_label_blind(tables: Tables) -> Iterator[Drawing]:
    """For every net with such attacks."""
    for net, curves in groups(tables.rows("theory/label_blind_curves"), "net"):
        ties = tables.rows("theory/ties", net=net)
        panels = {
            f"(a) {net}: who is right": partial(draw_chances, rows=ties[ties["attack"] == ties["attack"].iloc[0]]),
            "(b) how fast gaps close": partial(draw_speeds, rows=ties),
            "(c) net error": partial(draw_errors, rows=curves),
        }
        yield from in_panels(panels, 2.5, "probability of being right", of=net)


def draw_chances(ax: Axes, rows: pd.DataFrame) -> None:
    """How often the prediction and the runner-up are right, by the gap between them."""
    for name, label, colour in (("right", "prediction", COLOURS[0]), ("second", "runner-up", COLOURS[1])):
        gap, share, low, high = rows[["gap", f"p_{name}", f"p_{name}_low", f"p_{name}_high"]].to_numpy().T
        ax.fill_between(gap, low, high, color=colour, alpha=0.15, linewidth=0)
        ax.plot(gap, share, "o-", color=colour, markerfacecolor="none", label=label)
    ax.axhline(0.5, color="#777777", linestyle=":")
    ax.set(xscale="log", xlabel="Δ₁₂", ylim=(-0.02, 1.02))
    ax.legend(loc="best")


def draw_speeds(ax: Axes, rows: pd.DataFrame) -> None:
    """Mean closing speed by gap, shaded by its standard deviation over images."""
    for (attack, points), colour in zip(groups(chosen(rows, attack=SHOWN), "attack"), COLOURS[2:], strict=False):
        gap, speed, spread = points[["gap", "speed", "spread"]].to_numpy().T
        ax.fill_between(gap, speed - spread, speed + spread, color=colour, alpha=0.15, linewidth=0)
        ax.plot(gap, speed, "o-", color=colour, markerfacecolor="none", label=ATTACK_NAMES[attack])
    ax.axhline(0.0, color="#777777", linestyle=":")
    ax.set(xscale="log", xlabel="Δ₁₂", ylabel="Γ₂ − Γ₁ per pixel unit")
    ax.legend(loc="best")


def draw_errors(ax: Axes, rows: pd.DataFrame) -> None:
    """Net error measured, by each image's linear response, and with one speed for all; colours as in (b)."""
    for (_, points), colour in zip(groups(chosen(rows, attack=SHOWN), "attack"), COLOURS[2:], strict=False):
        for speeds, curve in groups(chosen(points, speeds=tuple(STYLES)), "speeds"):
            eps, error = curve[["grid_eps", "net_error"]].to_numpy().T
            shown = (error > SMALLEST_SHOWN) & (error < 0.9 * error.max())
            style, label = STYLES[speeds]
            ax.plot(eps[shown], error[shown], style, color=colour, markerfacecolor="none", label=label)
    ax.set(xscale="log", yscale="log", xlabel=EPS)
    labels = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    legend = ax.legend(labels.values(), labels.keys(), loc="best")
    for line in legend.get_lines():
        line.set_color("#777777")


def _exponents(tables: Tables, net: str) -> str:
    measured = {"speeds": "measured", "kind": "net", "estimator": "mean_slope"}
    found = (
        f"{ATTACK_NAMES[row['attack']]} {interval(row)}"
        for row in records(tables.rows("theory/label_blind", net=net, **measured))
        if not math.isnan(row["exponent"])
    )
    return listed("Net exponents as measured", found)


FIGURES = (
    Figure(
        "label_blind",
        "blind",
        "Why attacks that do not know the label have larger exponents",
        "The paper reports the larger exponent of step l.l. and leaves its cause open.",
        ("theory/ties", "theory/label_blind_curves"),
        draw_label_blind,
        (
            "(a) The closer the two largest logits are, the more often the runner-up is the right class. (b) The gap "
            "closes at this speed; shading shows the spread over images. (c) Net error as measured, and as it follows "
            "from these two causes.",
            _exponents,
        ),
    ),
)
