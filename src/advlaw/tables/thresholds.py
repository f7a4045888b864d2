"""Committed first changes of every curve, from which its exponent is fitted again where there is neither net nor data.

thresholds/<sweep>/<attack>[@<accuracy>].csv has a row for each first change of an image (of each point of the grid for
iterative attacks), threshold_curves.csv one for each curve. An eps is written with the fewest digits that give the same
float32 back.
"""

from pathlib import Path

import numpy as np

from advlaw.core.io import Cells, Row, read_csv, write_csv
from advlaw.fitting.fit import KINDS
from advlaw.fitting.moments import Moments
from advlaw.fitting.thresholds import Thresholds, moments

CURVE_COLUMNS = ("curve", "n_images", "n_right", "n_becoming_wrong", "n_becoming_right", "eps_last", "is_on_grid")
CHANGE_COLUMNS = ("eps", "change")
CURVES, FOLDER = "threshold_curves.csv", "thresholds"


def write_thresholds(plots: Path, curves: dict[str, Thresholds]) -> None:
    """Both tables of all curves, by their keys `sweep/attack[@accuracy]`."""
    rows: list[Cells] = []
    (plots / FOLDER).mkdir(parents=True, exist_ok=True)  # a study need have no curve
    for curve, found in curves.items():
        changes = zip(found.eps, found.change.tolist(), strict=True)
        write_csv(_file(plots, curve), CHANGE_COLUMNS, [{"eps": str(eps), "change": change} for eps, change in changes])
        rows.append(
            {
                "curve": curve,
                "n_images": found.n_images,
                "n_right": found.n_right,
                "n_becoming_wrong": found.count(1),
                "n_becoming_right": found.count(-1),
                "eps_last": str(np.float32(found.eps_last)),
                "is_on_grid": str(found.is_on_grid).lower(),
            }
        )
    write_csv(plots / CURVES, CURVE_COLUMNS, rows)


def read_thresholds(plots: Path) -> dict[str, Thresholds]:
    """What was written, by curve; raises FileNotFoundError naming the table that is missing."""
    return {row["curve"]: _thresholds(row, read_csv(_file(plots, row["curve"]))) for row in read_csv(plots / CURVES)}


def read_moments(plots: Path) -> dict[str, Moments]:
    """What the estimators need of every curve, from its first changes and the errors in error_curves.csv."""
    found = read_thresholds(plots)
    by_curve: dict[str, list[Row]] = {curve: [] for curve in found}
    for row in read_csv(plots / "error_curves.csv"):
        by_curve[row["curve"]].append(row)
    return {
        curve: moments(
            found[curve],
            np.array([float(row["eps"]) for row in rows]),
            *(np.rint([float(row[f"{kind}_error"]) * found[curve].n_images for row in rows]) for kind in KINDS),
        )
        for curve, rows in by_curve.items()
    }


def _thresholds(curve: Row, changes: list[Row]) -> Thresholds:
    return Thresholds(
        int(curve["n_images"]),
        int(curve["n_right"]),
        float(np.float32(curve["eps_last"])),
        curve["is_on_grid"] == "true",
        np.array([row["eps"] for row in changes], dtype=np.float32),
        np.array([row["change"] for row in changes], dtype=int),
    )


def _file(plots: Path, curve: str) -> Path:
    return plots / FOLDER / f"{curve}.csv"
