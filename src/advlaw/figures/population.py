"""Cubuk Fig. 10: the curves of all sampled nets; how their exponents are distributed, and what goes with them.

Nets with clean accuracy above 80 %, as in the paper. Each figure is drawn for every drawn set; the first set's has the
figure's own name.
"""

import math
from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from advlaw.core.io import Cells
from advlaw.core.tables import Tables, groups, records
from advlaw.figures.figure import Drawing, Figure, listed
from advlaw.figures.style import ATTACK_NAMES, COLOURS, EPS, TEXT_WIDTH_INCHES, panels

SMALLEST_ACCURACY = 0.8
KINDS = {"fc": ("fully connected", COLOURS[0]), "cnn": ("convolutional", COLOURS[1])}
ESTIMATES = {"net_ls": "least squares", "net": "maximum likelihood"}
BINS = 30
AGAINST = {
    "n_parameters": "parameters",
    "layers": "hidden layers or convolutions",
    "test_accuracy": "clean test accuracy",
}
MANY = 300  # curves; more would make a slow SVG and are drawn as pixels


def _sets(tables: Tables) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """What the figure's name says of it, name and nets of every drawn set that has accurate nets."""
    first = ""
    for name in tables.rows("trials/sets", kind="drawn")["set"]:
        nets = tables.rows(f"trials/{name}/nets")
        shown = nets[nets["test_accuracy"] > SMALLEST_ACCURACY]
        if not shown.empty:
            first = first or name
            yield ("" if name == first else name), name, shown


def draw_curves(tables: Tables) -> Iterator[Drawing]:
    """Every net's curve, a panel for each attack."""
    for of, name, nets in _sets(tables):
        points = dict(groups(tables.rows(f"trials/{name}/curves"), "attack", "net"))
        attacks = list(groups(nets, "attack"))
        sheet, axes = panels(len(attacks), 3.4, width=0.6, sharey=True)
        for ax, (attack, rows) in zip(axes[0], attacks, strict=True):
            for net, arch in zip(rows["net"], rows["arch"], strict=True):
                eps, error = points[attack, net][["grid_eps", "net_error"]].to_numpy().T
                above = error > 0
                alpha, many = max(0.15, 0.6 - len(rows) / 500), len(rows) > MANY
                ax.plot(eps[above], error[above], color=KINDS[arch][1], linewidth=0.5, alpha=alpha, rasterized=many)
            for arch, (kind, colour) in KINDS.items():
                if count := (rows["arch"] == arch).sum():
                    ax.plot([], [], color=colour, label=f"{kind} ({count})")
            first = records(rows.head(1))[0]
            _draw_slope(ax, eps, 1 if first["target"] == "true_label" else 2)
            ax.set(xscale="log", yscale="log", ylim=(0.7 / first["n_images"], 1.5), xlabel=EPS)
            ax.set_title(f"{_of_nets(attack, rows)}, {first['n_images']:,} test images")
            ax.legend(loc="lower right")
        axes[0][0].set_ylabel("adversarial error")
        yield Drawing(sheet, of)


def _of_nets(attack: str, nets: pd.DataFrame) -> str:
    return f"{ATTACK_NAMES.get(attack, attack)}: {len(nets)} sampled nets"


def _draw_slope(ax: Axes, eps: np.ndarray, slope: int) -> None:
    """A dashed guide beside the curves, of the exponent that the paper finds for such attacks."""
    middle = np.sqrt(eps[0] * eps[-1])
    line = np.array([middle / 10, middle * 5])
    ax.plot(line, 0.06 * (line / line[-1]) ** slope, "k--", linewidth=1.0, label=f"slope {slope}")


def draw_exponents(tables: Tables) -> Iterator[Drawing]:
    """A histogram for every attack and estimator; the paper's band is shaded."""
    for of, name, nets in _sets(tables):
        attacks = list(groups(nets, "attack"))
        size = (TEXT_WIDTH_INCHES, 0.3 + 2.3 * len(attacks))
        sheet, axes = plt.subplots(len(attacks), len(ESTIMATES), figsize=size, squeeze=False)
        for line, (attack, rows) in zip(axes, attacks, strict=True):
            for ax, (estimate, what) in zip(line, ESTIMATES.items(), strict=True):
                summary = tables.rows(f"trials/{name}/exponents", attack=attack, estimate=estimate, nets="all")
                title = f"{ATTACK_NAMES.get(attack, attack)}, {what}"
                _draw_histogram(ax, title, rows, f"{estimate}_exponent", records(summary)[0])
            line[0].set_ylabel("nets")
        handles, labels = axes[0][0].get_legend_handles_labels()
        sheet.legend(handles, labels, loc="outside lower center", ncols=len(labels))
        yield Drawing(sheet, of)


