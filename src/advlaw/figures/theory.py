"""Cubuk Fig. 3 and Eq. 8: what linear response and mean-field theory predict, against what was measured."""

import math
from collections.abc import Iterator
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm

from advlaw.core.tables import Tables, groups, records
from advlaw.core.words import interval
from advlaw.figures.figure import Drawing, Figure, listed
from advlaw.figures.style import COLOURS, EPS, in_panels, legend_below, looks
from advlaw.papers.names import ATTACK_NAMES

ROUNDING = 1e-10  # residuals below it are no measurement
AXES = ("measured", "predicted")
TITLES = {"l2": f"{ATTACK_NAMES['l2']} (ε / √D)", "fgsm": ATTACK_NAMES["fgsm"]}
CURVES = {
    "linear": ("linear response, ε̂_linear", COLOURS[0], "-"),
    "mean_field": ("mean field, right images", COLOURS[1], "-"),
    "mean_field_literal": ("mean field, all images", COLOURS[1], ":"),
}


def draw_figure_3(tables: Tables) -> Iterator[Drawing]:
    """For every net with images that flip: (a) logits of one image along its L2 ray; (b) eps_linear and (c) eps_MF
    against the measured threshold."""
    for net, followed in groups(tables.rows("theory/followed"), "net"):
        images = [rows for _, rows in groups(followed, "image")]
        linear, mean_field = (
            tables.rows("theory/histograms", net=net, prediction=name) for name in ("linear", "mean_field")
        )
        panels = {
            f"(a) {net}: one image's logits": partial(draw_logits, rows=images[len(images) // 2]),
            "(b) linear response": partial(draw_thresholds, cells=linear, y_label="predicted ε̂"),
            "(c) mean field": partial(draw_thresholds, cells=mean_field),
        }
        yield from in_panels(panels, 2.5, "logit", of=net)


def draw_logits(ax: Axes, rows: pd.DataFrame) -> None:
    """Logits by clean rank, from largest (red) to smallest (blue); dashed: their linear response (Cubuk Fig. 3a)."""
    ranks = [points[["eps", "logit", "linear"]].to_numpy().T for _, points in groups(rows, "rank")]
    colours = plt.get_cmap("coolwarm_r")(np.linspace(0.0, 1.0, len(ranks)))
    logits, eps = np.array([logit for _, logit, _ in ranks]), ranks[0][0]
    crossed = np.flatnonzero(logits[0] < logits[1:].max(axis=0))
    end = eps[min(crossed[0] + 1, len(eps) - 1)] if len(crossed) else eps[-1]
    for colour, (eps, logit, linear) in zip(colours, ranks, strict=True):
        shown = eps <= end
        ax.plot(eps[shown], logit[shown], color=colour)
        ax.plot(eps[shown], linear[shown], color=colour, linestyle="--", linewidth=0.8)
    for style, label in (("-", "logits"), ("--", "linear response")):
        ax.plot([], [], style, color="#777777", label=label)
    ax.legend(loc="best")
    ax.set_xlabel("ε (L2, pixel units)")


def draw_thresholds(ax: Axes, cells: pd.DataFrame, y_label: str = "") -> None:
    """Shaded counts of images by measured and predicted threshold, and the diagonal (Cubuk Fig. 3b, 3c)."""
    ax.set(xscale="log", yscale="log", xlabel="measured ε̂ (ε / √D)", ylabel=y_label)
    if cells.empty:  # no image flips, or gaps do not close on average
        return
    edges = [_edges(*cells[[f"{axis}_low", f"{axis}_high"]].to_numpy().T) for axis in AXES]
    density = np.full([len(found) - 1 for found in edges], np.nan)
    corners = (
        np.searchsorted(found, cells[f"{axis}_high"].to_numpy() * 0.999) - 1
        for found, axis in zip(edges, AXES, strict=True)
    )
    density[tuple(corners)] = cells["count"]
    ax.pcolormesh(*edges, density.T, norm=LogNorm(), cmap="viridis", rasterized=True)
    low, high = max(edges[0][0], 1e-2), edges[0][-1]
    ax.plot([low, high], [low, high], color="#D55E00", linestyle="--", linewidth=1.0, label="predicted = measured")
    ax.legend(loc="upper left")
    ax.set(xlim=(low, high), ylim=(low, 4 * high))


def _edges(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """All edges of logarithmic cells from the smallest to the largest, empty ones included."""
    n_cells = round(np.log(high.max() / low.min()) / np.log(high[0] / low[0]))
    return np.geomspace(low.min(), high.max(), n_cells + 1)


def draw_error_predictions(tables: Tables) -> Iterator[Drawing]:
    """A panel for every attack and net."""
    panels = {
        f"{TITLES[attack]}: {net}": partial(draw_predictions, rows=rows)
        for (attack, net), rows in groups(tables.rows("theory/curves", attack=tuple(TITLES)), "attack", "net")
    }
    return in_panels(panels, 1.9 if len(panels) > 2 else 3.4, "share of images broken", in_a_row=4)


def draw_predictions(ax: Axes, rows: pd.DataFrame) -> None:
    """Measured gross error with its interval, and the predicted curves (Cubuk Eq. 8)."""
    eps, measured, low, high = rows[["grid_eps", "measured", "measured_low", "measured_high"]].to_numpy().T
    above = measured > 0
    if not above.any():
        return
    ax.fill_between(eps[above], low[above], high[above], color="#777777", alpha=0.25, linewidth=0)
    ax.plot(eps[above], measured[above], "o", color="black", markerfacecolor="none", label="measured")
    for name, (label, colour, style) in CURVES.items():
        share = rows[name].to_numpy()
        ax.plot(eps[share > 0], share[share > 0], style, color=colour, label=label)
    ax.set(xscale="log", yscale="log", ylim=(0.7 * measured[above].min(), 1.5), xlabel=EPS)


def draw_all_residuals(tables: Tables) -> Iterator[Drawing]:
    """One panel of all nets whose logits leave a residual."""
    rows = tables.rows("theory/residuals")
    bent = rows[rows["residual"] > ROUNDING]
    panels = {} if bent.empty else {"": partial(draw_residuals, rows=bent)}
    return in_panels(panels, 3.4, "mean ‖h(ε) − h − εΓ‖₂")


def draw_residuals(ax: Axes, rows: pd.DataFrame) -> None:
    """The mean distance of logits from their linear response against eps (Cubuk Eq. 16), and its slope at small eps."""
    for (net, points), (colour, marker) in zip(groups(rows, "net"), looks(rows["net"].nunique()), strict=False):
        label = f"{net}: slope {points['slope'].iloc[0]:.2f}"
        ax.plot(points["eps"], points["residual"], marker, color=colour, markerfacecolor="none", label=label)
    ax.set(xscale="log", yscale="log", xlabel="ε (L2, pixel units)")
    legend_below(ax, n_columns=2)


def draw_all_takeovers(tables: Tables) -> Iterator[Drawing]:
    """A panel for every attack."""
    rows = tables.rows("theory/takeovers", attack=tuple(TITLES))
    panels = {TITLES[attack]: partial(draw_takeovers, rows=own) for attack, own in groups(rows, "attack")}
    return in_panels(panels, 3.4, "share in which rank 2 takes over first")


def draw_takeovers(ax: Axes, rows: pd.DataFrame) -> None:
    """Of the attacks that succeed up to eps, how often the runner-up takes over first (claim C18)."""
    for (net, points), (colour, _) in zip(groups(rows, "net"), looks(rows["net"].nunique()), strict=False):
        enough = points[points["n_successes"] >= 10]
        if enough.empty:
            continue
        eps, share, low, high = enough[["grid_eps", "second_first", "low", "high"]].to_numpy().T
        ax.fill_between(eps, low, high, color=colour, alpha=0.08, linewidth=0)
        ax.plot(eps, share, color=colour, label=net)
    ax.axhline(0.95, color="#777777", linestyle=":", label="0.95 (Cubuk Sec. 3.1)")
    if len(ax.lines) > 1:  # matplotlib has no logarithmic axis of nothing
        ax.set_xscale("log")
    ax.set_xlabel(EPS)
    legend_below(ax, n_columns=2)


def _correlations(tables: Tables, net: str) -> str:
    found = [
        f"linear response {interval(row, 'spearman_linear')}, mean field {interval(row, 'spearman_mean_field')}"
        for row in records(tables.rows("theory/predictions", net=net, attack="l2"))
        if not (math.isnan(row["spearman_linear"]) or math.isnan(row["spearman_mean_field"]))
    ]
    return listed("Rank correlation of prediction and measurement", found)


def _slopes(tables: Tables, of: str) -> str:
    rows = records(tables.rows("theory/residuals"))
    found = (f"{row['net']} {row['slope']:.2f}" for row in rows if not math.isnan(row["slope"]))
    return listed("Slopes at small ε", found)


def _shares(attack: str, lead: str, tables: Tables, of: str) -> str:
    """How often the runner-up takes over first."""
    found = []
    for row in records(tables.rows("theory/predictions", attack=attack)):
        value, low, high = (100 * row[f"second_first{end}"] for end in ("", "_low", "_high"))
        if not math.isnan(value):
            found.append(f"{row['net']} {value:.1f} % [{low:.1f}, {high:.1f}]")
    return listed(lead, found)


FIGURES = (
    Figure(
        "figure_3",
        "theory",
        "Logits along one ray, and predicted against measured thresholds",
        "Cubuk Fig. 3: logits respond linearly to a small perturbation (a), which predicts the smallest ε that changes "
        "the class of each image (b), and so does the gap alone (c).",
        ("theory/followed",),
        draw_figure_3,
        (
            "Brighter cells hold more images. On the dashed diagonal the predicted threshold is the measured one.",
            _correlations,
        ),
        is_main=True,
        typical="fc",
    ),
    Figure(
        "error_predictions",
        "theory",
        "Share of images broken against ε: measured, and predicted from clean logits",
        "Cubuk Eq. 8 predicts the error from the gaps of clean images; the paper draws no such figure.",
        ("theory/curves",),
        draw_error_predictions,
        (
            "The table below gives the range of ε over which linear response and mean field stay within a tenth of "
            "the curve.",
        ),
    ),
    Figure(
        "residuals",
        "theory",
        "Mean distance of the logits from their linear response against ε",
        "Cubuk Eq. 4 takes logits to respond linearly to a small perturbation; the paper shows one image (Fig. 3a).",
        ("theory/residuals",),
        draw_all_residuals,
        (
            _slopes,
            "A smooth function leaves a residual of slope 2. Slope 1 means that the response of some images is not "
            "linear, however small ε is. A linear net leaves no residual and is not drawn.",
        ),
    ),
    Figure(
        "takeovers",
        "theory",
        "Share of the broken images whose runner-up class takes over first, against ε",
        "Cubuk Sec. 3.1 says that in more than 95 % of successful FGSM attacks with ε < 50 the second largest logit is "
        "the first to take over.",
        ("theory/takeovers",),
        draw_all_takeovers,
        (
            partial(_shares, "l2", "Share under the L2 attack up to an L2 norm of 50"),
            partial(_shares, "fgsm", "Under FGSM up to ε = 50 in L∞"),
        ),
    ),
)
