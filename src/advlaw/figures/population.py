"""Cubuk Fig. 10: the curves of all sampled nets; how their exponents are distributed, and what goes with them.

Nets with clean accuracy above 80 %, as in the paper. Each figure exists for every drawn set, of the first by its name.
"""

import itertools
import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from advlaw.core.io import Cells
from advlaw.core.tables import Tables, groups, records
from advlaw.core.words import interval
from advlaw.figures.figure import OURS, Drawing, Figure, listed
from advlaw.figures.style import ATTACK_NAMES, COLOURS, EPS, TEXT_WIDTH_INCHES, in_panels

SMALLEST_ACCURACY = 0.8
KINDS = {"fc": ("fully connected", COLOURS[0]), "cnn": ("convolutional", COLOURS[1])}
ESTIMATES = {"net_ls": "least squares", "net": "mean slope"}
BINS = 30
AGAINST = {
    "n_parameters": "parameters",
    "layers": "hidden layers or convolutions",
    "test_accuracy": "clean test accuracy",
}
MANY = 300  # curves; more would make a slow SVG and are drawn as pixels


def _sets(tables: Tables) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """What a file's name says of it, its name and its nets: every drawn set that has accurate nets."""
    first = ""
    for name in tables.rows("trials/sets", kind="drawn")["set"]:
        nets = tables.rows(f"trials/{name}/nets")
        shown = nets[nets["test_accuracy"] > SMALLEST_ACCURACY]
        if not shown.empty:
            first = first or name
            yield ("" if name == first else name), name, shown


def draw_curves(tables: Tables) -> Iterator[Drawing]:
    """A panel for each attack."""
    for of, name, nets in _sets(tables):
        curves = dict(groups(tables.rows(f"trials/{name}/curves"), "attack"))
        panels = {}
        for attack, rows in groups(nets, "attack"):
            title = f"{_of_nets(attack, rows)}, {rows['n_images'].iloc[0]:,} test images"
            panels[title] = partial(draw_error_curves, nets=rows, curves=curves[attack])
        yield from in_panels(panels, 3.4, "adversarial error", width=0.6, of=of, sharey=True)


def _of_nets(attack: str, nets: pd.DataFrame) -> str:
    return f"{ATTACK_NAMES.get(attack, attack)}: {len(nets)} sampled nets"


def draw_error_curves(ax: Axes, nets: pd.DataFrame, curves: pd.DataFrame) -> None:
    """Every net's curve under one attack; dashed: the exponent that the paper finds for such attacks."""
    points = dict(groups(curves, "net"))
    alpha, are_many = max(0.15, 0.6 - len(nets) / 500), len(nets) > MANY
    for net, arch in zip(nets["net"], nets["arch"], strict=True):
        eps, error = points[net][["grid_eps", "net_error"]].to_numpy().T
        above, colour = error > 0, KINDS[arch][1]
        ax.plot(eps[above], error[above], color=colour, linewidth=0.5, alpha=alpha, rasterized=are_many)
    for arch, (kind, colour) in KINDS.items():
        if count := (nets["arch"] == arch).sum():
            ax.plot([], [], color=colour, label=f"{kind} ({count})")
    slope = 1 if nets["target"].iloc[0] == "true_label" else 2
    guide = np.sqrt(eps[0] * eps[-1]) * np.array([0.1, 5.0])
    ax.plot(guide, 0.06 * (guide / guide[-1]) ** slope, "k--", linewidth=1.0, label=f"slope {slope}")
    ax.set(xscale="log", yscale="log", ylim=(0.7 / nets["n_images"].iloc[0], 1.5), xlabel=EPS)
    ax.legend(loc="lower right")


def draw_exponents(tables: Tables) -> Iterator[Drawing]:
    """A histogram for every attack and estimator; the paper's band is shaded, all nets' law drawn."""
    for of, name, nets in _sets(tables):
        panels, pooled = {}, {row["attack"]: row for row in laws_of_all(tables, set=name)}
        for (attack, rows), (estimate, what) in itertools.product(groups(nets, "attack"), ESTIMATES.items()):
            summary = tables.rows(f"trials/{name}/exponents", attack=attack, estimate=estimate, nets="all")
            of_one, of_all = records(summary)[0], pooled.get(attack)
            draw = partial(draw_histogram, rows=rows, column=f"{estimate}_exponent", summary=of_one, law=of_all)
            panels[f"{ATTACK_NAMES.get(attack, attack)}, {what}"] = draw
        yield from in_panels(panels, 2.3 + 0.6 / len(panels), "nets", in_a_row=len(ESTIMATES), of=of)


def laws_of_all(tables: Tables, **wanted: Any) -> list[Cells]:
    """The exponent as eps -> 0 of all nets of a set together, for every attack, up to a tenth of clean accuracy."""
    return records(tables.rows("laws/pooled", nets="all", share=0.1, **wanted))


