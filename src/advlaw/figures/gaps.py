"""Cubuk Fig. 4, 6 and 13: densities of the gaps Delta_1j between the largest logit and the j-th.

And why nets fitted to shuffled labels have other exponents (Fig. 2b): how many images are close to a decision.
"""

import math
from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from advlaw.core.tables import Tables, chosen, groups, records
from advlaw.core.words import interval
from advlaw.figures.error_curves import ORDINARY, state_label
from advlaw.figures.figure import OURS, Drawing, Figure, listed
from advlaw.figures.style import COLOURS, MARKERS, in_panels, legend_below, looks

Sets = dict[str, pd.DataFrame]  # densities by what they are called


def draw_first_and_uniform(tables: Tables) -> Iterator[Drawing]:
    """The first of the nets that are compared, and i.i.d. uniform logits."""
    uniform = tables.rows("order_statistics/densities", law="uniform")
    nets = _compared(tables)
    panels = {f"(a) {net}": {"": rows} for net, rows in list(nets.items())[:1] if not uniform.empty}
    return _drawn(panels and panels | {"(b) i.i.d. uniform": {"": uniform}})


def draw_compared(tables: Tables) -> Iterator[Drawing]:
    """The nets that are compared, over each other."""
    nets = _compared(tables)
    return _drawn({", ".join(nets): nets} if len(nets) > 1 else {})


def draw_others(tables: Tables) -> Iterator[Drawing]:
    """Every net but the first of those that are compared."""
    first = list(_compared(tables))[:1]
    return _drawn({net: {"": rows} for net, rows in _final(tables).items() if net not in first})


def draw_training(tables: Tables) -> Iterator[Drawing]:
    """The nets whose weights were kept at some epochs."""
    nets = {
        net: {"end" if math.isnan(epoch) else f"epoch {epoch:.0f}": points for epoch, points in groups(rows, "epoch")}
        for net, rows in groups(tables.rows("theory/gap_densities"), "net")
        if rows["epoch"].notna().any()
    }
    return _drawn(nets, ranks=(2, 3))


def _final(tables: Tables) -> Sets:
    """Of nets at the end of training; published ones have figures of their own (`advlaw.figures.imagenet`)."""
    published = tables.rows("published/nets").reindex(columns=["net"])["net"]
    densities = tables.rows("theory/gap_densities", epoch=None)
    return dict(groups(densities if densities.empty else densities[~densities["net"].isin(published)], "net"))


def _compared(tables: Tables) -> Sets:
    final = _final(tables)
    return {net: final[net] for net in tables.rows("compared")["net"] if net in final}


def _drawn(by_title: dict[str, Sets], ranks: tuple[int, ...] = (2, 3, 4, 5)) -> Iterator[Drawing]:
    panels = {title: partial(draw_densities, sets=sets, ranks=ranks) for title, sets in by_title.items()}
    return in_panels(panels, 3.3, "density", in_a_row=3)


def draw_densities(ax: Axes, sets: Sets, ranks: tuple[int, ...]) -> None:
    """Log-log densities, a colour for each j, a marker for each set; dotted: slope j - 2, of mean-field theory."""
    for marker, (name, rows) in zip(MARKERS, sets.items(), strict=False):
        for rank, points in groups(chosen(rows, rank=ranks), "rank"):
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


def draw_gaps(tables: Tables) -> Iterator[Drawing]:
    """P(Delta_12 <= d) against d over its median, for every net fitted to shuffled labels: each state on its training
    images, and nets fitted to the true labels of the same data, undefended, on test images."""
    points, panels = tables.rows("logit_gap_distribution"), {}
    for model, own in groups(chosen(points, labels="shuffled", split="train"), "model"):
        same_data = {name: own.iloc[0][name] for name in ("dataset", "arch")}
        curves = _distributions(own) | _distributions(chosen(points, split="test", **same_data, **ORDINARY))
        panels[f"{model}: distance to a decision"] = partial(draw_gap_distributions, curves=curves)
    return in_panels(panels, 3.8, "share of images right when clean", sharey=True)


