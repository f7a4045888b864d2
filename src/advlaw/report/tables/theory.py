"""Tables of the theory: predicted thresholds, residuals, and gaps between logits."""

import math
from typing import Literal

import pandas as pd

from advlaw.core.io import Cells
from advlaw.core.tables import Tables, groups, records
from advlaw.core.words import interval
from advlaw.papers.names import ATTACK_NAMES
from advlaw.report.cells import number, percent
from advlaw.report.render import Grid, Right
from advlaw.report.table import table

TRUE_LABEL = ("l2", "fgsm")
GAPS = ("Δ₁₂", "Δ₁₃", "Δ₁₄", "Δ₁₅")
AGREEMENTS = {  # a column -> the prediction whose curve it is about, and how far off that may be
    "ε̂_linear within 10 %": ("linear", 0.1),
    "mean field within 10 %": ("mean_field", 0.1),
    "within 25 %": ("mean_field", 0.25),
    "all images within 25 %": ("mean_field_literal", 0.25),
}


@table(
    "predictions",
    "theory",
    "Predicted thresholds and curves",
    needs=("theory/predictions", "theory/agreement"),
    is_main=True,
)
def predictions(tables: Tables) -> Grid:
    """A line per net and true-label attack: rank correlations, where predicted curves agree, who takes over first."""
    heads = ["data", "net", "attack", Right("flipped"), "Spearman, ε̂_linear", "Spearman, ε̂_MF", *AGREEMENTS]
    rows = []
    for row in records(tables.rows("theory/predictions", attack=TRUE_LABEL)):
        own = records(tables.rows("theory/agreement", net=row["net"], attack=row["attack"]))
        agreed = {(found["prediction"], found["tolerance"]): _range(found) for found in own}
        cells = [row["dataset"], row["net"], ATTACK_NAMES[row["attack"]], f"{row['n_succeeded']:,}"]
        cells += [interval(row, "spearman_linear"), interval(row, "spearman_mean_field")]
        rows.append([*cells, *(agreed[wanted] for wanted in AGREEMENTS.values()), _second_first(row)])
    return Grid([*heads, "rank 2 first, ε ≤ 50"], rows)


@table("deciles", "theory", "Median error of the predicted L2 threshold (and 90 %)", needs=("theory/deciles",))
def deciles(tables: Tables) -> Grid:
    """A line per decile of the measured L2 threshold, and its smallest 1 %: how far the predicted one is off."""
    found = records(tables.rows("theory/deciles", attack="l2", prediction="linear"))
    nets = list(dict.fromkeys(row["net"] for row in found))
    errors = {
        (row["decile"], row["net"]): f"{percent(row['median_error'])} ({percent(row['error_90'])})" for row in found
    }
    rows = [
        [str(decile) if decile else "smallest 1 %", *(errors.get((decile, net), "–") for net in nets)]
        for decile in sorted({row["decile"] for row in found})
    ]
    return Grid(list(map(Right, ("tenth of the images by ε̂", *nets))), rows)


@table("residuals", "theory", "Residual of the linear response", needs=("theory/residuals",))
def residuals(tables: Tables) -> Grid:
    """A line per net: the slope of the linear response's residual, and how many images have one at the smallest eps."""
    first = [records(rows)[0] for _, rows in groups(tables.rows("theory/residuals"), "net")]
    rows = [
        [
            *(row["dataset"], row["net"], str(row["n_images"])),
            *(number(row["slope"], ".3f", "exactly linear"), percent(row["share_not_linear"])),
        ]
        for row in first
    ]
    smallest = min((row["eps"] for row in first), default=math.nan)
    heads = ["data", "net", Right("images"), Right("slope of the residual"), Right(f"not linear at ε = {smallest:.2g}")]
    return Grid(heads, rows)


@table(
    "gap-exponents",
    "theory",
    "Exponents of the density of gaps near zero",
    needs=("theory/gap_exponents", "order_statistics/exponents"),
)
def gap_exponents(tables: Tables) -> Grid:
    """A line per net and share: the exponent of the density of Delta_1j near zero, j = 2..5; i.i.d. laws below.

    The largest share and the smallest; the tables have those between.
    """
    final = tables.rows("theory/gap_exponents", epoch=None)
    rows = [
        [net, f"{images}, smallest {percent(share)}", *_by_rank(own)]
        for (net, images, share), own in groups(_of_shares(final, "min", "max"), "net", "images", "share")
    ]
    rows += [
        [f"i.i.d. {law}", f"smallest {percent(share)}", *_by_rank(own)]
        for (law, share), own in groups(
            _of_shares(tables.rows("order_statistics/exponents"), "min", "max"), "law", "share"
        )
    ]
    return Grid(["logits of", "gaps", *GAPS], rows)


@table(
    "constants",
    "theory",
    "Densities of gaps of independent logits",
    needs=("order_statistics/constants", "theory/gap_exponents"),
)
def constants(tables: Tables) -> Grid:
    """A line per law: the constant of Cubuk Eq. 22, and whether sampled gaps have the exact distribution."""
    rows = [
        [law, *(f"{row['constant']:.4g} ({row['chi2_p_value']:.2f})" for row in records(own))]
        for law, own in groups(tables.rows("order_statistics/constants"), "law")
    ]
    return Grid(["law", "C₂ (p)", "C₃", "C₄", "C₅"], rows)


@table("epochs", "theory", "Exponents of the density of gaps in training", needs=("theory/gap_exponents",))
def epochs(tables: Tables) -> Grid:
    """A line per net and epoch: test accuracy, and the exponents of the densities from the largest share of gaps."""
    rows = []
    for net, states in groups(_of_shares(tables.rows("theory/gap_exponents", images="all"), "max"), "net"):
        if states["epoch"].isna().all():  # others trained it
            continue
        for epoch, own in groups(states, "epoch"):
            accuracy = records(own)[0]["test_accuracy"]
            rows.append([net, number(epoch, "g", "end"), f"{accuracy:.2%}", *_by_rank(own)])
    return Grid(["net", Right("epoch"), Right("test accuracy"), *GAPS], rows)


def _range(row: Cells) -> str:
    if math.isnan(row["grid_eps_first"]):
        return "nowhere"
    return f"ε = {row['grid_eps_first']:.2g}–{row['grid_eps_last']:.2g}"


def _second_first(row: Cells) -> str:
    """The share with its interval and the number of images, as far as there are any."""
    if math.isnan(row["second_first"]):
        return "no image flips"
    share, low, high = (100 * row[f"second_first{end}"] for end in ("", "_low", "_high"))
    return f"{share:.1f} % [{low:.1f}, {high:.1f}] of {row['n_below_50']:,}"


def _of_shares(frame: pd.DataFrame, *ends: Literal["min", "max"]) -> pd.DataFrame:
    """The rows of the smallest share, of the largest, or of both."""
    return frame if frame.empty else frame[frame["share"].isin(frame["share"].agg(list(ends)))]


def _by_rank(rows: pd.DataFrame) -> list[str]:
    """A cell for each of `GAPS`; a net with fewer classes has fewer gaps."""
    return (list(map(interval, records(rows))) + ["–"] * len(GAPS))[: len(GAPS)]