def draw_histogram(ax: Axes, rows: pd.DataFrame, column: str, summary: Cells, law: Cells | None) -> None:
    """The exponents in a column by kind of net; `summary` has the paper's band and how many are in it.

    `law` is that of all nets together as eps -> 0, drawn where the estimates would be that measured it.
    """
    known = rows[column].dropna()
    if known.empty:
        return
    low, high = np.quantile(known, [0.01, 0.99])  # of step l.l., single fits lie far out: they are in the end bins
    edges = np.linspace(low - 0.02, high + 0.02, 1 + max(8, min(BINS, round(2 * math.sqrt(len(known))))))
    if not math.isnan(summary["band_low"]):
        low, high = summary["band_low"], summary["band_high"]
        ax.axvspan(low, high, color="#DDDDDD", zorder=0, label="the paper's range")
        share, *ends = (f"{summary[name]:.0%}" for name in ("share", "share_low", "share_high"))
        ax.set_title(f"{ax.get_title()}: {share} [{', '.join(ends)}] in {low:g}–{high:g}")
    ax.set_xlabel("exponent of the net error")
    by_kind = dict(groups(rows, "arch"))
    kinds = {arch: look for arch, look in KINDS.items() if arch in by_kind}
    names, colours = zip(*kinds.values(), strict=True)
    values = [by_kind[arch][column].clip(edges[0], edges[-1]).to_numpy() for arch in kinds]
    ax.hist(values, bins=edges.tolist(), stacked=True, color=colours, label=names)
    if law:
        middle, low, high = (law[f"exponent{end}"] for end in ("", "_low", "_high"))
        if not math.isnan(high):
            ax.axvspan(low, high, color="#AAAAAA", linewidth=0, zorder=0)
        ax.axvline(middle, color="black", linewidth=1.0, label=f"all nets as ε → 0: B = {interval(law)}")


def draw_scatter(tables: Tables) -> Iterator[Drawing]:
    """Exponent and error at a reference eps against size, depth and clean accuracy, of the first attack."""
    for of, _, nets in _sets(tables):
        attack, rows = next(groups(nets, "attack"))
        errors = [name for name in map(str, rows) if name.startswith("error_at_")]
        error = errors[len(errors) // 2]
        heights = {
            "net_ls_exponent": "exponent (least squares)",
            error: f"gross error at ε = {error.removeprefix('error_at_')}",
        }
        size = (TEXT_WIDTH_INCHES, 4.2)
        sheet, axes = plt.subplots(len(heights), len(AGAINST), figsize=size, sharex="col", sharey="row")
        for ax, (height, width) in zip(axes.flat, itertools.product(heights, AGAINST), strict=True):
            for arch, members in groups(rows, "arch"):
                kind, colour = KINDS[arch]
                dots = {"color": colour, "markersize": 2.2, "alpha": 0.6, "markeredgewidth": 0}
                ax.plot(members[width], members[height], "o", label=kind, **dots)
            ax.set(xlabel=AGAINST[width], ylabel=heights[height])
            ax.label_outer()
        for parameters, layers, _ in axes:
            parameters.set_xscale("log")
            parameters.xaxis.set_minor_formatter(NullFormatter())  # matplotlib's labels run into each other
            layers.set_xticks(range(1, 1 + rows["layers"].max()))
        sheet.legend(*axes[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
        sheet.suptitle(_of_nets(attack, rows), fontsize=8)
        yield Drawing(sheet, of)


def _seen(tables: Tables, of: str) -> str:
    found = []
    for row in records(tables.of_sets("exponents")):
        if (row["nets"], row["estimate"]) == ("all", "net_ls") and row["n_nets"] > 0:
            middle, low, high = (row[f"quantile_{q}"] for q in ("0.5", "0.05", "0.95"))
            attack = ATTACK_NAMES.get(row["attack"], row["attack"])
            found.append(f"{attack} {middle:.2f} [{low:.2f}, {high:.2f}] over {row['n_nets']} nets")
    laws = (f"{ATTACK_NAMES[row['attack']]} {interval(row)} of {row['n_nets']} nets" for row in laws_of_all(tables))
    medians = listed("Median net exponent by least squares [5 %, 95 %]", found)
    return f"{listed('Exponent of all nets together as ε → 0, with its 95 % interval', laws)} {medians}".strip()


FIGURES = (
    Figure(
        "figure_10",
        "population",
        "Adversarial error under FGSM against ε of nets whose architectures were drawn at random",
        "Cubuk Fig. 10 shows the curves of hundreds of sampled nets on MNIST, which share one form.",
        ("trials/sets", "trials/*/nets", "trials/*/curves"),
        draw_curves,
        (_seen,),
        is_main=True,
    ),
    Figure(
        "population_exponents",
        "population",
        "How the exponents of sampled nets are distributed, by two estimators",
        "Cubuk Sec. 2 says that sampled nets have exponents between 0.9 and 1.2.",
        ("trials/sets", "trials/*/nets", "trials/*/exponents"),
        draw_exponents,
        (_seen,),
    ),
    Figure(
        "population_scatter",
        "population",
        "Exponents and errors of sampled nets against their size, depth and clean accuracy",
        OURS,
        ("trials/sets", "trials/*/nets"),
        draw_scatter,
        (
            "Each dot is a net. The upper row shows its exponent by least squares, the lower row its gross error at "
            "one ε.",
        ),
    ),
)
