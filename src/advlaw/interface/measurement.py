"""What `advlaw.measure` returns."""

import math
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from advlaw.audit.summary import counted, why_none
from advlaw.claims.finding import Estimate
from advlaw.claims.rules import n_settles
from advlaw.core.io import Cells
from advlaw.core.tables import Tables, records
from advlaw.core.words import interval
from advlaw.interface.entry import entry_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ARGUMENTS = Path("advlaw.measure")  # in the place of a params file, for messages
CALLED = {"eps_min": "eps_min", "eps_max": "eps_max", "count": "count", "laws": "`.frame`", "ranges": "`.plot()`"}
WITHIN = 0.15  # half of the width of an interval that settles an exponent
STRAIGHT = 0.05  # p value below which a curve is not straight
ENDS = ("", "_low", "_high")


@dataclass(frozen=True, repr=False)
class Measurement:
    """The laws of one model on one set of images.

    thresholds: one row per image, one column per attack: the eps at which the image becomes wrong, inf if it never
    does, NaN if it was wrong when clean; for iterative attacks the first eps of the grid at which it is wrong. In the
    attack's own norm, pixel units.
    tables: as in a study, by name: error_curves, exponents, laws/exponents, laws/lines.
    """

    tables: Tables
    thresholds: pd.DataFrame
    params: dict[str, Any] = field(compare=False)

    @property
    def n_images(self) -> int:
        return len(self.thresholds)

    @property
    def n_classes(self) -> int:
        (model,) = self.params["pretrained_models"].values()
        return int(model["classes"])

    @property
    def clean_accuracy(self) -> float:
        return float(self.tables.rows("laws/exponents")["clean_accuracy"].iloc[0])

    @property
    def curves(self) -> pd.DataFrame:
        """A row for each attack and eps: accuracy, and errors with pointwise 95 % intervals, gross and net.

        `eps` is in the attack's own norm; `grid_eps` in pixel units, for L2 attacks the root mean square over pixels.
        """
        points = self.tables.rows("error_curves")
        errors = [f"{kind}_{what}" for kind in ("gross", "net") for what in ("error", "low", "high")]
        return points[["attack", "eps", "grid_eps", "accuracy", *errors]].reset_index(drop=True)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """A row for each attack; its columns, as in laws/exponents.csv of a study:

        exponent, exponent_low, exponent_high: B as eps -> 0 with its 95 % interval; NaN if there is no law, and
        `why` says why. kind: gross errors for attacks that know the label, for others net errors, which subtract
        repaired images. n_errors up to e0, the end of the fitted range, in the attack's norm. amplitude: A of A eps^B.
        p_one: p value of B = 1. p_straight: that of a straight line in log-log; bend, bend_low, bend_high: how much it
        bends upwards. n_settles: how many images would give +-0.15. printed, ...: the least-squares slope of a line.
        """
        rows = [self._row(row) for row in records(self.tables.rows("laws/exponents"))]
        return pd.DataFrame(rows).set_index("attack")

    def _row(self, row: Cells) -> Cells:
        own = {"curve": row["curve"], "kind": "net", "estimator": "least_squares"}
        (line,) = records(self.tables.rows("exponents", **own))
        points = self.tables.rows("error_curves", curve=row["curve"])
        why = why_none(row, points, self.n_classes, CALLED) if row["remark"] else ""
        b, low, high = (math.nan if why else row[f"exponent{end}"] for end in ENDS)
        return {
            "attack": row["attack"],
            "kind": row["kind"],
            **dict(zip((f"exponent{end}" for end in ENDS), (b, low, high), strict=True)),
            "n_settles": _n_settles(Estimate(b, low, high, self.n_images)),
            **{name: row[name] for name in ("n_errors", "e0", "amplitude", "p_one", "p_straight")},
            **{f"bend{end}": row[f"factor_1{end}"] for end in ENDS},
            **{f"printed{end}": line[f"exponent{end}"] for end in ENDS},
            "n_not_finite": row["n_not_finite"],
            "why": why,
        }

    def summary(self) -> str:
        """A line for each attack: its exponent as eps -> 0 with its interval, or why there is none and what to do."""
        right = f"{self.n_images:,} images, {self.clean_accuracy:.2%} classified as labelled"
        rows, width = records(self.frame.reset_index()), max(map(len, self.frame.index))
        lines = [f"{row['attack']:{width}}  {_said(row)}" for row in rows]
        return "\n".join([f"{right}; eps in pixel units [0, 255]", *lines])

    __repr__ = summary

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the curves in the style of a study's figures, points with 95 % intervals, on `ax` or on new axes.

        Solid: the fitted law over its range. Dashed: its tangent as eps -> 0, whose slope is the exponent.
        """
        from advlaw.interface.plot import draw

        return draw(self.tables, ax)

    def entry(self) -> str:
        """The sections of a params.yaml, as text, that repeat this measurement as stages of a study."""
        return entry_text(self.params)


def _n_settles(found: Estimate) -> float:
    """How many images would bring the interval within +-0.15; NaN if unknown or above 10^7."""
    if not found.is_complete:
        return math.nan
    if found.value - found.low <= WITHIN and found.high - found.value <= WITHIN:
        return found.n or math.nan
    return n_settles(found, (found.value - WITHIN, found.value + WITHIN)) or math.nan


def _said(row: Cells) -> str:
    """One line about an attack."""
    lost = [f"{counted(row['n_not_finite'], 'image')} not judged"] if row["n_not_finite"] else []
    if row["why"]:
        return "; ".join([f"no exponent: {row['why']}", *lost])
    net = "net " if row["kind"] == "net" else ""
    parts = [f"B = {interval(row)} as eps -> 0, from {row['n_errors']:.0f} {net}errors"]
    if not math.isnan(row["p_straight"]):
        found = "it bends" if row["p_straight"] < STRAIGHT else "a straight line fits"
        parts.append(f"{found} (p = {row['p_straight']:.2g})")
    if not math.isnan(row["n_settles"]):
        parts.append(f"about {float(format(row['n_settles'], '.2g')):,.0f} images give +-{WITHIN}")
    return "; ".join([*parts, *lost])
