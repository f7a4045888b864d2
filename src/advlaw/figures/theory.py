"""Cubuk Fig. 3 and Eq. 8: what linear response and mean-field theory predict, against what was measured."""

import itertools
from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm

from advlaw.core.io import Row, Tables
from advlaw.figures.style import COLOURS, MARKERS, RC, TEXT_WIDTH_INCHES, columns, grouped, legend_below, save_figure

ROUNDING = 1e-10  # residuals below it are no measurement
AXES = ("measured", "predicted")
TITLES = {"l2": "L2 (ε / √D)", "fgsm": "FGSM"}
CURVES = {
    "linear": ("linear response, ε̂_linear", COLOURS[0], "-"),
    "mean_field": ("mean field, right images", COLOURS[1], "-"),
    "mean_field_literal": ("mean field, all images", COLOURS[1], ":"),
}


def draw_theory(tables: Tables, folder: Path) -> list[str]:
    """Draw figure_3_NET for every net, and over all nets error_predictions, residuals and takeovers: .svg and .png."""
    drawn = []
    cells = grouped(tables.get("histograms", []), "net")
    for net, rows in grouped(tables.get("followed", []), "net").items():  # images that flip
        draw_figure_3(net, cells.get(net, []), rows, folder)
        drawn.append(f"figure_3_{net}")
    curves = [row for row in tables["curves"] if row["attack"] in TITLES]
    drawn += _draw_panels("error_predictions", grouped(curves, "attack", "net"), draw_predictions, folder)
    bent = [row for row in tables["residuals"] if float(row["residual"]) > ROUNDING]
    drawn += _draw_panels("residuals", {("all",): bent} if bent else {}, draw_residuals, folder)
    takeovers = grouped(tables.get("takeovers", []), "attack", only=tuple(TITLES))
    return drawn + _draw_panels("takeovers", takeovers, draw_takeovers, folder)


