"""What a check of a claim returns: parts, each with its numbers and its verdict, and the rules that judge them.

A part's verdict is `holds`, `fails`, `inconclusive` or `masked`, or empty where the number is only shown. A claim fails
if a part fails, and holds if all hold; else it is masked if a part is, else inconclusive. Judged on a smaller analogue
it is `scaled`; without a judged part it is `not run`. See docs/claims.md.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from advlaw.claims.verdict import verdict

VERDICTS = ("holds", "fails", "inconclusive", "masked", "scaled", "not run")
MARGIN = 0.02  # two accuracies that differ by less are no different
NORMAL = 1.959964  # the two-sided 95 % point of the normal distribution

PERCENT, POINTS = "%", "points"

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
    """One number of a claim: of what, which quantity, its estimate, what the claim allows, and the verdict on it."""

    subject: str
    quantity: str
    estimate: Estimate
    allowed: Range = OPEN
    verdict: str = ""
    unit: str = ""  # of what `sentence` says; tables keep shares
    papers_way: str = ""  # the verdict on a number got by least squares, which is shown beside the judged one


@dataclass(frozen=True)
class Finding:
    """The parts of a claim. `missing`: what a study would need to judge it; `remark`: what the reader should know."""

    parts: tuple[Part, ...]
    missing: str
    is_analogue: bool = False
    remark: str = ""

    @property
    def found(self) -> str:
        """The verdict on what was measured, be it an analogue or not."""
        return composite([part.verdict for part in self.parts if part.verdict])

    @property
    def least_squares(self) -> str:
        """What the papers' own way of fitting gives, empty where the claim is not about exponents."""
        found = [part.papers_way for part in self.parts if part.papers_way]
        return composite(found) if found else ""

    @property
    def verdict(self) -> str:
        return "scaled" if self.is_analogue and self.found != "not run" else self.found

    @property
    def analogue(self) -> str:
        """The verdict on the analogue, empty where the claim itself was judged."""
        return self.found if self.verdict == "scaled" else ""

    @property
    def reason(self) -> str:
        if self.verdict == "not run":
            return self.missing
        is_unexplained = self.verdict == "scaled" and not self.remark
        return (
            "on other data, or with smaller nets or fewer samples, than the paper's" if is_unexplained else self.remark
        )


def composite(verdicts: Sequence[str]) -> str:
    """The verdict on a claim of several parts."""
    if not verdicts:
        return "not run"
    for found in ("fails", "masked"):
        if found in verdicts:
            return found
    return "holds" if set(verdicts) == {"holds"} else "inconclusive"


def shown(subject: str, quantity: str, estimate: Estimate, unit: str = "") -> Part:
    """A number that is not judged."""
    return Part(subject, quantity, estimate, unit=unit)


def papers_way(part: Part) -> Part:
    """A number by least squares, the papers' estimator: shown, with a verdict that is told apart."""
    return replace(part, verdict="", papers_way=part.verdict)


def exponent_in(subject: str, quantity: str, estimate: Estimate, allowed: Range) -> Part:
    """An exponent against the paper's range: `advlaw.claims.verdict`."""
    found = "inconclusive"
    if estimate.is_complete:
        found = verdict(estimate.value, estimate.low, estimate.high, allowed)
    return Part(subject, quantity, estimate, allowed, found)


def inside(subject: str, quantity: str, estimate: Estimate, allowed: Range, unit: str = "") -> Part:
    """Holds if the whole interval lies in `allowed`, ends included; fails if none of it does."""
    found = "inconclusive"
    if estimate.low >= allowed[0] and estimate.high <= allowed[1]:
        found = "holds"
    elif estimate.high < allowed[0] or estimate.low > allowed[1]:
        found = "fails"
    return Part(subject, quantity, estimate, allowed, found, unit)


def above(subject: str, quantity: str, estimate: Estimate, bound: float = 0.0, unit: str = "") -> Part:
    """Holds if the whole interval lies above `bound`, fails if it lies below."""
    found = "holds" if estimate.low > bound else "fails" if estimate.high < bound else "inconclusive"
    return Part(subject, quantity, estimate, (bound, math.inf), found, unit)


def no_gain(subject: str, quantity: str, estimate: Estimate) -> Part:
    """A gain is none if the interval lies below 2 points: a loss is none either."""
    return inside(subject, quantity, estimate, (-math.inf, MARGIN), unit=POINTS)


def equal(subject: str, quantity: str, value: float, wanted: float, tolerance: float = 1e-6) -> Part:
    """A setting or an arithmetic result, which has no interval."""
    found = "holds" if abs(value - wanted) <= tolerance else "fails"
    return Part(subject, quantity, Estimate(value, value, value), (wanted - tolerance, wanted + tolerance), found)


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
