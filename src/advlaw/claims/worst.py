"""The part by which a claim stands or falls: of the worst verdict, the one that is nearest to failing."""

import math

from advlaw.core.io import Cells

WORST_FIRST = ("fails", "masked", "inconclusive", "holds")


def own_parts(parts: list[Cells]) -> list[Cells]:
    """The judged parts on which the verdict rests: those about no curve, and those on what is asked first of curves."""
    return [part for part in parts if part["verdict"] and part["question"] in ("", parts[0]["question"])]


def worst(parts: list[Cells]) -> Cells:
    return min(parts, key=lambda part: (WORST_FIRST.index(part["verdict"]), distance(part), min(_rooms(part))))


def distance(part: Cells) -> float:
    """From the nearer end of what is allowed, in half-widths of the interval towards it: 1 where all of it is just
    inside, -1 where all of it is just outside, 0 where the value is at the end; infinite without an interval."""
    below, above = part["value"] - part["low"], part["high"] - part["value"]
    from_low, from_high = _rooms(part)
    halves = (below if from_low >= 0 else above, above if from_high >= 0 else below)
    return min(map(_in_halves, (from_low, from_high), halves))


def _rooms(part: Cells) -> tuple[float, float]:
    """How far a value is above the lower end and below the upper one; infinite where there is no end or value."""
    rooms = (part["value"] - part["allowed_low"], part["allowed_high"] - part["value"])
    low, high = (math.inf if math.isnan(room) else room for room in rooms)
    return low, high


def _in_halves(room: float, half: float) -> float:
    return room / half if half > 0 and math.isfinite(room) else math.copysign(math.inf, room)
