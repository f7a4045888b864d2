"""The same images attacked in both versions: what differs between two numbers is less uncertain than either number.

Read from the outcomes of every image, data/<study>/sweeps/<sweep>/<attack>.npz. Differences of accuracies have
Agresti and Min's interval for pairs, those of exponents one from what each image contributes to both.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from advlaw.comparison.cells import ACCURACY, EXPONENT, NUMBER, Difference, Found
from advlaw.comparison.numbers import ROUNDING
from advlaw.core.io import Arrays
from advlaw.fitting.changes import of_outcomes
from advlaw.fitting.outcomes import outcomes
from advlaw.fitting.paired import difference, moved
from advlaw.fitting.proportions import paired_difference
from advlaw.fitting.settings import Fit
from advlaw.tables.laws import chosen, laws_of

ERRORS = (0.05, 0.2, 0.5)  # errors are compared at the first eps where the old net error is as large
DIGITS = 1e-6  # of a share in a table


@dataclass(frozen=True)
class Pair:
    """One curve in both versions; `kind` is of the errors that its exponent is about."""

    study: str
    sweep: str
    file: str  # <attack>, or <attack>@<accuracy>
    kind: str
    old: Arrays
    new: Arrays

    @property
    def curve(self) -> str:
        return f"{self.sweep}/{self.file}"


def same_images(old: Arrays, new: Arrays) -> bool:
    """Whether two files are about as many images with the same labels on the same grid of eps."""
    shared = [(old[name], new[name]) for name in ("label", "eps")]
    same_kind = old.keys() | {"not_finite"} == new.keys() | {"not_finite"}
    return same_kind and all(a.shape == b.shape and np.allclose(a, b, rtol=1e-9) for a, b in shared)


def is_told_by(arrays: Arrays, rows: list[dict[str, str]]) -> bool:
    """Whether a curve's rows of error_curves.csv come from these outcomes: the accuracies at every eps."""
    accuracy = _right(arrays)[:, _judged(arrays)].mean(axis=1)
    told = np.array([float(row.get("accuracy") or "nan") for row in rows])
    return told.shape == accuracy.shape and bool(np.allclose(told, accuracy, atol=DIGITS))


def compare_pair(pair: Pair, settings: Fit, found: Found) -> None:
    """Add the paired differences of one curve to `found`: beyond if the interval leaves 0 out, but for rounding."""
    for number in _numbers(pair, settings):
        old, new, low, high = (f"{value:.4g}" for value in (number.old, number.new, number.low, number.high))
        note = f"difference {number.new - number.old:.4g} [{low}, {high}] on the same images"
        is_headline = number.rank == EXPONENT and pair.curve in settings.headline
        one = Difference(
            pair.study, "paired", pair.curve, number.column, old, new, number.rank, note, is_headline=is_headline
        )
        slack = ROUNDING * max(abs(number.old), abs(number.new))
        if number.low - slack <= 0 <= number.high + slack:
            found.within += 1
            found.paired.append(one)
        else:
            found.beyond.append(one)


class _Number(NamedTuple):
    """A number in both versions, and the interval of new - old."""

    column: str
    rank: int
    old: float
    new: float
    low: float
    high: float


def _numbers(pair: Pair, settings: Fit) -> Iterator[_Number]:
    """What is compared on a curve: its clean accuracy, a few errors and its exponent."""

    def share(column: str, rank: int, old: np.ndarray, new: np.ndarray) -> _Number:
        _, low, high = paired_difference(new, old, settings.confidence)
        return _Number(column, rank, float(old.mean()), float(new.mean()), low, high)

    judged = _judged(pair.old) & _judged(pair.new)
    clean = [(arrays["clean_prediction"] == arrays["label"])[judged] for arrays in (pair.old, pair.new)]
    old, new = (_right(arrays)[:, judged] for arrays in (pair.old, pair.new))
    yield share("accuracy", ACCURACY, *clean)
    for i in _places(clean[0].mean() - old.mean(axis=1)):
        yield share(f"error at eps {pair.old['eps'][i]:.4g}", NUMBER, ~old[i], ~new[i])
    exponents = _exponents(pair, settings)
    if exponents is not None:
        yield _Number("exponent", EXPONENT, *exponents)


def _judged(arrays: Arrays) -> np.ndarray:
    """Which images (N,) are judged: all of them in files from before what is no number was told."""
    return ~arrays["not_finite"] if "not_finite" in arrays else np.ones(len(arrays["label"]), dtype=bool)


def _right(arrays: Arrays) -> np.ndarray:
    """Which images (E, N) are right at which eps."""
    return arrays["prediction"] == arrays["label"]


def _places(net_error: np.ndarray) -> list[int]:
    """The grid points at which errors are compared."""
    firsts = [np.flatnonzero(net_error >= error) for error in ERRORS]
    return sorted({int(found[0]) for found in firsts if len(found)})


def _exponents(pair: Pair, settings: Fit) -> tuple[float, float, float, float] | None:
    """Both exponents as eps -> 0 and the interval of new - old; None where one has none."""
    found = []
    for arrays in (pair.old, pair.new):
        both = outcomes({**arrays, "not_finite": ~(_judged(pair.old) & _judged(pair.new))})
        best = chosen(laws_of(of_outcomes(both), pair.kind == "net", settings.confidence))
        if best is None:
            return None
        found.append(moved(both, best.law, best.odds, best.range.e0))
    old, new = found
    _, low, high = difference(new, old, settings.confidence)
    return old.value, new.value, low, high
