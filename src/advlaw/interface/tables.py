"""The tables of one measurement, in memory, by the code of the stages `fit` and `laws`."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from advlaw.attacks.settings import Attack
from advlaw.audit.params import DATASET
from advlaw.core.io import Arrays, Cells
from advlaw.core.rng import generator
from advlaw.core.section import validate
from advlaw.core.tables import Tables, framed
from advlaw.evaluation.settings import Sweep
from advlaw.fitting.changes import of_thresholds
from advlaw.fitting.fit import Fitted
from advlaw.fitting.outcomes import outcomes
from advlaw.fitting.settings import Fit
from advlaw.interface.measurement import ARGUMENTS, Measurement
from advlaw.tables import curves, laws
from advlaw.tables.curves import CurveTables, SweptCurve


class Collected:
    """Collects and fits the outcomes of each attack. `params` are those of an audit, `shape` (C, H, W) of an image."""

    def __init__(self, params: dict[str, Any], shape: tuple[int, ...], accuracy: float) -> None:
        self.params, self.settings = params, validate(params["fit"], Fit, ARGUMENTS, "fit")
        (name,) = params["pretrained_models"]
        usual: Cells = {"labels": "original", "epochs": None, "train_accuracy": None, "defence": None, "snapshots": []}
        about = {"model": name, "dataset": DATASET, "arch": "own_file", "n_pixels": math.prod(shape), **usual}
        self.tables = CurveTables([about | {"test_accuracy": accuracy}], self.settings)
        self.laws, self.lines = list[Cells](), list[Cells]()
        self.thresholds: dict[str, np.ndarray] = {}

    def add(self, attack: str, sweep: Sweep, kind: Attack, arrays: Arrays) -> None:
        """One attack's arrays of a sweep."""
        counts = {f"n_{what}": int(arrays[what].sum()) for what in ("zero_gradient", "not_finite")}
        curve = SweptCurve(attack, attack, None, sweep, kind, counts)
        fitted = Fitted(outcomes(arrays), self.settings, generator(self.params["seed"], "bootstrap", attack, attack))
        self.tables.add(curve, fitted)
        changes = of_thresholds(fitted.thresholds)
        row, found = laws.exponent_row(changes, curve.kind_of_error == "net", self.settings.confidence)
        self.laws.append(row | {"curve": curve.key})
        if best := laws.chosen(found):
            drawn = laws.line_rows(best, changes.n_images, self.tables.curves[-1]["eps_scale"])
            self.lines += [{"curve": curve.key} | point for point in drawn]
        self.thresholds[attack] = arrays["threshold"] if "threshold" in arrays else arrays["bracket"][:, 1]

    def measurement(self) -> Measurement:
        labels = _frame(self.tables.curves, curves.CURVE_COLUMNS)
        named = {
            "error_curves": _frame(self.tables.points, curves.POINT_COLUMNS),
            "exponents": _frame(self.tables.exponents, curves.EXPONENT_COLUMNS),
            "laws/exponents": _frame(self.laws, laws.EXPONENT_COLUMNS),
            "laws/lines": _frame(self.lines, laws.LINE_COLUMNS),
        }
        labelled = {name: frame.merge(labels, on="curve", validate="many_to_one") for name, frame in named.items()}
        return Measurement(Tables(labelled), pd.DataFrame(self.thresholds), self.params)


def _frame(rows: list[Cells], columns: Sequence[str]) -> pd.DataFrame:
    """A table as if read from its file, where numbers that may be missing are floats."""
    frame = framed(rows, columns)
    return frame.astype({name: "float64" for name, kind in frame.dtypes.items() if kind == "Int64"})
