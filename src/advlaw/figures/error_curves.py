"""Cubuk Fig. 2 and 11: adversarial error against eps, with the fitted power laws.

(a) FGSM on every architecture; (b) FGSM on nets fitted to shuffled labels, on their own training images, at several
training accuracies; (c) the paper's four attacks on the fully connected nets; and FGSM with and without clipping to
[0, 255]. Fig. 11: ResNets on CIFAR-10. FGSM on nets with a defence. One panel for each data set, in (b) for each net.
Points are the net error (clean minus adversarial accuracy) with pointwise intervals; lines are the reported fit, solid
in its range.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from advlaw.core.io import Row, write_csv
from advlaw.figures.style import ATTACK_NAMES, COLOURS, MARKERS, RC, TEXT_WIDTH_INCHES, legend_below, save_figure

ARCHITECTURES = {"linear": "linear", "fc": "FC", "cnn": "CNN"}
OWN = ("own_module", "own_file")  # a person's own model
SMALLEST_SHOWN = 1e-4


@dataclass(frozen=True)
class DrawnCurve:
    """Points (E,) of one attack on one net, and the row of its reported exponent."""

    label: str
    fit: Row
    eps: np.ndarray
    error: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class FigureKind:
    """Which curves a figure shows, in which panel, and what each is called in its legend."""

    name: str
    title: str
    shows: Callable[[Row], bool]
    label: Callable[[Row], str]
    panel: Callable[[Row], str] = lambda row: row["dataset"]
    contrast: str | None = None  # a column of which a panel must show more than one value


def _attack_label(row: Row) -> str:
    return ATTACK_NAMES[row["attack"]]


def _architecture_label(row: Row) -> str:
    return ARCHITECTURES.get(row["arch"], row["arch"])


def state_label(row: Row) -> str:
    """`first 99.9% (epoch 61)`, or `end (epoch 90)`: when in its training a net was attacked."""
    when = f"first {100 * float(row['snapshot']):g}%" if row["snapshot"] else "end"
    return f"{when} (epoch {row['epoch']})"


def _is_ordinary(row: Row, *attacks: str) -> bool:
    """Of a net fitted to true labels, at the end of its training, without a defence."""
    is_plain = row["labels"] == "original" and not row["snapshot"] and not row["defence"]
    return is_plain and row["attack"] in attacks


def _is_of_fc(row: Row, *attacks: str) -> bool:
    return row["arch"] == "fc" and _is_ordinary(row, *attacks)


FIGURES = (
    FigureKind(
        "figure_2a",
        "FGSM",
        lambda row: _is_ordinary(row, "fgsm") and row["arch"] in ARCHITECTURES,
        _architecture_label,
    ),
    FigureKind(
        "figure_2b",
        "FGSM",
        lambda row: (row["attack"], row["labels"], row["split"]) == ("fgsm", "shuffled", "train"),
        state_label,
        lambda row: row["model"],
    ),
    FigureKind("figure_2c", "attacks on FC", lambda row: _is_of_fc(row, "l2", "fgsm", "pgd", "step_ll"), _attack_label),
    FigureKind(
        "figure_11",
        "ResNets",
        lambda row: _is_ordinary(row, "fgsm", "step_ll") and row["arch"] == "resnet",
        lambda row: f"{row['model']}, {ATTACK_NAMES[row['attack']]}",
    ),
    FigureKind(
        "defended",
        "FGSM, defended nets",
        lambda row: bool(row["defence"]) and row["attack"] == "fgsm" and not row["snapshot"],
        lambda row: row["model"],
    ),
    FigureKind(
        "own",
        "attacks",
        lambda row: row["arch"] in OWN and _is_ordinary(row, *ATTACK_NAMES),
        _attack_label,
        lambda row: row["model"],
    ),
    FigureKind(
        "clipping",
        "FGSM on FC",
        lambda row: _is_of_fc(row, "fgsm", "fgsm_clipped"),
        lambda row: "clipped to [0, 255]" if row["clip"] == "true" else "not clipped",
        contrast="clip",
    ),
)


def draw_figures(points: list[Row], exponents: list[Row], folder: Path) -> list[str]:
    """Draw every figure that the tables have curves for: NAME.svg, NAME.png, and NAME.csv with its numbers."""
    drawn = []
    reported = [row for row in exponents if row["is_reported"] == "true"]
    for kind in FIGURES:
        shown = [row for row in reported if kind.shows(row)]
        if panels := _panels(kind, shown, points):
            _draw(kind, panels, folder)
            write_csv(folder / f"{kind.name}.csv", *_plotted(panels))
            drawn.append(kind.name)
    return drawn


def _panels(kind: FigureKind, shown: list[Row], points: list[Row]) -> dict[str, list[DrawnCurve]]:
    """The curves of every panel."""
    panels: dict[str, list[DrawnCurve]] = {}
    labels = [(kind.panel(row), kind.label(row)) for row in shown]
    for row, (panel, label) in zip(shown, labels, strict=True):
        if labels.count((panel, label)) > 1:
            label = f"{label} ({row['sweep']})"
        panels.setdefault(panel, []).append(_curve(label, row, points))
    if kind.contrast is None:
        return panels
    return {panel: curves for panel, curves in panels.items() if len({c.fit[kind.contrast] for c in curves}) > 1}


def _curve(label: str, fit: Row, points: list[Row]) -> DrawnCurve:
    rows = [row for row in points if row["curve"] == fit["curve"]]
    columns = [
        np.array([float(row[name]) for row in rows]) for name in ("grid_eps", "net_error", "net_low", "net_high")
    ]
    return DrawnCurve(label, fit, *columns)


def _plotted(panels: dict[str, list[DrawnCurve]]) -> tuple[list[str], list[dict[str, object]]]:
    """The numbers in a figure: its columns and rows."""
    names = ("grid_eps", "net_error", "net_low", "net_high", "fitted")
    rows = []
    for curves in panels.values():
        for curve in curves:
            columns = zip(curve.eps, curve.error, curve.low, curve.high, _fitted(curve, curve.eps), strict=True)
            what = {"dataset": curve.fit["dataset"], "curve": curve.fit["curve"], "label": curve.label}
            rows += [{**what, **dict(zip(names, numbers, strict=True))} for numbers in columns]
    return ["dataset", "curve", "label", *names], rows


def _fitted(curve: DrawnCurve, grid_eps: np.ndarray) -> np.ndarray:
    """The reported power law at points of the shared grid; NaN where there is no fit."""
    if not curve.fit["exponent"]:
        return np.full(len(grid_eps), np.nan)
    eps = grid_eps * float(curve.fit["eps_scale"])
    return float(curve.fit["amplitude"]) * eps ** float(curve.fit["exponent"])


def _draw(kind: FigureKind, panels: dict[str, list[DrawnCurve]], folder: Path) -> None:
    with plt.rc_context(RC):
        n_panels = len(panels)
        figure, axes = plt.subplots(
            1,
            n_panels,
            figsize=(TEXT_WIDTH_INCHES * min(1.0, 0.5 * n_panels), 3.8),
            sharey=True,
            squeeze=False,
        )
        for ax, (panel, curves) in zip(axes[0], panels.items(), strict=True):
            split = {"train": "training"}.get(curves[0].fit["split"], curves[0].fit["split"])
            n_images = int(curves[0].fit["n_images"])
            draw_error_curves(ax, curves)
            ax.set_title(f"{panel}: {kind.title} ({n_images:,} {split} images)")
        axes[0][0].set_ylabel("adversarial error")
        save_figure(figure, folder, kind.name)


def draw_error_curves(ax: Axes, curves: list[DrawnCurve]) -> None:
    """Points with intervals, fitted lines and a legend of exponents on log-log axes."""
    markers = itertools.cycle(MARKERS)
    colours = itertools.cycle(COLOURS[:-1] if len(curves) > len(COLOURS) else COLOURS)  # pairs repeat after 42
    for curve, colour, marker in zip(curves, colours, markers, strict=False):
        above = curve.error > 0
        ax.fill_between(
            curve.eps,
            np.maximum(curve.low, SMALLEST_SHOWN / 10),
            curve.high,
            color=colour,
            alpha=0.15,
            linewidth=0,
        )
        n_lost = int(curve.fit.get("n_not_finite") or 0)
        label = f"{curve.label}: {exponent_text(curve.fit)}" + f"; {n_lost} images not judged" * (n_lost > 0)
        ax.plot(curve.eps[above], curve.error[above], marker, color=colour, markerfacecolor="none", label=label)
        _draw_fit(ax, curve, colour)
    smallest = min((float(error) for curve in curves for error in curve.error if error > 0), default=SMALLEST_SHOWN)
    ax.set(xscale="log", yscale="log", ylim=(max(smallest, SMALLEST_SHOWN) / 1.5, 1.5))
    ax.set_xlabel("ε (pixel units, 0–255)")
    legend_below(ax)


def _draw_fit(ax: Axes, curve: DrawnCurve, colour: str) -> None:
    if not curve.fit["exponent"]:
        return
    scale = float(curve.fit["eps_scale"])
    first, last = float(curve.fit["eps_first"]) / scale, float(curve.fit["eps_last"]) / scale
    for ends, style in (((first, last), "-"), ((curve.eps[0], min(4 * last, curve.eps[-1])), ":")):
        line = np.array(ends)
        ax.plot(line, _fitted(curve, line), color=colour, linestyle=style)


def exponent_text(row: Row) -> str:
    """`B = 1.09 [1.01, 1.17]`, or why there is none."""
    if not row["exponent"]:
        return "no range to fit"
    interval = f"[{float(row['exponent_low']):.2f}, {float(row['exponent_high']):.2f}]" if row["exponent_low"] else ""
    return f"B = {float(row['exponent']):.2f} {interval}"