def draw_figure_3(net: str, cells: list[Row], followed: list[Row], folder: Path) -> None:
    """(a) logits of one image along its L2 ray; (b) eps_linear and (c) eps_MF against the measured threshold."""
    with plt.rc_context(RC):
        figure, axes = plt.subplots(1, 3, figsize=(TEXT_WIDTH_INCHES, 2.5))
        images = list(grouped(followed, "image").values())
        draw_logits(axes[0], images[len(images) // 2])
        axes[0].set_title(f"(a) {net}: one image's logits")
        titles = {"linear": "(b) linear response", "mean_field": "(c) mean field"}
        for ax, (name, title) in zip(axes[1:], titles.items(), strict=True):
            draw_thresholds(ax, [row for row in cells if row["prediction"] == name])
            ax.set_title(title)
        axes[1].set_ylabel("predicted ε̂")
        save_figure(figure, folder, f"figure_3_{net}")


def draw_logits(ax: Axes, rows: list[Row]) -> None:
    """Logits by clean rank, from largest (red) to smallest (blue); dashed: their linear response (Cubuk Fig. 3a)."""
    ranks = grouped(rows, "rank")
    colours = plt.get_cmap("coolwarm_r")(np.linspace(0.0, 1.0, len(ranks)))
    logits = np.array([columns(points, "logit")[0] for points in ranks.values()])
    crossed = np.flatnonzero(logits[0] < logits[1:].max(axis=0))
    (eps,) = columns(rows[: logits.shape[1]], "eps")
    end = eps[min(crossed[0] + 1, len(eps) - 1)] if len(crossed) else eps[-1]
    for colour, points in zip(colours, ranks.values(), strict=True):
        eps, logit, linear = columns(points, "eps", "logit", "linear")
        shown = eps <= end
        ax.plot(eps[shown], logit[shown], color=colour)
        ax.plot(eps[shown], linear[shown], color=colour, linestyle="--", linewidth=0.8)
    for style, label in (("-", "logits"), ("--", "linear response")):
        ax.plot([], [], style, color="#777777", label=label)
    ax.legend(loc="best")
    ax.set(xlabel="ε (L2, pixel units)", ylabel="logit")


def draw_thresholds(ax: Axes, cells: list[Row]) -> None:
    """Shaded counts of images by measured and predicted threshold, and the diagonal (Cubuk Fig. 3b, 3c)."""
    ax.set(xscale="log", yscale="log", xlabel="measured ε̂ (ε / √D)")
    if not cells:  # no image flips, or gaps do not close on average
        return
    edges = [_edges(cells, axis) for axis in AXES]
    density = np.full([len(found) - 1 for found in edges], np.nan)
    corners = (
        np.searchsorted(found, columns(cells, f"{axis}_high")[0] * 0.999) - 1
        for found, axis in zip(edges, AXES, strict=True)
    )
    density[tuple(corners)] = columns(cells, "count")[0]
    ax.pcolormesh(*edges, density.T, norm=LogNorm(), cmap="viridis", rasterized=True)
    low, high = max(edges[0][0], 1e-2), edges[0][-1]
    ax.plot([low, high], [low, high], color="#D55E00", linestyle="--", linewidth=1.0, label="predicted = measured")
    ax.legend(loc="upper left")
    ax.set(xlim=(low, high), ylim=(low, 4 * high))


def _edges(cells: list[Row], axis: str) -> np.ndarray:
    """All edges of logarithmic cells from the smallest to the largest, empty ones included."""
    low, high = columns(cells, f"{axis}_low", f"{axis}_high")
    n_cells = round(np.log(high.max() / low.min()) / np.log(high[0] / low[0]))
    return np.geomspace(low.min(), high.max(), n_cells + 1)


def draw_predictions(ax: Axes, rows: list[Row]) -> None:
    """Measured gross error with its interval, and the predicted curves (Cubuk Eq. 8)."""
    eps, measured, low, high = columns(rows, "grid_eps", "measured", "measured_low", "measured_high")
    above = measured > 0
    ax.set_title(f"{TITLES[rows[0]['attack']]}: {rows[0]['net']}")
    if not above.any():
        return
    ax.fill_between(eps[above], low[above], high[above], color="#777777", alpha=0.25, linewidth=0)
    ax.plot(eps[above], measured[above], "o", color="black", markerfacecolor="none", label="measured")
    for name, (label, colour, style) in CURVES.items():
        (share,) = columns(rows, name)
        ax.plot(eps[share > 0], share[share > 0], style, color=colour, label=label)
    ax.set(xscale="log", yscale="log", ylim=(0.7 * measured[above].min(), 1.5), xlabel="ε (pixel units, 0–255)")
    ax.set_ylabel("share of images broken")


def draw_residuals(ax: Axes, rows: list[Row]) -> None:
    """The mean distance of logits from their linear response against eps (Cubuk Eq. 16), and its slope at small eps."""
    marks = zip(itertools.cycle(COLOURS), itertools.cycle(MARKERS), strict=False)
    for (net, points), (colour, marker) in zip(grouped(rows, "net").items(), marks, strict=False):
        eps, residual = columns(points, "eps", "residual")
        label = f"{net}: slope {float(points[0]['slope'] or 'nan'):.2f}"
        ax.plot(eps, residual, marker, color=colour, markerfacecolor="none", label=label)
    ax.set(xscale="log", yscale="log", xlabel="ε (L2, pixel units)", ylabel="mean ‖h(ε) − h − εΓ‖₂")
    legend_below(ax, n_columns=2)


def draw_takeovers(ax: Axes, rows: list[Row]) -> None:
    """Of the attacks that succeed up to eps, how often the runner-up takes over first (claim C18)."""
    for (net, points), colour in zip(grouped(rows, "net").items(), itertools.cycle(COLOURS), strict=False):
        enough = [row for row in points if int(row["n_successes"]) >= 10]
        if not enough:
            continue
        eps, share, low, high = columns(enough, "grid_eps", "second_first", "low", "high")
        ax.fill_between(eps, low, high, color=colour, alpha=0.08, linewidth=0)
        ax.plot(eps, share, color=colour, label=net)
    ax.axhline(0.95, color="#777777", linestyle=":", label="0.95 (Cubuk Sec. 3.1)")
    if len(ax.lines) > 1:  # matplotlib has no logarithmic axis of nothing
        ax.set_xscale("log")
    ax.set(xlabel="ε (pixel units, 0–255)", ylabel="share in which rank 2 takes over first")
    ax.set_title(TITLES[rows[0]["attack"]])
    legend_below(ax, n_columns=2)


def _draw_panels(
    name: str, panels: dict[tuple[str, ...], list[Row]], draw: Callable[[Axes, list[Row]], None], folder: Path
) -> list[str]:
    """One panel for each group of rows, at most four in a row; a legend below the first where panels have none."""
    if not panels:
        return []
    n_columns = min(len(panels), 4) if len(panels) > 2 else 2
    n_rows = -(-len(panels) // n_columns)
    with plt.rc_context(RC):
        size = (TEXT_WIDTH_INCHES * min(1.0, 0.5 * len(panels)), (1.9 if len(panels) > 2 else 3.4) * n_rows)
        figure, axes = plt.subplots(n_rows, min(n_columns, len(panels)), figsize=size, squeeze=False)
        for ax, rows in zip(axes.flat, panels.values(), strict=False):
            draw(ax, rows)
        for ax in axes.flat[len(panels) :]:
            ax.set_visible(False)
        if axes[0][0].get_legend() is None:
            figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
        for ax in axes[:, 1:].flat:
            ax.set_ylabel("")
        save_figure(figure, folder, name)
    return [name]
