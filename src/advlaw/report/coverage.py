"""The tables of docs/findings/exponent.md: benchmarks/coverage.csv and validation.csv."""

import math
from collections.abc import Callable

import pandas as pd

from advlaw.core.io import Cells
from advlaw.core.tables import chosen, groups, records
from advlaw.core.words import interval
from advlaw.report.cells import number
from advlaw.report.render import Cell, Grid

OLD = ("mean slope", "least squares")


def coverage(frame: pd.DataFrame) -> Grid:
    """A line for each curve of known exponent; in a cell a number for each number of images, the fewest first."""
    frame = frame[_is_of_curves(frame)]
    exponents = frame["true_exponent"].unique().tolist()
    rows: list[list[Cell]] = []
    for truth, own in groups(frame, "truth"):
        by = {key: records(rows) for key, rows in groups(own, "estimator", "true_exponent")}
        law = by["small_eps", 1.0]
        bias = _each(law, lambda row: f"{row['bias'] / row['standard_error']:+.1f}")
        held = (_shares(by["small_eps", b], "coverage") for b in exponents)
        others = (_shares(by.get((name, 1.0), []), "coverage") for name in ("half prior", "double prior", *OLD))
        found = _shares(by["small_eps", 1.5], "excludes_1")
        rows.append([truth, bias, _each(law, lambda row: f"{row['half_width']:.2f}"), *held, found, *others])
    heads = ["curve", "bias", "±", *(f"B = {b:g}" for b in exponents), "1.5 is not 1", "s/2", "2s", *OLD]
    return Grid(heads, rows)


def together(frame: pd.DataFrame) -> Grid:
    """A line for each estimator of a net error's exponent and of several nets', cells as above."""
    rows: list[list[Cell]] = []
    for (truth, exponent, estimator), own in groups(
        frame[~_is_of_curves(frame)], "truth", "true_exponent", "estimator"
    ):
        found = records(own)
        bias = _each(found, lambda row: f"{row['bias']:+.2f}")
        half = _each(found, lambda row: number(row["half_width"], ".2f"))
        rows.append([f"{truth}, B = {exponent:g}", estimator, bias, half, _shares(found, "coverage")])
    return Grid(["errors", "estimator", "bias", "±", "hold B, %"], rows)


def validation(frame: pd.DataFrame) -> Grid:
    """A line for each net and attack: intervals of parts of its test images that hold 1, and what all of them say."""
    rows: list[list[Cell]] = []
    for (images, net, attack), own in groups(frame, "images", "net", "attack"):
        law = records(chosen(own, estimator="small_eps"))[0]
        held = (f"{100 * share:.0f} %" for share in own["coverage"])
        mean = f"{law['mean']:.2f} ± {law['spread']:.2f}"
        rows.append([images, net, attack, f"{law['n_chunks']:g}", *held, mean, interval(law)])
    return Grid(["data", "net", "attack", "parts", "hold 1", *OLD, "mean ± sd", "all images"], rows)


def _is_of_curves(frame: pd.DataFrame) -> pd.Series:
    """Rows of truths that are simulated with several exponents, as net errors and pools are not."""
    return frame.groupby("truth")["true_exponent"].transform("nunique") > 1


def _shares(rows: list[Cells], column: str) -> str:
    return _each(rows, lambda row: "–" if math.isnan(row[column]) else f"{100 * row[column]:.0f}")


def _each(rows: list[Cells], shown: Callable[[Cells], str]) -> str:
    return " · ".join(map(shown, rows)) or "–"
