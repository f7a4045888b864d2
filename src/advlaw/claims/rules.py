"""The rules that judge a number: it holds if its whole interval lies in what the claim allows.

It fails if the interval, adjusted for the numbers that are judged with it, has no point in common with that. Exponents
hold or fail only if the fit that they come from can be trusted. See docs/claims.md.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from advlaw.claims.finding import Estimate, Range
from advlaw.core.io import Cells

FEWEST, ENOUGH = 40, 200  # errors, or gaps: of fewer an exponent has no verdict, and does not hold
UNFIT = "the fit is rejected"  # the remark on an exponent whose fit is rejected in every range
BENT, UNBENT = 0.001, 0.05  # p values of a straight line: it is rejected below the first, and not above the second
RATE = 0.35  # an interval's half-width falls with the number of images to this power: see docs/findings/exponent.md
MOST_IMAGES = 10**7

Judged = tuple[str, str]  # the verdict, and a remark on it


@dataclass(frozen=True)
class Fit:
    """What a verdict on an exponent rests on beside its interval.

    n_errors: those fitted. remark: why the fit is no good. others: the same exponent with narrower and wider priors.
    p_straight: of there being nothing but a power law in the range.
    """

    n_errors: float = math.inf
    remark: str = ""
    others: tuple[Estimate, ...] = ()
    p_straight: float = math.nan

    @classmethod
    def of(cls, row: Cells, suffix: str = "") -> "Fit":
        """What the columns of a view say of its exponents; nothing speaks against one of which they say nothing."""
        told = {
            name: row[f"{name}{suffix}"] for name in ("n_errors", "remark", "p_straight") if f"{name}{suffix}" in row
        }
        priors = [f"{prior}_prior" for prior in ("half", "double") if f"{prior}_prior{suffix}" in row]
        others = (Estimate(*(row[f"{prior}{end}{suffix}"] for end in ("", "_low", "_high"))) for prior in priors)
        return cls(**told, others=tuple(others))

    def minus(self, other: "Fit") -> "Fit":
        """Of the difference of two exponents."""
        return Fit(min(self.n_errors, other.n_errors), self.remark or other.remark)


def inside(found: Estimate, allowed: Range, n_together: int = 1) -> str:
    """Holds if the whole interval lies in `allowed`, ends included; fails if none of it does, adjusted."""
    if found.low >= allowed[0] and found.high <= allowed[1]:
        return "holds"
    wide = found.adjusted(n_together)
    return "fails" if wide.high < allowed[0] or wide.low > allowed[1] else "inconclusive"


def above(found: Estimate, allowed: Range, n_together: int = 1) -> str:
    """Holds if the whole interval lies above the lower end; fails if it lies below, adjusted."""
    if found.low > allowed[0]:
        return "holds"
    return "fails" if found.adjusted(n_together).high < allowed[0] else "inconclusive"


def exponent(found: Estimate, allowed: Range, n_together: int = 1, fit: Fit = Fit()) -> Judged:
    """As `inside`, if there are errors enough and other priors say the same; and what speaks against the fit.

    A fit that the data reject may fail, but not hold; one with another remark, or an open interval, does neither.
    """
    if fit.remark not in ("", UNFIT):
        return "inconclusive", fit.remark
    if not found.is_complete:
        return "inconclusive", "no end of its interval"
    if not fit.n_errors >= FEWEST:
        return "inconclusive", f"fewer than {FEWEST} events"
    verdicts = {inside(one, allowed, n_together) for one in (found, *fit.others)}
    if len(verdicts) > 1:
        return "inconclusive", "another prior says otherwise"
    (verdict,) = verdicts
    remark = fit.remark or (f"fewer than {ENOUGH} events" if fit.n_errors < ENOUGH else "")
    return "inconclusive" if remark and verdict == "holds" else verdict, remark


def curve_verdict(row: Cells, allowed: Range) -> str:
    """On the exponent of one curve alone: a row of laws/exponents, where a lower end of 0 was not found."""
    low = row["exponent_low"] if row["exponent_low"] > 0 else math.nan
    return exponent(Estimate(row["exponent"], low, row["exponent_high"]), allowed, fit=Fit.of(row))[0]


def straight(found: Estimate, allowed: Range, n_together: int = 1, fit: Fit = Fit()) -> str:
    """How much a curve bends: it fails if a straight line is rejected, and holds if it is not and the bend is small."""
    if fit.p_straight < BENT / n_together:
        return "fails"
    is_flat = fit.p_straight >= UNBENT and inside(found, allowed) == "holds"
    return "holds" if is_flat and fit.n_errors >= ENOUGH else "inconclusive"


RULES: dict[str, Callable[[Estimate, Range, int, Fit], Judged]] = {
    "exponent": exponent,
    "straight": lambda found, allowed, n_together, fit: (straight(found, allowed, n_together, fit), ""),
    "inside": lambda found, allowed, n_together, fit: (inside(found, allowed, n_together), ""),
    "above": lambda found, allowed, n_together, fit: (above(found, allowed, n_together), ""),
    "equal": lambda found, allowed, n_together, fit: (inside(found, allowed), ""),  # a setting: its own interval
    "shown": lambda found, allowed, n_together, fit: ("", ""),
}


def n_settles(found: Estimate, allowed: Range) -> int | None:
    """How many images, in place of found.n, would fit an exponent's interval into what is allowed around the estimate.

    None if it fits already, and if the estimate lies outside or so near an end that it would take MOST_IMAGES.
    """
    if not (found.n and found.is_complete and found.low < found.value < found.high):
        return None
    below, above_it = found.value - found.low, found.high - found.value
    shrunk = min(
        (found.value - allowed[0]) / below, (allowed[1] - found.value) / above_it
    )  # a half-width to what it may be
    if not (found.n / MOST_IMAGES) ** RATE <= shrunk < 1:
        return None
    return math.ceil(found.n * shrunk ** (-1 / RATE))
