"""Cubuk Fig. 4, 6 and 13: densities of the gaps Delta_1j between the largest logit and the j-th."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from advlaw.core.io import Row
from advlaw.figures.style import COLOURS, MARKERS, RC, TEXT_WIDTH_INCHES, columns, grouped, legend_below, save_figure


def draw_gap_densities(nets: list[Row], iid: list[Row], compared: Sequence[str], folder: Path) -> list[str]:
    """Draw figure_4 (a net and i.i.d. uniform logits), figure_6 (`compared` nets) and figure_13 (every other net).

    And figure_gaps_in_training, for the nets whose weights were kept at some epochs. `nets` and `iid` are rows of
    densities; figures without rows are left out.
    """
    final = grouped([row for row in nets if not row["epoch"]], "net")
    first = next((name for name in compared if name in final), None)
    drawn = []
    uniform = [row for row in iid if row["law"] == "uniform"]
    if first is not None and uniform:
        panels = {f"(a) {first}": {"": final[first]}, "(b) i.i.d. uniform": {"": uniform}}
        drawn.append(_draw("figure_4", panels, folder))
    chosen = {name: final[name] for name in compared if name in final}
    if len(chosen) > 1:
        drawn.append(_draw("figure_6", {", ".join(chosen): chosen}, folder))
    others = {name: {"": rows} for name, rows in final.items() if name != first}
    if others:
        drawn.append(_draw("figure_13", others, folder))
    early = {row["net"] for row in nets if row["epoch"]}
    training = {
        name: {
            f"epoch {rows[0]['epoch']}" if rows[0]["epoch"] else "end": rows for rows in grouped(own, "epoch").values()
        }
        for name, own in grouped([row for row in nets if row["net"] in early], "net").items()
    }
    if training:
        drawn.append(_draw("gaps_in_training", training, folder, ranks=("2", "3")))
    return drawn


def _draw(
    name: str, panels: dict[str, dict[str, list[Row]]], folder: Path, ranks: Sequence[str] = ("2", "3", "4", "5")
) -> str:
    """Panels of curves: panel title -> what a set of densities is called -> its rows."""
    n_columns = min(len(panels), 3)
    n_rows = -(-len(panels) // n_columns)
    with plt.rc_context(RC):
        size = (TEXT_WIDTH_INCHES * min(1.0, 0.5 * n_columns), 3.3 * n_rows)
        figure, axes = plt.subplots(n_rows, n_columns, figsize=size, squeeze=False)
        for ax, (title, sets) in zip(axes.flat, panels.items(), strict=False):
            draw_densities(ax, sets, ranks)
            ax.set_title(title)
        for ax in axes.flat[len(panels) :]:
            ax.set_visible(False)
        for ax in axes[:, 0]:
            ax.set_ylabel("density")
        save_figure(figure, folder, name)
    return name


def draw_densities(ax: Axes, sets: dict[str, list[Row]], ranks: Sequence[str]) -> None:
    """Log-log densities, a colour for each j, a marker for each set; dotted: slope j - 2, of mean-field theory."""
    for marker, (name, rows) in zip(MARKERS, sets.items(), strict=False):
        for rank, points in grouped(rows, "rank", only=ranks).items():
            colour = COLOURS[int(rank) - 2]
            gap, density = columns(points, "gap", "density")
            label = f"Δ₁{'₀₁₂₃₄₅₆₇₈₉'[int(rank)]}" + (f" {name}" if name else "")
            ax.plot(gap, density, f"{marker}-", color=colour, markerfacecolor="none", linewidth=0.6, label=label)
            if marker == MARKERS[0]:
                reach = gap[: max(2, len(gap) // 3)]
                guide = density[0] * (reach / reach[0]) ** (int(rank) - 2)
                ax.plot(reach, 0.5 * guide, ":", color=colour)
    densities = np.concatenate([columns(rows, "density")[0] for rows in sets.values()])
    ax.set(xscale="log", yscale="log", xlabel="logit gap", ylim=(0.3 * densities.min(), 3 * densities.max()))
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_minor_formatter(NullFormatter())  # within a decade their labels would cover each other
    legend_below(ax, n_columns=min(len(sets) + 1, 3))
