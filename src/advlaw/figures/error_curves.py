"""Cubuk Fig. 2 and 11: adversarial error against eps, with the fitted power laws.

(a) FGSM on every architecture; (b) FGSM on nets fitted to shuffled labels, on their own training images, at several
training accuracies; (c) the paper's four attacks on the fully connected nets; and FGSM with and without clipping to
[0, 255]. Fig. 11: ResNets on CIFAR-10. FGSM on nets with a defence. One panel for each data set, in (b) for each net.
Points are the net error (clean minus adversarial accuracy) with pointwise intervals; lines are the reported fit, solid
in its range.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from advlaw.core.io import Cells
from advlaw.core.tables import Tables, chosen, groups, records
from advlaw.core.words import interval
from advlaw.figures.figure import Drawing, Figure, joined, listed
from advlaw.figures.style import ATTACK_NAMES, EPS, legend_below, looks, panels

ARCHITECTURES = {"linear": "linear", "fc": "FC", "cnn": "CNN"}
OWN = ("own_module", "own_file")  # a person's own model
ORDINARY = {"labels": "original", "snapshot": None, "defence": ""}  # at the end of training
SMALLEST_SHOWN = 1e-4
NUMBERS = ["dataset", "curve", "label", "grid_eps", "net_error", "net_low", "net_high", "fitted"]
FITTED = (
    "Points: clean minus adversarial accuracy, shaded by its 95 % interval; lines: the fitted law, solid where fitted."
)


@dataclass(frozen=True)
class DrawnCurve:
    """One attack on one net: its points on the shared grid, and the row of its reported exponent."""

    label: str
    fit: Cells
    points: pd.DataFrame

    def fitted(self, grid_eps: np.ndarray) -> np.ndarray:
        """The reported power law at points of the shared grid; NaN where there is no fit."""
        return self.fit["amplitude"] * (grid_eps * self.fit["eps_scale"]) ** self.fit["exponent"]


@dataclass(frozen=True)
class Curves:
    """Which curves a figure shows, what it says of them, in which panel each is, and what its legend calls it."""

    what: str
    words: str
    shows: Callable[[pd.DataFrame], pd.DataFrame]
    label: Callable[[Cells], str]
    panel: str = "dataset"
    contrast: str = ""  # a column of which a panel must show more than one value

    def in_panels(self, tables: Tables) -> dict[str, list[tuple[str, Cells]]]:
        """Labels and reported exponents of the curves in every panel."""
        found: dict[str, list[tuple[str, Cells]]] = {}
        for panel, rows in groups(self.shows(tables.rows("exponents", is_reported=True)), self.panel):
            if not self.contrast or rows[self.contrast].nunique() > 1:
                labels = [self.label(row) for row in records(rows)]
                often = Counter(labels)
                found[panel] = [
                    (f"{label} ({row['sweep']})" if often[label] > 1 else label, row)
                    for label, row in zip(labels, records(rows), strict=True)
                ]
        return found

    def draw(self, tables: Tables) -> Iterator[Drawing]:
        points = dict(groups(tables.rows("error_curves"), "curve"))
        shown = {
            panel: [DrawnCurve(label, fit, points[fit["curve"]]) for label, fit in found]
            for panel, found in self.in_panels(tables).items()
        }
        if not shown:
            return
        sheet, axes = panels(len(shown), 3.8, sharey=True)
        for ax, (panel, curves) in zip(axes[0], shown.items(), strict=True):
            draw_error_curves(ax, curves)
            split = {"train": "training"}.get(curves[0].fit["split"], curves[0].fit["split"])
            ax.set_title(f"{panel}: {self.what} ({curves[0].fit['n_images']:,} {split} images)")
        axes[0][0].set_ylabel("adversarial error")
        drawn = [curve for curves in shown.values() for curve in curves]
        numbers = [
            curve.points.assign(label=curve.label, fitted=curve.fitted(curve.points["grid_eps"].to_numpy()))
            for curve in drawn
        ]
        yield Drawing(sheet, numbers=pd.concat(numbers)[NUMBERS])

    def seen(self, tables: Tables, of: str) -> str:
        """The fitted exponent of every curve."""
        found = [curve for curves in self.in_panels(tables).values() for curve in curves]
        is_ambiguous = len({label for label, _ in found}) < len(found)
        exponents = (
            (f"{row['sweep']} on {row['dataset']}, " if is_ambiguous else "") + f"{label} {interval(row)}"
            for label, row in found
        )
        return joined(listed("Exponents here, with 95 % intervals", exponents), self.words)


def _attack_label(row: Cells) -> str:
    return ATTACK_NAMES[row["attack"]]


def state_label(row: Cells) -> str:
    """`first 99.9% (epoch 61)`, or `end (epoch 90)`: when in its training a net was attacked."""
    when = "end" if math.isnan(row["snapshot"]) else f"first {100 * row['snapshot']:g}%"
    return f"{when} (epoch {row['epoch']:.0f})"


def draw_error_curves(ax: Axes, curves: list[DrawnCurve]) -> None:
    """Points with intervals, fitted lines and a legend of exponents on log-log axes."""
    for curve, (colour, marker) in zip(curves, looks(len(curves)), strict=False):
        eps, error, low, high = curve.points[["grid_eps", "net_error", "net_low", "net_high"]].to_numpy().T
        ax.fill_between(eps, np.maximum(low, SMALLEST_SHOWN / 10), high, color=colour, alpha=0.15, linewidth=0)
        n_lost = curve.fit["n_not_finite"]
        label = f"{curve.label}: {exponent_text(curve.fit)}" + (
            f"; {n_lost:.0f} images not judged" if n_lost > 0 else ""
        )
        above = error > 0
        ax.plot(eps[above], error[above], marker, color=colour, markerfacecolor="none", label=label)
        _draw_fit(ax, curve, colour)
    errors = np.concatenate([curve.points["net_error"] for curve in curves])
    smallest = min(errors[errors > 0], default=SMALLEST_SHOWN)
    ax.set(xscale="log", yscale="log", ylim=(max(smallest, SMALLEST_SHOWN) / 1.5, 1.5), xlabel=EPS)
    legend_below(ax)


def _draw_fit(ax: Axes, curve: DrawnCurve, colour: str) -> None:
    if math.isnan(curve.fit["exponent"]):
        return
    first, last = (curve.fit[end] / curve.fit["eps_scale"] for end in ("eps_first", "eps_last"))
    grid = curve.points["grid_eps"]
    for ends, style in (((first, last), "-"), ((grid.iloc[0], min(4 * last, grid.iloc[-1])), ":")):
        line = np.array(ends)
        ax.plot(line, curve.fitted(line), color=colour, linestyle=style)


def exponent_text(row: Cells) -> str:
    """`B = 1.09 [1.01, 1.17]`, or why there is none."""
    return "no range to fit" if math.isnan(row["exponent"]) else f"B = {interval(row)}"


def _figure(name: str, chapter: str, title: str, paper: str, curves: Curves, is_main: bool = False) -> Figure:
    return Figure(name, chapter, title, ("error_curves", "exponents"), curves.draw, curves.seen, paper, is_main)


FIGURES = (
    _figure(
        "figure_2a",
        "curves",
        "Adversarial error under FGSM against ε: a linear, a fully connected and a convolutional net",
        "Cubuk Fig. 2a: FGSM's error on MNIST is a power law for three architectures, a linear model among them.",
        Curves(
            "FGSM",
            FITTED,
            lambda rows: chosen(rows, attack="fgsm", arch=tuple(ARCHITECTURES), **ORDINARY),
            lambda row: ARCHITECTURES[row["arch"]],
        ),
        is_main=True,
    ),
    _figure(
        "figure_2b",
        "shuffled",
        "Adversarial error under FGSM of nets fitted to shuffled labels, on their training images",
        "Cubuk Fig. 2b: a net that fits shuffled labels perfectly has nearly the same exponent on its training images.",
        Curves(
            "FGSM",
            "Each state of training has its own law: the exponent depends on when training ends.",
            lambda rows: chosen(rows, attack="fgsm", labels="shuffled", split="train"),
            state_label,
            panel="model",
        ),
        is_main=True,
    ),
    _figure(
        "figure_2c",
        "curves",
        "Adversarial error of a fully connected net against ε under FGSM, L2, step l.l. and PGD",
        "Cubuk Fig. 2c: attacks on the true label share an exponent near 1; that of step l.l. is about 2.",
        Curves(
            "attacks on FC",
            FITTED,
            lambda rows: chosen(rows, attack=("l2", "fgsm", "pgd", "step_ll"), arch="fc", **ORDINARY),
            _attack_label,
        ),
        is_main=True,
    ),
    _figure(
        "figure_11",
        "curves",
        "Adversarial error of ResNets on CIFAR-10 against ε",
        "Cubuk Fig. 11: a ResNet-32 on CIFAR-10 follows a power law with an exponent of 0.99.",
        Curves(
            "ResNets",
            FITTED,
            lambda rows: chosen(rows, attack=("fgsm", "step_ll"), arch="resnet", **ORDINARY),
            lambda row: f"{row['model']}, {_attack_label(row)}",
        ),
        is_main=True,
    ),
    _figure(
        "own",
        "curves",
        "Adversarial error of a person's own model",
        "No figure of the papers: Cubuk Fig. 2c has these attacks on a fully connected net on MNIST.",
        Curves(
            "attacks",
            FITTED,
            lambda rows: chosen(rows, attack=tuple(ATTACK_NAMES), arch=OWN, **ORDINARY),
            _attack_label,
            panel="model",
        ),
    ),
    _figure(
        "clipping",
        "curves",
        "Adversarial error under FGSM with and without clipping to valid pixels",
        "No figure of the papers: Cubuk Eq. 1 does not clip, Kurakin's attacks do.",
        Curves(
            "FGSM on FC",
            "Clipping cuts off what would leave the range of pixels, so that the same ε moves an image less.",
            lambda rows: chosen(rows, attack=("fgsm", "fgsm_clipped"), arch="fc", **ORDINARY),
            lambda row: "clipped to [0, 255]" if row["clip"] else "not clipped",
            contrast="clip",
        ),
    ),
    _figure(
        "defended",
        "defences",
        "Adversarial error of defended nets under FGSM",
        "No figure of the papers: Cubuk Fig. 1 has adversarially trained ImageNet nets among others, with exponents of "
        "0.9 to 1.1 as all of them.",
        Curves(
            "FGSM, defended nets",
            FITTED,
            lambda rows: chosen(rows[rows["defence"] != ""], attack="fgsm", snapshot=None),
            lambda row: row["model"],
        ),
    ),
)