def _draw_histogram(ax: Axes, title: str, rows: pd.DataFrame, column: str, summary: Cells) -> None:
    known = rows[column].dropna()
    if known.empty:
        return
    low, high = np.quantile(known, [0.01, 0.99])  # of step l.l., single fits lie far out: they are in the end bins
    edges = np.linspace(low - 0.02, high + 0.02, 1 + max(8, min(BINS, round(2 * math.sqrt(len(known))))))
    if not math.isnan(summary["band_low"]):
        low, high = summary["band_low"], summary["band_high"]
        ax.axvspan(low, high, color="#DDDDDD", zorder=0, label="the paper's range")
        ends = ", ".join(f"{summary[name]:.0%}" for name in ("share_low", "share_high"))
        title += f": {summary['share']:.0%} [{ends}] in {low:g}–{high:g}"
    ax.set(title=title, xlabel="exponent of the net error")
    by_kind = dict(groups(rows, "arch"))
    kinds = [arch for arch in KINDS if arch in by_kind]
    ax.hist(
        [by_kind[arch][column].clip(edges[0], edges[-1]).to_numpy() for arch in kinds],
        bins=edges.tolist(),
        stacked=True,
        color=[KINDS[arch][1] for arch in kinds],
        label=[KINDS[arch][0] for arch in kinds],
    )


def draw_scatter(tables: Tables) -> Iterator[Drawing]:
    """Exponent and error at a reference eps against size, depth and clean accuracy, of the first attack."""
    for of, _, nets in _sets(tables):
        attack, rows = next(groups(nets, "attack"))
        errors = [name for name in rows if name.startswith("error_at_")]
        chosen = errors[len(errors) // 2]
        heights = {
            "net_ls_exponent": "exponent (least squares)",
            chosen: f"gross error at ε = {chosen.removeprefix('error_at_')}",
        }
        sheet, axes = panels(2 * len(AGAINST), 2.1, in_a_row=len(AGAINST), sharex="col", sharey="row")
        for line, (height, y_label) in zip(axes, heights.items(), strict=True):
            for ax, width in zip(line, AGAINST, strict=True):
                for arch, members in groups(rows, "arch"):
                    kind, colour = KINDS[arch]
                    look = {"color": colour, "markersize": 2.2, "alpha": 0.6, "markeredgewidth": 0}
                    ax.plot(members[width], members[height], "o", label=kind, **look)
            line[0].set_ylabel(y_label)
        for size, depth in axes[:, :2]:
            size.set_xscale("log")
            size.xaxis.set_minor_formatter(NullFormatter())  # matplotlib's labels run into each other
            depth.set_xticks(range(1, 1 + rows["layers"].max()))
        for ax, x_label in zip(axes[-1], AGAINST.values(), strict=True):
            ax.set_xlabel(x_label)
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
    return listed("Median net exponent by least squares [5 %, 95 %]", found)


FIGURES = (
    Figure(
        "figure_10",
        "population",
        "Adversarial error under FGSM against ε of nets whose architectures were drawn at random",
        ("trials/sets", "trials/*/nets", "trials/*/curves"),
        draw_curves,
        _seen,
        "Cubuk Fig. 10: the curves of hundreds of sampled nets on MNIST, said to share one form.",
        is_main=True,
    ),
    Figure(
        "population_exponents",
        "population",
        "How the exponents of sampled nets are distributed, by two estimators",
        ("trials/sets", "trials/*/nets", "trials/*/exponents"),
        draw_exponents,
        _seen,
        "Cubuk Sec. 2 says that sampled nets have exponents between 0.9 and 1.2.",
    ),
    Figure(
        "population_scatter",
        "population",
        "Exponents and errors of sampled nets against their size, depth and clean accuracy",
        ("trials/sets", "trials/*/nets"),
        draw_scatter,
        "Each dot is a net: above its exponent by least squares, below its gross error at one ε.",
    ),
)