def _distributions(rows: pd.DataFrame) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """label -> gaps over their median and shares, of every net and state."""
    curves = {}
    for (model, _), points in groups(rows, "model", "snapshot"):
        gap, share = points[["gap", "share"]].to_numpy().T
        first = records(points.head(1))[0]
        label = state_label(first) if first["labels"] == "shuffled" else f"true labels ({model})"
        curves[label] = (gap / np.interp(0.5, share, gap), share)
    return curves


def draw_gap_distributions(ax: Axes, curves: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Cumulative distributions on log-log axes, with a guide of slope 1."""
    for (label, (gap, share)), (colour, marker) in zip(curves.items(), looks(len(curves)), strict=False):
        ax.plot(gap, share, marker, linestyle="-", color=colour, markerfacecolor="none", label=label)
    left, bottom = (min(float(values.min()) for values in columns) for columns in zip(*curves.values(), strict=True))
    guide = np.array([left, 0.3])
    ax.plot(guide, guide * 0.5, color="#777777", linestyle=":", label="slope 1: a positive density at zero")
    ax.set(xscale="log", yscale="log", xlim=(left / 1.5, 5), ylim=(bottom / 1.5, 1.5), xlabel="Δ₁₂ over its median")
    legend_below(ax)


def exponents_seen(tables: Tables, of: str) -> str:
    """The exponents of the density of Delta_12 at the smallest share of gaps, for every net."""
    final = records(tables.rows("theory/gap_exponents", images="all", rank=2, epoch=None))
    rows = [row for row in final if not math.isnan(row["exponent"])]
    smallest = min((row["share"] for row in rows), default=0.0)
    return listed(
        f"Exponents of the density of Δ₁₂, from the smallest {100 * smallest:g} % of each net's gaps",
        (f"{row['net']} {interval(row)}" for row in rows if row["share"] == smallest),
    )


FLAT = "An exponent of zero means a flat density. Dotted lines have the slopes that the theory predicts."
FIGURES = (
    Figure(
        "figure_4",
        "theory",
        "Density of the gaps between the largest logit and the next ones, of a net and of independent random logits",
        "Cubuk Fig. 4: near zero the density of Δ₁₂ is flat, and those of Δ₁ⱼ rise as powers that grow with j. This "
        "holds for an ImageNet net and for independent uniform logits.",
        ("theory/gap_densities", "order_statistics/densities", "compared"),
        draw_first_and_uniform,
        (exponents_seen, FLAT),
        is_main=True,
    ),
    Figure(
        "figure_6",
        "defences",
        "Density of the gaps between logits, with and without the entropy penalty",
        "Cubuk Fig. 6: the penalty moves gaps to larger values and leaves fewer small ones; the tails keep their "
        "exponents.",
        ("theory/gap_densities", "compared"),
        draw_compared,
        (exponents_seen, "A curve further to the right belongs to a net with larger gaps."),
        is_main=True,
    ),
    Figure(
        "figure_13",
        "theory",
        "Density of the gaps between logits, of other nets",
        "Cubuk Fig. 13: the distributions of gaps of other ImageNet models look like those of Fig. 4.",
        ("theory/gap_densities",),
        draw_others,
        (exponents_seen, FLAT),
    ),
    Figure(
        "gaps_in_training",
        "theory",
        "Density of the gaps Δ₁₂ and Δ₁₃ at several epochs of training",
        OURS,
        ("theory/gap_densities",),
        draw_training,
        (
            "Each marker stands for one epoch. Where a curve is flat on the left, some images are arbitrarily near a "
            "tie.",
        ),
    ),
    Figure(
        "figure_2b_gaps",
        "shuffled",
        "Share of images whose gap Δ₁₂ is below a multiple of its median, for shuffled and for true labels",
        "The papers have no such figure; it explains Fig. 2b.",
        ("logit_gap_distribution",),
        draw_gaps,
        (
            "A curve parallel to the dotted line has a positive density of gaps at zero, so its error begins linearly "
            "in ε. A steeper curve belongs to a net that has pushed its training images away from ties.",
        ),
    ),
)
