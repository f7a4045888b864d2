"""What is found of a claim: numbers with their intervals, the rules that judge them, the verdict of several.

A claim fails if a part fails, and holds if all hold; else it is masked if a part is, else inconclusive. Judged on a
smaller analogue it is `scaled`; without a judged part it is `not run`. See docs/claims.md.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from advlaw.core.io import Cells

VERDICTS = {  # name -> its symbol and what it means, in the order of all tables
    "holds": ("✓", "the measured value agrees with the paper"),
    "fails": ("✗", "the interval excludes what the paper says"),
    "inconclusive": ("?", "the interval is too wide or the value near the edge"),
    "masked": ("◐", "a weak attack agrees with the paper, the strong ones do not"),
    "scaled": ("≈", "checked on a smaller analogue, whose verdict is given"),
    "not run": ("–", "nothing here tests it"),
}
NORMAL = 1.959964  # the two-sided 95 % point of the normal distribution
SLACK, MAX_HALF_WIDTH = 0.05, 0.15  # of an exponent that holds
SMALLER = "on other data, or with smaller nets or fewer samples, than the paper's"

Range = tuple[float, float]
OPEN: Range = (-math.inf, math.inf)


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval, and of how many images, gaps or nets it is; NaN where it is missing."""

    value: float
    low: float = math.nan
    high: float = math.nan
    n: int | None = None

    @property
    def is_complete(self) -> bool:
        return not any(math.isnan(number) for number in (self.value, self.low, self.high))


@dataclass(frozen=True)
class Part:
    """One number of a claim: of what, which quantity, what the claim allows, and the verdict; none if only shown."""

    subject: str
    quantity: str
    estimate: Estimate
    allowed: Range = OPEN
    verdict: str = ""
    unit: str = ""  # `percent` or `points`: how a share is told; tables keep shares
    least_squares: str = ""  # the verdict on a number by the papers' own estimator, which is told apart


@dataclass(frozen=True)
class Finding:
    """The parts of a claim. `missing`: what a study needs to judge it; `remark`: what to know of the judgement."""

    parts: tuple[Part, ...]
    missing: str
    is_analogue: bool = False
    remark: str = ""

    @property
    def concluded(self) -> Cells:
        """The cells of claims.csv. `analogue`: the verdict on what was measured, where that is not what was claimed."""
        judged = [part.verdict for part in self.parts if part.verdict]
        apart = [part.least_squares for part in self.parts if part.least_squares]
        verdict, analogue, reason = composite(judged), "", self.remark
        if not judged:
            reason = self.missing
        elif self.is_analogue:
            verdict, analogue, reason = "scaled", verdict, self.remark or SMALLER
        verdicts = {"verdict": verdict, "analogue": analogue, "least_squares": composite(apart) if apart else ""}
        return {**verdicts, "n_parts": len(judged), "reason": reason}


def composite(verdicts: Sequence[str]) -> str:
    """The verdict on a claim of several parts."""
    for found in ("fails", "masked"):
        if found in verdicts:
            return found
    return "not run" if not verdicts else "holds" if set(verdicts) == {"holds"} else "inconclusive"


def verdict(estimate: float, low: float, high: float, paper: Range) -> str:
    """What a measured exponent says about the paper's: `holds`, `fails` or `inconclusive`.

    Holds: the estimate lies in the paper's range widened by 0.05 and the interval's half-width is at most 0.15.
    Fails: the interval and the range have no point in common.
    """
    if high < paper[0] or low > paper[1]:
        return "fails"
    is_inside = paper[0] - SLACK <= estimate <= paper[1] + SLACK
    return "holds" if is_inside and (high - low) / 2 <= MAX_HALF_WIDTH else "inconclusive"


def exponent(found: Estimate, allowed: Range) -> str:
    """A curve of too few errors has no exponent, which leaves it open."""
    return verdict(found.value, found.low, found.high, allowed) if found.is_complete else "inconclusive"


def inside(found: Estimate, allowed: Range) -> str:
    """Holds if the whole interval lies in `allowed`, ends included; fails if none of it does."""
    if found.low >= allowed[0] and found.high <= allowed[1]:
        return "holds"
    return "fails" if found.high < allowed[0] or found.low > allowed[1] else "inconclusive"


def above(found: Estimate, allowed: Range) -> str:
    """Holds if the whole interval lies above the lower end, fails if it lies below."""
    return "holds" if found.low > allowed[0] else "fails" if found.high < allowed[0] else "inconclusive"


RULES: dict[str, Callable[[Estimate, Range], str]] = {
    "exponent": exponent,
    "inside": inside,
    "above": above,
    "equal": inside,  # a setting or an arithmetic result, which is its own interval
    "shown": lambda found, allowed: "",
}


def difference(first: Estimate, second: Estimate) -> Estimate:
    """first - second of two independent estimates.

    Their distances to the ends of their intervals are added in squares (Newcombe 1998, method 10, for proportions; Zou
    and Donner 2008 for any estimates). On the same images outcomes are positively correlated: then it is too wide.
    """
    value = first.value - second.value
    low = value - math.hypot(first.value - first.low, second.high - second.value)
    high = value + math.hypot(first.high - first.value, second.value - second.low)
    return Estimate(value, low, high, first.n)


def proportion(share: float, n: int) -> Estimate:
    """A share of n with Wilson's interval."""
    z2 = NORMAL * NORMAL
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    spread = NORMAL * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return Estimate(share, max(0.0, centre - spread), min(1.0, centre + spread), n)
