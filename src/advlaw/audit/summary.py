"""What an audit prints of its results: exponents, and where there is none, why."""

import math
from pathlib import Path

import pandas as pd

from advlaw.audit.params import MAX_ERROR, MIN_ERRORS
from advlaw.core.io import Cells
from advlaw.core.tables import read_tables, records
from advlaw.core.words import interval

FEWEST_POINTS = 2  # of the grid, for an exponent of counts
NEEDED = round(MIN_ERRORS / MAX_ERROR)  # images classified as labelled, for a range that may hold an exponent


def print_summary(name: str, folder: Path) -> None:
    plots = folder / "plots" / name
    tables = read_tables(plots, "models", "error_curves", "exponents")
    (model,) = records(tables.rows("models"))
    print(f"\n{name}: clean accuracy {model['test_accuracy']:.4f}")
    for row in records(tables.rows("exponents", is_reported=True)):
        found = _exponent(row) or why_none(row, tables.rows("error_curves", curve=row["curve"]))
        lost = f"; {row['n_not_finite']} more images not judged" if row["n_not_finite"] else ""
        print(f"  {row['attack']:8} ({row['kind']} error)  {found}{lost}")
    print(f"tables and figures: {plots}; report: {plots / 'report.html'}")


def _exponent(row: Cells) -> str:
    """Empty where there is none; without an interval where most bootstrap samples have no range to fit."""
    return "" if math.isnan(row["exponent"]) else f"B = {interval(row)}"


def why_none(row: Cells, curve: pd.DataFrame) -> str:
    """Why a curve has no exponent, and what to do: `row` of exponents.csv, `curve` its rows of error_curves.csv.

    A range goes from the smallest eps with MIN_ERRORS net errors to where they exceed MAX_ERROR times clean accuracy.
    """
    n_images = row["n_images"]
    n_right = round(row["clean_accuracy"] * n_images)
    eps = curve["grid_eps"].tolist()
    errors = [round(error * n_images) for error in curve["net_error"].tolist()]
    gross, most = round(curve["gross_error"].max() * n_images), max(errors)
    if gross == 0 and row["n_zero_gradient"] > n_images - n_right:
        return (
            f"no image becomes wrong: the gradient of {row['n_zero_gradient']} of {n_images} images is zero, which "
            "leaves the attack without a direction"
        )
    if gross == 0:
        return f"no image becomes wrong up to eps = {eps[-1]:g}: raise --eps-max"
    if most < MIN_ERRORS:
        return f"at most {most} net errors up to eps = {eps[-1]:g}, a range needs {MIN_ERRORS}: raise --eps-max"
    if errors[0] == n_right:
        return f"all {n_right} errors are below the first eps of the grid, {eps[0]:g}: lower --eps-min"
    if errors[0] > MAX_ERROR * n_right:
        return (
            f"{errors[0]} of {n_right} images are wrong at the first eps of the grid, {eps[0]:g}; a range ends "
            f"at {MAX_ERROR:.0%}: lower --eps-min"
        )
    if n_right < NEEDED:
        return f"{n_right} images are classified as labelled, a range needs {NEEDED}: give more images"
    if row["n_points"] < FEWEST_POINTS:
        few = f"fewer than {FEWEST_POINTS} eps of the grid have from {MIN_ERRORS} errors to {MAX_ERROR:.0%}"
        if errors[0] >= MIN_ERRORS:
            return f"{few}: lower --eps-min"
        return f"{few}: raise {'--eps-max' if most <= MAX_ERROR * n_right else '--count'}"
    return "errors do not grow with eps in the range, as a power law does: see error_curves.csv"
