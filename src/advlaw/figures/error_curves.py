"""Cubuk Fig. 2 and 11, and others like them: adversarial error against eps, with the fitted power laws.

Points are the net error (clean minus adversarial accuracy) with pointwise intervals; lines are the reported fit, solid
in its range. One panel for each data set or net.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from advlaw.core.io import Cells
from advlaw.core.tables import Tables, chosen, groups, records
from advlaw.core.words import interval
from advlaw.figures.figure import Drawing, Figure, listed
from advlaw.figures.style import ATTACK_NAMES, EPS, in_panels, legend_below, looks

ARCHITECTURES = {"linear": "linear", "fc": "FC", "cnn": "CNN"}
PAPER_ATTACKS = ("l2", "fgsm", "pgd", "step_ll")
OWN = ("own_module", "own_file")  # a person's own model
ORDINARY = {"labels": "original", "snapshot": None, "defence": ""}  # at the end of training
SMALLEST_SHOWN = 1e-4
POINTS = ["curve", "grid_eps", "net_error", "net_low", "net_high"]
FITTED = (
    "Points: clean minus adversarial accuracy, shaded by its 95 % interval; lines: the fitted law, solid where fitted."
)


def _attack_label(row: Cells) -> str:
    return ATTACK_NAMES[row["attack"]]


def state_label(row: Cells) -> str:
    """`first 99.9% (epoch 61)`, or `end (epoch 90)`: when in its training a net was attacked."""
    when = "end" if math.isnan(row["snapshot"]) else f"first {100 * row['snapshot']:g}%"
    return f"{when} (epoch {row['epoch']:.0f})"


@dataclass(frozen=True)
class Curves:
    """Which of the reported exponents a figure shows with their curves, in which panel, and what its legend says."""

    what: str
    shows: Callable[[pd.DataFrame], pd.DataFrame]
    label: Callable[[Cells], str] = _attack_label
    panel: str = "dataset"
    contrast: str = ""  # a column of which a panel must show more than one value

    def fits(self, tables: Tables) -> pd.DataFrame:
        """The reported exponents, panel by panel, each with its `panel` and its `label`."""
        rows = self.shows(tables.rows("exponents", is_reported=True))
        labels = pd.Series(map(self.label, records(rows)), rows.index, dtype=object)
        rows = rows.assign(panel=rows[self.panel], label=labels)
        twice = rows.duplicated(["panel", "label"], keep=False)
        rows.loc[twice, "label"] += " (" + rows["sweep"][twice] + ")"
        if self.contrast:
            rows = rows[rows.groupby("panel")[self.contrast].transform("nunique") > 1]
        return rows.sort_values("panel", key=lambda panels: panels.factorize()[0], kind="stable")

    def draw(self, tables: Tables) -> Iterator[Drawing]:
        rows = self.fits(tables).merge(tables.rows("error_curves")[POINTS], on="curve")
        rows["fitted"] = fitted(rows, rows["grid_eps"])
        panels = {}
        for panel, curves in groups(rows, "panel"):
            split, n_images = curves.iloc[0][["split", "n_images"]]
            title = f"{panel}: {self.what} ({n_images:,} {'training' if split == 'train' else split} images)"
            panels[title] = partial(draw_error_curves, rows=curves)
        for drawing in in_panels(panels, 3.8, "adversarial error", sharey=True):
            yield replace(drawing, numbers=rows[["dataset", POINTS[0], "label", *POINTS[1:], "fitted"]])

    def exponents(self, tables: Tables, of: str) -> str:
        """The fitted exponent of every curve."""
        rows = self.fits(tables)
        is_ambiguous = rows["label"].duplicated().any()
        exponents = (
            (f"{row['sweep']} on {row['dataset']}, " if is_ambiguous else "") + f"{row['label']} {interval(row)}"
            for row in records(rows)
        )
        return listed("Exponents here, with 95 % intervals", exponents)


def fitted(fit: pd.DataFrame | Cells, grid_eps: pd.Series | np.ndarray) -> pd.Series | np.ndarray:
    """The reported power law at points of the shared grid; NaN where there is no fit."""
    return fit["amplitude"] * (grid_eps * fit["eps_scale"]) ** fit["exponent"]


def draw_error_curves(ax: Axes, rows: pd.DataFrame) -> None:
    """Points with intervals, fitted lines and a legend of exponents on log-log axes."""
    curves = list(groups(rows, "curve"))
    for (_, points), (colour, marker) in zip(curves, looks(len(curves)), strict=False):
        eps, error, low, high = points[POINTS[1:]].to_numpy().T
        ax.fill_between(eps, np.maximum(low, SMALLEST_SHOWN / 10), high, color=colour, alpha=0.15, linewidth=0)
        fit, above = records(points.head(1))[0], error > 0
        lost = f"; {fit['n_not_finite']:.0f} images not judged" if fit["n_not_finite"] > 0 else ""
        label = f"{fit['label']}: {exponent_text(fit)}{lost}"
        ax.plot(eps[above], error[above], marker, color=colour, markerfacecolor="none", label=label)
        if not math.isnan(fit["exponent"]):
            first, last = fit["eps_first"] / fit["eps_scale"], fit["eps_last"] / fit["eps_scale"]
            for ends, style in (((first, last), "-"), ((eps[0], min(4 * last, eps[-1])), ":")):
                ax.plot(ends, fitted(fit, np.array(ends)), color=colour, linestyle=style)
    smallest = min(rows["net_error"][rows["net_error"] > 0], default=SMALLEST_SHOWN)
    ax.set(xscale="log", yscale="log", ylim=(max(smallest, SMALLEST_SHOWN) / 1.5, 1.5), xlabel=EPS)
    legend_below(ax)


def exponent_text(row: Cells) -> str:
    """`B = 1.09 [1.01, 1.17]`, or why there is none."""
    return "no range to fit" if math.isnan(row["exponent"]) else f"B = {interval(row)}"


def _figure(
    name: str, chapter: str, title: str, paper: str, curves: Curves, words: str = FITTED, is_main: bool = False
) -> Figure:
    needs = ("error_curves", "exponents")
    return Figure(name, chapter, title, paper, needs, curves.draw, (curves.exponents, words), is_main)


FIGURES = (
    _figure(
        "figure_2a",
        "curves",
        "Adversarial error under FGSM against ε: a linear, a fully connected and a convolutional net",
        "Cubuk Fig. 2a: FGSM's error on MNIST is a power law for three architectures, a linear model among them.",
        Curves(
            "FGSM",
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
            "FGSM", lambda rows: chosen(rows, attack="fgsm", labels="shuffled", split="train"), state_label, "model"
        ),
        "Each state of training has its own law: the exponent depends on when training ends.",
        is_main=True,
    ),
    _figure(
        "figure_2c",
        "curves",
        "Adversarial error of a fully connected net against ε under FGSM, L2, step l.l. and PGD",
        "Cubuk Fig. 2c: attacks on the true label share an exponent near 1; that of step l.l. is about 2.",
        Curves("attacks on FC", lambda rows: chosen(rows, attack=PAPER_ATTACKS, arch="fc", **ORDINARY)),
        is_main=True,
    ),
    _figure(
        "figure_11",
        "curves",
        "Adversarial error of ResNets on CIFAR-10 against ε",
        "Cubuk Fig. 11: a ResNet-32 on CIFAR-10 follows a power law with an exponent of 0.99.",
        Curves(
            "ResNets",
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
        Curves("attacks", lambda rows: chosen(rows, attack=tuple(ATTACK_NAMES), arch=OWN, **ORDINARY), panel="model"),
    ),
    _figure(
        "clipping",
        "curves",
        "Adversarial error under FGSM with and without clipping to valid pixels",
        "No figure of the papers: Cubuk Eq. 1 does not clip, Kurakin's attacks do.",
        Curves(
            "FGSM on FC",
            lambda rows: chosen(rows, attack=("fgsm", "fgsm_clipped"), arch="fc", **ORDINARY),
            lambda row: "clipped to [0, 255]" if row["clip"] else "not clipped",
            contrast="clip",
        ),
        "Clipping cuts off what would leave the range of pixels, so that the same ε moves an image less.",
    ),
    _figure(
        "defended",
        "defences",
        "Adversarial error of defended nets under FGSM",
        "No figure of the papers: Cubuk Fig. 1 has adversarially trained ImageNet nets among others, with exponents of "
        "0.9 to 1.1 as all of them.",
        Curves(
            "FGSM, defended nets",
            lambda rows: chosen(rows[rows["defence"] != ""], attack="fgsm", snapshot=None),
            lambda row: row["model"],
        ),
    ),
)
