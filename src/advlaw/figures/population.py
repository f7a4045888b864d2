"""Cubuk Fig. 10: the curves of all sampled nets; how their exponents are distributed, and what goes with them.

Nets with clean accuracy above 80 %, as in the paper.
"""

import math
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from advlaw.core.io import Row
from advlaw.figures.style import ATTACK_NAMES, COLOURS, RC, TEXT_WIDTH_INCHES, columns, grouped, save_figure

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


def draw_population(
    nets: list[Row], curves: list[Row], exponents: list[Row], folder: Path, suffix: str = ""
) -> list[str]:
    """Draw figure_10, population_exponents and population_scatter from the tables of a drawn set.

    `suffix` is put behind their names, where a study has several sets.
    """
    shown = [row for row in nets if float(row["test_accuracy"] or 0) > SMALLEST_ACCURACY]
    if not shown:
        return []
    names = [f"{name}{suffix}" for name in ("figure_10", "population_exponents", "population_scatter")]
    with plt.rc_context(RC):
        _draw_curves(shown, curves, folder, names[0])
        _draw_exponents(grouped(shown, "attack"), exponents, folder, names[1])
        _draw_scatter(grouped(shown, "attack"), folder, names[2])
    return names


def _draw_curves(nets: list[Row], curves: list[Row], folder: Path, name: str) -> None:
    attacks = grouped(nets, "attack")
    points = grouped(curves, "attack", "net")
    figure, axes = plt.subplots(
        1, len(attacks), figsize=(TEXT_WIDTH_INCHES * min(1.0, 0.6 * len(attacks)), 3.4), sharey=True, squeeze=False
    )
    for ax, (attack, rows) in zip(axes[0], attacks.items(), strict=True):
        for row in rows:
            eps, error = columns(points[attack, row["net"]], "grid_eps", "net_error")
            above = error > 0
            _, colour = KINDS[row["arch"]]
            alpha, many = max(0.15, 0.6 - len(rows) / 500), len(rows) > MANY
            ax.plot(eps[above], error[above], color=colour, linewidth=0.5, alpha=alpha, rasterized=many)
        for arch, (kind, colour) in KINDS.items():
            count = sum(row["arch"] == arch for row in rows)
            if count:
                ax.plot([], [], color=colour, label=f"{kind} ({count})")
        _draw_slope(ax, points[attack, rows[0]["net"]], 1 if rows[0]["target"] == "true_label" else 2)
        n_images = f"{int(rows[0]['n_images']):,}"
        ax.set(xscale="log", yscale="log", ylim=(0.7 / int(rows[0]["n_images"]), 1.5), xlabel="ε (pixel units, 0–255)")
        ax.set_title(f"{ATTACK_NAMES.get(attack, attack)}: {len(rows)} sampled nets, {n_images} test images")
        ax.legend(loc="lower right")
    axes[0][0].set_ylabel("adversarial error")
    save_figure(figure, folder, name)


def _draw_slope(ax: Axes, points: list[Row], slope: int) -> None:
    """A dashed guide beside the curves, of the exponent that the paper finds for such attacks."""
    (eps,) = columns(points, "grid_eps")
    middle = np.sqrt(eps[0] * eps[-1])
    line = np.array([middle / 10, middle * 5])
    ax.plot(line, 0.06 * (line / line[-1]) ** slope, "k--", linewidth=1.0, label=f"slope {slope}")


def _draw_exponents(attacks: dict[str, list[Row]], exponents: list[Row], folder: Path, name: str) -> None:
    """A histogram for every attack and estimator; the paper's band is shaded."""
    figure, axes = plt.subplots(
        len(attacks), len(ESTIMATES), figsize=(TEXT_WIDTH_INCHES, 0.3 + 2.3 * len(attacks)), squeeze=False
    )
    for line, (attack, rows) in zip(axes, attacks.items(), strict=True):
        for ax, (estimate, what) in zip(line, ESTIMATES.items(), strict=True):
            summary = next(
                row for row in exponents if (row["attack"], row["estimate"], row["nets"]) == (attack, estimate, "all")
            )
            title = f"{ATTACK_NAMES.get(attack, attack)}, {what}"
            _draw_histogram(ax, title, rows, f"{estimate}_exponent", summary)
        line[0].set_ylabel("nets")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    save_figure(figure, folder, name)


def _draw_histogram(ax: Axes, title: str, rows: list[Row], column: str, summary: Row) -> None:
    by_kind = {arch: columns(rows, column)[0] for arch, rows in grouped(rows, "arch").items()}
    known = np.concatenate([values[~np.isnan(values)] for values in by_kind.values()])
    if len(known) == 0:
        return
    low, high = np.quantile(known, [0.01, 0.99])  # of step l.l., single fits lie far out: they are in the end bins
    edges = np.linspace(low - 0.02, high + 0.02, 1 + max(8, min(BINS, round(2 * math.sqrt(len(known))))))
    if summary["band_low"]:
        low, high = (float(summary[name]) for name in ("band_low", "band_high"))
        ax.axvspan(low, high, color="#DDDDDD", zorder=0, label="the paper's range")
        ends = ", ".join(f"{float(summary[name]):.0%}" for name in ("share_low", "share_high"))
        title += f": {float(summary['share']):.0%} [{ends}] in {low:g}–{high:g}"
    ax.set(title=title, xlabel="exponent of the net error")
    kinds = [arch for arch in KINDS if arch in by_kind]
    ax.hist(
        [np.clip(by_kind[arch], edges[0], edges[-1]) for arch in kinds],
        bins=edges.tolist(),
        stacked=True,
        color=[KINDS[arch][1] for arch in kinds],
        label=[KINDS[arch][0] for arch in kinds],
    )


def _draw_scatter(attacks: dict[str, list[Row]], folder: Path, name: str) -> None:
    """Exponent and error at a reference eps against size, depth and clean accuracy, of the first attack."""
    attack, rows = next(iter(attacks.items()))
    errors = [name for name in rows[0] if name.startswith("error_at_")]
    chosen = errors[len(errors) // 2]
    heights = {
        "net_ls_exponent": "exponent (least squares)",
        chosen: f"gross error at ε = {chosen[len('error_at_') :]}",
    }
    figure, axes = plt.subplots(2, len(AGAINST), figsize=(TEXT_WIDTH_INCHES, 4.2), sharex="col", sharey="row")
    for line, (height, y_label) in zip(axes, heights.items(), strict=True):
        for ax, width in zip(line, AGAINST, strict=True):
            for arch, members in grouped(rows, "arch").items():
                x, y = columns(members, width, height)
                kind, colour = KINDS[arch]
                ax.plot(x, y, "o", color=colour, markersize=2.2, alpha=0.6, markeredgewidth=0, label=kind)
            if width == "n_parameters":
                ax.set_xscale("log")
                ax.xaxis.set_minor_formatter(NullFormatter())  # matplotlib's labels run into each other
            if width == "layers":
                ax.set_xticks(range(1, 1 + max(int(row["layers"]) for row in rows)))
        line[0].set_ylabel(y_label)
    for ax, x_label in zip(axes[-1], AGAINST.values(), strict=True):
        ax.set_xlabel(x_label)
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    figure.suptitle(f"{ATTACK_NAMES.get(attack, attack)}: {len(rows)} sampled nets", fontsize=8)
    save_figure(figure, folder, name)
