"""Cubuk Fig. 2 and 11, and others like them: adversarial error against eps, with the fitted laws.

Points are the net error (clean minus adversarial accuracy) with pointwise intervals. Solid lines are the fitted law,
with the smooth factor that lets it bend, over its range; dashed ones are its tangents as eps -> 0, of slope B. One
panel for each data set or net.
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
from advlaw.core.words import interval, law
from advlaw.figures.figure import Drawing, Figure, listed
from advlaw.figures.style import ATTACK_NAMES, EPS, in_panels, legend_below, looks

ARCHITECTURES = {"linear": "linear", "fc": "FC", "cnn": "CNN"}
PAPER_ATTACKS = ("l2", "fgsm", "pgd", "step_ll")
OWN = ("own_module", "own_file", "timm")  # of others
ORDINARY = {"labels": "original", "snapshot": None, "defence": ""}  # at the end of training
SMALLEST_SHOWN = 1e-4
POINTS = ["curve", "grid_eps", "net_error", "net_low", "net_high"]
LINES = ["curve", "grid_eps", "fitted", "tangent"]
FITTED = (
    "Points show clean minus adversarial accuracy; the shading is its 95 % interval. Solid lines show the fit, a power "
    "of ε times a smooth factor, over its range. Dashed lines show its tangent as ε → 0, whose slope is the exponent B."
)


def _attack_label(row: Cells) -> str:
    return ATTACK_NAMES[row["attack"]]


def state_label(row: Cells) -> str:
    """`first 99.9% (epoch 61)`, or `end (epoch 90)`: when in its training a net was attacked."""
    when = "end" if math.isnan(row["snapshot"]) else f"first {100 * row['snapshot']:g}%"
    return f"{when} (epoch {row['epoch']:.0f})"


@dataclass(frozen=True)
class Curves:
    """Which curves a figure shows with their laws, in which panel, and what its legend says."""

    what: str
    shows: Callable[[pd.DataFrame], pd.DataFrame]
    label: Callable[[Cells], str] = _attack_label
    panel: str = "dataset"
    contrast: str = ""  # a column of which a panel must show more than one value

    def laws(self, tables: Tables) -> pd.DataFrame:
        """The exponents as eps -> 0, panel by panel, each with its `panel` and its `label`."""
        rows = self.shows(tables.rows("laws/exponents"))
        labels = pd.Series(map(self.label, records(rows)), rows.index, dtype=object)
        rows = rows.assign(panel=rows[self.panel], label=labels)
        twice = rows.duplicated(["panel", "label"], keep=False)
        rows.loc[twice, "label"] += " (" + rows["sweep"][twice] + ")"
        if self.contrast:
            rows = rows[rows.groupby("panel")[self.contrast].transform("nunique") > 1]
        return rows.sort_values("panel", key=lambda panels: panels.factorize()[0], kind="stable")

    def draw(self, tables: Tables) -> Iterator[Drawing]:
        laws = self.laws(tables)
        lines = tables.rows("laws/lines").reindex(columns=LINES)
        lines = lines[lines["curve"].isin(laws["curve"][laws["remark"] == ""])]
        rows = laws.merge(pd.concat([tables.rows("error_curves")[POINTS], lines]), on="curve")
        panels = {}
        for panel, curves in groups(rows, "panel"):
            split, n_images = curves.iloc[0][["split", "n_images"]]
            title = f"{panel}: {self.what} ({n_images:,} {'training' if split == 'train' else split} images)"
            panels[title] = partial(draw_error_curves, rows=curves)
        for drawing in in_panels(panels, 3.8, "adversarial error", in_a_row=2, sharey=True):
            yield replace(drawing, numbers=rows[["dataset", "curve", "label", *POINTS[1:], *LINES[2:]]])

    def exponents(self, tables: Tables, of: str) -> str:
        """The exponent of every curve as eps -> 0."""
        return listed(
            "Exponents as ε → 0, with 95 % intervals", (f"{name} {law(row)}" for name, row in self._named(tables))
        )

    def mean_slopes(self, tables: Tables, of: str) -> str:
        """What is no exponent as eps -> 0: the slope over the range, with every error of the same weight."""
        slopes = {(row["curve"], row["kind"]): row for row in records(tables.rows("exponents", estimator="mean_slope"))}
        found = (f"{name} {interval(slopes[row['curve'], row['kind']])}" for name, row in self._named(tables))
        return listed(
            "Mean slopes up to a tenth of clean accuracy, which are larger where a curve bends upwards", found
        )

    def _named(self, tables: Tables) -> Iterator[tuple[str, Cells]]:
        laws = self.laws(tables)
        is_ambiguous = laws["label"].duplicated().any()
        for row in records(laws):
            yield (f"{row['sweep']} on {row['dataset']}, " if is_ambiguous else "") + row["label"], row


def draw_error_curves(ax: Axes, rows: pd.DataFrame) -> None:
    """Points with intervals, fitted lines with their tangents, and a legend of exponents on log-log axes."""
    curves = list(groups(rows, "curve"))
    for (_, own), (colour, marker) in zip(curves, looks(len(curves)), strict=False):
        about, points, line = records(own.head(1))[0], own.dropna(subset="net_error"), own.dropna(subset="fitted")
        eps, error, low, high = points[POINTS[1:]].to_numpy().T
        ax.fill_between(eps, np.maximum(low, SMALLEST_SHOWN / 10), high, color=colour, alpha=0.15, linewidth=0)
        lost = f"; {about['n_not_finite']:.0f} images not judged" if about["n_not_finite"] > 0 else ""
        label = f"{about['label']}: {exponent_text(about)}{lost}"
        ax.plot(eps[error > 0], error[error > 0], marker, color=colour, markerfacecolor="none", label=label)
        ax.plot(line["grid_eps"], line["fitted"], "-", color=colour)
        ax.plot(line["grid_eps"], line["tangent"], "--", color=colour, linewidth=0.9)
    ax.plot([], [], "--", color="#777777", linewidth=0.9, label="tangent of the fit as ε → 0, of slope B")
    above = rows[rows["net_error"] > 0]
    smallest = max(above["net_error"].min(), SMALLEST_SHOWN) if len(above) else SMALLEST_SHOWN
    ax.set(xscale="log", yscale="log", ylim=(smallest / 1.5, 1.5), xlabel=EPS)
    if len(above):
        ax.set_xlim(above["grid_eps"].min() / 1.5, above["grid_eps"].max() * 1.5)
    legend_below(ax)


def exponent_text(row: Cells) -> str:
    """`B = 1.04 [0.76, 1.37]`, or why there is no law."""
    return law(row) if row["remark"] else f"B = {law(row)}"


def _of_a_person(rows: pd.DataFrame) -> pd.DataFrame:
    """Curves of a person's own nets, on images of which a data set does not say that they are ImageNet's."""
    found = chosen(rows, attack=tuple(ATTACK_NAMES), arch=OWN, **ORDINARY)
    return chosen(found, holds="") if "holds" in found else found


def _figure(
    name: str, chapter: str, title: str, paper: str, curves: Curves, words: str = "", is_main: bool = False
) -> Figure:
    needs = ("error_curves", "laws/exponents")
    seen = (curves.exponents, words) if words else (curves.exponents, curves.mean_slopes, FITTED)
    return Figure(name, chapter, title, paper, needs, curves.draw, seen, is_main)


FIGURES = (
    _figure(
        "figure_2a",
        "curves",
        "Adversarial error under FGSM against ε: a linear, a fully connected and a convolutional net",
        "Cubuk Fig. 2a: the error under FGSM on MNIST follows a power law for three architectures, even a linear "
        "model.",
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
        "Each curve shows one state of training. A curve that begins late and rises steeply may follow no power law.",
        is_main=True,
    ),
    _figure(
        "figure_2c",
        "curves",
        "Adversarial error of a fully connected net against ε under FGSM, L2, step l.l. and PGD",
        "Cubuk Fig. 2c: attacks that use the true label share an exponent near 1; step l.l. has one of about 2.",
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
        "The papers have no such figure; Cubuk Fig. 2c shows these attacks on a fully connected net on MNIST.",
        Curves("attacks", _of_a_person, panel="model"),
    ),
    _figure(
        "clipping",
        "curves",
        "Adversarial error under FGSM with and without clipping to valid pixels",
        "The papers have no such figure; Cubuk Eq. 1 does not clip, Kurakin's attacks do.",
        Curves(
            "FGSM on FC",
            lambda rows: chosen(rows, attack=("fgsm", "fgsm_clipped"), arch="fc", **ORDINARY),
            lambda row: "clipped to [0, 255]" if row["clip"] else "not clipped",
            contrast="clip",
        ),
        "Clipping keeps pixels in their valid range, so the same ε moves an image less.",
    ),
    _figure(
        "defended",
        "defences",
        "Adversarial error of defended nets under FGSM",
        "The papers have no such figure; Cubuk Fig. 1 includes adversarially trained ImageNet nets, whose exponents "
        "are 0.9 to 1.1, as those of all nets there.",
        Curves(
            "FGSM, defended nets",
            lambda rows: chosen(rows[rows["defence"] != ""], attack="fgsm", snapshot=None),
            lambda row: row["model"],
        ),
    ),
)
