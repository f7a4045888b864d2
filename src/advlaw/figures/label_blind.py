"""Why attacks that do not know the label have larger exponents: three panels for each net (docs/label_blind.md)."""

from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from advlaw.core.io import Row
from advlaw.figures.style import (
    ATTACK_NAMES,
    COLOURS,
    RC,
    TEXT_WIDTH_INCHES,
    columns,
    grouped,
    save_figure,
)

SHOWN = ("fgsm_predicted", "step_ll")
STYLES = {"measured": ("o", "measured"), "linear": ("-", "own speeds"), "constant": (":", "one speed")}
SMALLEST_SHOWN = 3e-4


def draw_label_blind(ties: list[Row], curves: list[Row], folder: Path) -> list[str]:
    """Draw label_blind_NET.svg and .png for every net with such attacks."""
    drawn = []
    for net, rows in grouped(curves, "net").items():
        own = [row for row in ties if row["net"] == net]
        with plt.rc_context(RC):
            figure, axes = plt.subplots(1, 3, figsize=(TEXT_WIDTH_INCHES, 2.5))
            draw_chances(axes[0], next(iter(grouped(own, "attack").values())))
            axes[0].set_title(f"(a) {net}: who is right")
            draw_speeds(axes[1], own)
            axes[1].set_title("(b) how fast gaps close")
            draw_errors(axes[2], rows)
            axes[2].set_title("(c) net error")
            save_figure(figure, folder, f"label_blind_{net}")
        drawn.append(f"label_blind_{net}")
    return drawn


def draw_chances(ax: Axes, rows: list[Row]) -> None:
    """How often the prediction and the runner-up are right, by the gap between them."""
    for name, label, colour in (("right", "prediction", COLOURS[0]), ("second", "runner-up", COLOURS[1])):
        gap, share, low, high = columns(rows, "gap", f"p_{name}", f"p_{name}_low", f"p_{name}_high")
        ax.fill_between(gap, low, high, color=colour, alpha=0.15, linewidth=0)
        ax.plot(gap, share, "o-", color=colour, markerfacecolor="none", label=label)
    ax.axhline(0.5, color="#777777", linestyle=":")
    ax.set(xscale="log", xlabel="Δ₁₂", ylabel="probability of being right", ylim=(-0.02, 1.02))
    ax.legend(loc="best")


def draw_speeds(ax: Axes, rows: list[Row]) -> None:
    """Mean closing speed by gap, shaded by its standard deviation over images."""
    for (attack, points), colour in zip(grouped(rows, "attack", only=SHOWN).items(), COLOURS[2:], strict=False):
        gap, speed, spread = columns(points, "gap", "speed", "spread")
        ax.fill_between(gap, speed - spread, speed + spread, color=colour, alpha=0.15, linewidth=0)
        ax.plot(gap, speed, "o-", color=colour, markerfacecolor="none", label=ATTACK_NAMES[attack])
    ax.axhline(0.0, color="#777777", linestyle=":")
    ax.set(xscale="log", xlabel="Δ₁₂", ylabel="Γ₂ − Γ₁ per pixel unit")
    ax.legend(loc="best")


def draw_errors(ax: Axes, rows: list[Row]) -> None:
    """Net error measured, by each image's linear response, and with one speed for all; colours as in (b)."""
    for (_, points), colour in zip(grouped(rows, "attack", only=SHOWN).items(), COLOURS[2:], strict=False):
        for speeds, curve in grouped(points, "speeds", only=tuple(STYLES)).items():
            eps, error = columns(curve, "grid_eps", "net_error")
            shown = (error > SMALLEST_SHOWN) & (error < 0.9 * error.max())
            style, label = STYLES[speeds]
            ax.plot(eps[shown], error[shown], style, color=colour, markerfacecolor="none", label=label)
    ax.set(xscale="log", yscale="log", xlabel="ε (pixel units, 0–255)")
    labels = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    legend = ax.legend(labels.values(), labels.keys(), loc="best")
    for line in legend.get_lines():
        line.set_color("#777777")
