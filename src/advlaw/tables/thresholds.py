"""Committed first changes of every curve, from which its exponent is fitted again where there is neither net nor data.

thresholds/<sweep>/<attack>[@<accuracy>].csv has a row for each first change of an image (of each point of the grid for
iterative attacks), threshold_curves.csv one for each curve. An eps is written with the fewest digits that give the same
float32 back.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from advlaw.core.io import Cells
from advlaw.core.tables import read_table, records, write_table
from advlaw.fitting.thresholds import Thresholds

CURVE_COLUMNS = ("curve", "n_images", "n_right", "n_becoming_wrong", "n_becoming_right", "eps_last", "is_on_grid")
CHANGE_COLUMNS = ("eps", "change")
CURVES, FOLDER = "threshold_curves.csv", "thresholds"


def write_thresholds(plots: Path, curves: dict[str, Thresholds]) -> None:
    """Both tables of all curves, by their keys `sweep/attack[@accuracy]`."""
    rows: list[Cells] = []
    (plots / FOLDER).mkdir(parents=True, exist_ok=True)  # a study need have no curve
    for curve, found in curves.items():
        changes = zip(found.eps, found.change.tolist(), strict=True)
        write_table(_file(plots, curve), [{"eps": eps, "change": n} for eps, n in changes], CHANGE_COLUMNS)
        rows.append(
            {
                "curve": curve,
                "n_images": found.n_images,
                "n_right": found.n_right,
                "n_becoming_wrong": found.count(1),
                "n_becoming_right": found.count(-1),
                "eps_last": np.float32(found.eps_last),
                "is_on_grid": found.is_on_grid,
            }
        )
    write_table(plots / CURVES, rows, CURVE_COLUMNS)


def read_thresholds(plots: Path) -> dict[str, Thresholds]:
    """What was written, by curve; raises FileNotFoundError naming the table that is missing."""
    curves = records(read_table(plots / CURVES))
    return {row["curve"]: _thresholds(row, read_table(_file(plots, row["curve"]))) for row in curves}


def _thresholds(curve: Cells, changes: pd.DataFrame) -> Thresholds:
    return Thresholds(
        curve["n_images"],
        curve["n_right"],
        float(np.float32(curve["eps_last"])),
        curve["is_on_grid"],
        changes["eps"].to_numpy(np.float32),
        changes["change"].to_numpy(int),
    )


def _file(plots: Path, curve: str) -> Path:
    return plots / FOLDER / f"{curve}.csv"
