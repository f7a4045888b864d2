"""What is found about a claim: numbers with their intervals and verdicts, and the verdict of several.

A claim fails if a part fails, and holds if all hold; else it is masked if a part is, else inconclusive. Judged on a
smaller analogue it is `scaled`; without a judged part it is `not run`. See docs/claims.md.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from advlaw.core.io import Cells

VERDICTS = {  # name -> its symbol and what it means, in the order of all tables
    "holds": ("✓", "the whole interval agrees with the paper"),
    "fails": ("✗", "the interval excludes what the paper says"),
    "inconclusive": ("?", "the interval allows both, or no exponent can be fitted"),
    "masked": ("◐", "a weak attack agrees with the paper, strong ones do not"),
    "scaled": ("≈", "checked on a smaller analogue, whose verdict is given"),
    "not run": ("–", "nothing here tests it"),
}
AS_A_LAW, AS_PRINTED, STRAIGHT = "as a law", "as printed", "straight"
QUESTIONS = {  # about a curve -> what is asked
    AS_A_LAW: "the exponent as eps -> 0",
    AS_PRINTED: "the slope of a line through the log-log points, as the papers fit it",
    STRAIGHT: "whether the curve is a power law over its visible range",
}
NORMAL = 1.959964  # the two-sided 95 % point of the normal distribution
SMALLER = "other data, smaller nets or fewer samples than in the paper"

Range = tuple[float, float]
OPEN: Range = (-math.inf, math.inf)


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval, from `n` images, gaps or nets; NaN if it is missing."""

    value: float
    low: float = math.nan
    high: float = math.nan
    n: int | None = None

    @property
    def is_complete(self) -> bool:
        return not any(math.isnan(number) for number in (self.value, self.low, self.high))

    def adjusted(self, n_together: int) -> "Estimate":
        """With a 95 % interval of n_together numbers at once (Bonferroni).

        The distances to its ends grow as the quantiles of a normal distribution do, on either side.
        """
        scale = NormalDist().inv_cdf(1 - 0.025 / n_together) / NORMAL if n_together > 1 else 1.0
        low, high = (self.value + scale * (end - self.value) for end in (self.low, self.high))
        return Estimate(self.value, low, high, self.n)


@dataclass(frozen=True)
class Part:
    """One number of a claim: its subject and quantity, what the claim allows, and the verdict; none if only shown.

    question: one of `QUESTIONS`, or empty if it is about no curve. n_together: how many numbers are judged with it.
    n_settles: how many images would settle an open one. p_value: of a test that its rule takes beside the number.
    remark: what speaks against the fit that the number comes from.
    """

    subject: str
    quantity: str
    estimate: Estimate
    allowed: Range = OPEN
    verdict: str = ""
    unit: str = ""  # `percent` or `points`: how a share is told; tables keep shares
    question: str = ""
    n_together: int = 1
    n_settles: int | None = None
    p_value: float = math.nan
    remark: str = ""


@dataclass(frozen=True)
class Finding:
    """The parts of a claim. `missing`: what a study needs to judge it; `remark`: a note on the judgement.

    question: the one that the claim asks of curves. Its verdict and that on other numbers are the claim's; the
    verdicts on other questions stand beside.
    """

    parts: tuple[Part, ...]
    missing: str
    is_analogue: bool = False
    remark: str = ""
    question: str = ""

    @property
    def concluded(self) -> Cells:
        """The cells of claims.csv. `analogue`: the verdict on what was measured, where that is not what was claimed."""
        judged = self._verdicts("", self.question)
        verdict, analogue, reason = composite(judged), "", self.remark
        if not judged:
            reason = self.missing
        elif self.is_analogue:
            verdict, analogue, reason = "scaled", verdict, self.remark or SMALLER
        beside = {question: self._verdicts(question) for question in QUESTIONS}
        apart = {column(question): composite(found) if found else "" for question, found in beside.items()}
        return {"verdict": verdict, "analogue": analogue, **apart, "n_parts": len(judged), "reason": reason}

    def _verdicts(self, *questions: str) -> list[str]:
        return [part.verdict for part in self.parts if part.verdict and part.question in questions]


def column(question: str) -> str:
    """Where claims.csv has the verdict on a question."""
    return question.replace(" ", "_")


def composite(verdicts: Sequence[str]) -> str:
    """The verdict on a claim of several parts."""
    for found in ("fails", "masked"):
        if found in verdicts:
            return found
    return "not run" if not verdicts else "holds" if set(verdicts) == {"holds"} else "inconclusive"


def difference(first: Estimate, second: Estimate) -> Estimate:
    """first - second of two independent estimates.

    Their distances to the ends of their intervals are added in squares (Newcombe 1998, method 10, for proportions; Zou
    and Donner 2008 for any estimates). On the same images outcomes are positively correlated: then it is too wide.
    """
    value = first.value - second.value
    low = value - math.hypot(first.value - first.low, second.high - second.value)
    high = value + math.hypot(first.high - first.value, second.value - second.low)
    return Estimate(value, low, high, first.n)


def largest(found: Sequence[Estimate]) -> Estimate:
    """The largest of several numbers, one of which was not chosen before: their ends are those of all of them at once.

    An end is missing where that of any of them is.
    """
    together = [one.adjusted(len(found)) for one in found]
    numbers = np.array([(one.value, one.low, one.high) for one in together])
    value, low, high = numbers.max(axis=0).tolist()
    return Estimate(value, low, high)


def smallest(found: Sequence[Estimate]) -> Estimate:
    """The smallest of several numbers, like `largest`."""
    upside_down = largest([Estimate(-one.value, -one.high, -one.low) for one in found])
    return Estimate(-upside_down.value, -upside_down.high, -upside_down.low)


def proportion(share: float, n: int) -> Estimate:
    """A share of n with Wilson's interval."""
    z2 = NORMAL * NORMAL
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    spread = NORMAL * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return Estimate(share, max(0.0, centre - spread), min(1.0, centre + spread), n)
