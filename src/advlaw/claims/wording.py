"""What was measured, in words: the `measured` column of the tables of claims."""

import math
from collections.abc import Iterable

from advlaw.claims.finding import VERDICTS, Part


def sentence(parts: Iterable[Part]) -> str:
    """A clause for each quantity and what it is held against; several nets by counts of verdicts and extremes."""
    groups: dict[tuple[str, object], list[Part]] = {}
    for part in parts:
        groups.setdefault((part.quantity, part.allowed if part.verdict else None), []).append(part)
    return "; ".join(_single(group[0]) if len(group) == 1 else _several(group) for group in groups.values())


def _single(part: Part) -> str:
    return f"{part.subject}, {part.quantity}{_allowed(part)}: {_number(part, with_interval=True)}"


def _several(group: list[Part]) -> str:
    first = group[0]
    text = f"{first.quantity}{_allowed(first)}:"
    if first.verdict:
        counts = {found: sum(part.verdict == found for part in group) for found in VERDICTS}
        text += " " + ", ".join(f"{count} {_agreeing(found, count)}" for found, count in counts.items() if count) + ";"
    known = sorted((part for part in group if not math.isnan(part.estimate.value)), key=lambda p: p.estimate.value)
    if not known:
        return text + " too few errors"
    lowest, highest = known[0], known[-1]
    if _number(lowest) == _number(highest):
        return f"{text} {_number(lowest)}"
    return f"{text} from {_number(lowest)} ({lowest.subject}) to {_number(highest)} ({highest.subject})"


def _agreeing(verdict: str, count: int) -> str:
    """`2 hold`, `1 holds`."""
    return {"holds": "hold", "fails": "fail"}.get(verdict, verdict) if count > 1 else verdict


def _number(part: Part, with_interval: bool = False) -> str:
    estimate = part.estimate
    if math.isnan(estimate.value):
        return "too few errors"
    text = _with_unit(estimate.value, part.unit)
    if with_interval and estimate.is_complete and estimate.low < estimate.high:
        return f"{text} [{_decimal(estimate.low, part.unit)}, {_decimal(estimate.high, part.unit)}]"
    return text


def _allowed(part: Part) -> str:
    """What a judged part is held against, in brackets: the paper's number or, where it has none, a convention."""
    if not part.verdict:
        return ""
    low, high = part.allowed
    if math.isinf(high):
        return f" (allowed: above {_with_unit(low, part.unit)})"
    if math.isinf(low):
        return f" (allowed: at most {_with_unit(high, part.unit)})"
    shown = _decimal(low, part.unit), _decimal(high, part.unit)
    if high - low < 0.003:  # a setting, not a range
        return f" (allowed: {_with_unit((low + high) / 2, part.unit)})"
    return f" (allowed: {shown[0]} to {_with_unit(high, part.unit)})"


def _with_unit(value: float, unit: str) -> str:
    return f"{_decimal(value, unit)} {unit}".rstrip()


def _decimal(value: float, unit: str) -> str:
    if unit:
        text = f"{100 * value:.1f}"
    elif abs(value - round(value)) < 1e-5 and abs(value) >= 1:
        text = f"{value:.0f}"
    else:
        text = f"{value:.1g}" if 1e-5 < abs(value) < 0.002 else f"{value:.2f}"
    return text.replace("-", "") if float(text) == 0 else text
