"""Cubuk Fig. 4, 6 and 13: densities of the gaps Delta_1j between the largest logit and the j-th."""

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from advlaw.core.tables import Tables, chosen, groups, records
from advlaw.core.words import interval
from advlaw.figures.figure import Drawing, Figure, joined, listed
from advlaw.figures.style import COLOURS, MARKERS, legend_below, panels

Sets = dict[str, pd.DataFrame]  # densities by what they are called


def draw_first_and_uniform(tables: Tables) -> Iterator[Drawing]:
    """The first of the nets that are compared, and i.i.d. uniform logits."""
    uniform = tables.rows("order_statistics/densities", law="uniform")
    for net, rows in list(_compared(tables).items())[:1]:
        if not uniform.empty:
            yield _drawing({f"(a) {net}": {"": rows}, "(b) i.i.d. uniform": {"": uniform}})


def draw_compared(tables: Tables) -> Iterator[Drawing]:
    """The nets that are compared, over each other."""
    found = _compared(tables)
    if len(found) > 1:
        yield _drawing({", ".join(found): found})


def draw_others(tables: Tables) -> Iterator[Drawing]:
    """Every net but the first of those that are compared."""
    first = list(_compared(tables))[:1]
    others = {net: {"": rows} for net, rows in _final(tables).items() if net not in first}
    if others:
        yield _drawing(others)


def draw_training(tables: Tables) -> Iterator[Drawing]:
    """The nets whose weights were kept at some epochs."""
    rows = tables.rows("theory/gap_densities")
    early = set(rows.dropna(subset="epoch")["net"])
    nets = {
        net: {"end" if math.isnan(epoch) else f"epoch {epoch:.0f}": points for epoch, points in groups(own, "epoch")}
        for net, own in groups(rows, "net")
        if net in early
    }
    if nets:
        yield _drawing(nets, ranks=(2, 3))


def _final(tables: Tables) -> Sets:
    return dict(groups(tables.rows("theory/gap_densities", epoch=None), "net"))


def _compared(tables: Tables) -> Sets:
    final = _final(tables)
    return {net: final[net] for net in tables.rows("compared")["net"] if net in final}


def _drawing(by_title: dict[str, Sets], ranks: Sequence[int] = (2, 3, 4, 5)) -> Drawing:
    sheet, axes = panels(len(by_title), 3.3, in_a_row=3)
    for ax, (title, sets) in zip(axes.flat, by_title.items(), strict=False):
        draw_densities(ax, sets, ranks)
        ax.set_title(title)
    for ax in axes[:, 0]:
        ax.set_ylabel("density")
    return Drawing(sheet)


def draw_densities(ax: Axes, sets: Sets, ranks: Sequence[int]) -> None:
    """Log-log densities, a colour for each j, a marker for each set; dotted: slope j - 2, of mean-field theory."""
    for marker, (name, rows) in zip(MARKERS, sets.items(), strict=False):
        for rank, points in groups(chosen(rows, rank=tuple(ranks)), "rank"):
            colour = COLOURS[rank - 2]
            gap, density = points[["gap", "density"]].to_numpy().T
            label = f"Δ₁{'₀₁₂₃₄₅₆₇₈₉'[rank]} {name}".rstrip()
            ax.plot(gap, density, f"{marker}-", color=colour, markerfacecolor="none", linewidth=0.6, label=label)
            if marker == MARKERS[0]:
                reach = gap[: max(2, len(gap) // 3)]
                guide = density[0] * (reach / reach[0]) ** (rank - 2)
                ax.plot(reach, 0.5 * guide, ":", color=colour)
    densities = np.concatenate([rows["density"] for rows in sets.values()])
    ax.set(xscale="log", yscale="log", xlabel="logit gap", ylim=(0.3 * densities.min(), 3 * densities.max()))
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_minor_formatter(NullFormatter())  # within a decade their labels would cover each other
    legend_below(ax, n_columns=min(len(sets) + 1, 3))


def _exponents(words: str) -> Callable[[Tables, str], str]:
    """The exponents of the density of Delta_12 at the smallest share of gaps, for every trained net."""

    def seen(tables: Tables, of: str) -> str:
        final = tables.rows("theory/gap_exponents", images="all", rank=2, epoch=None)
        rows = [row for row in records(final) if not math.isnan(row["exponent"])]
        smallest = min((row["share"] for row in rows), default=0.0)
        found = (f"{row['net']} {interval(row)}" for row in rows if row["share"] == smallest)
        lead = (
            f"Exponent of the density of Δ₁₂ of all nets that were followed, smallest {100 * smallest:g} % of the gaps"
        )
        return joined(listed(lead, found), words)

    return seen


FLAT = _exponents("Zero is a flat density. Dotted lines have the slopes of the theory.")
FIGURES = (
    Figure(
        "figure_4",
        "theory",
        "Density of the gaps between the largest logit and the next ones, of a net and of independent random logits",
        ("theory/gap_densities", "order_statistics/densities", "compared"),
        draw_first_and_uniform,
        FLAT,
        "Cubuk Fig. 4: near zero the density of Δ₁₂ is flat, those of Δ₁ⱼ rise as powers that grow with j, for an "
        "ImageNet net as for independent uniform logits.",
        is_main=True,
    ),
    Figure(
        "figure_6",
        "defences",
        "Density of the gaps between logits, with and without the entropy penalty",
        ("theory/gap_densities", "compared"),
        draw_compared,
        _exponents("A curve further to the right has larger gaps."),
        "Cubuk Fig. 6: the penalty moves gaps to larger values and leaves fewer small ones; the tails keep their "
        "exponents.",
        is_main=True,
    ),
    Figure(
        "figure_13",
        "theory",
        "Density of the gaps between logits, of other nets",
        ("theory/gap_densities",),
        draw_others,
        FLAT,
        "Cubuk Fig. 13: the distributions of gaps of other ImageNet models look like those of Fig. 4.",
    ),
    Figure(
        "gaps_in_training",
        "theory",
        "Density of the gaps Δ₁₂ and Δ₁₃ at several epochs of training",
        ("theory/gap_densities",),
        draw_training,
        "One marker for each epoch. Where a curve is flat to the left, there are images arbitrarily near a tie.",
    ),
)
