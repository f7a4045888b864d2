"""What a comparison says: one line for everything that differs beyond its interval, then what was not judged."""

from collections.abc import Iterable, Mapping

from advlaw.comparison.cells import ROWS, VERDICT, Difference, Found, Shown
from advlaw.comparison.study import Bytes

DIFFERENCES, PAIRS, NOT_JUDGED = 18, 6, 8  # lines at most, unless all are asked for


def equal_line(revision: str, counts: dict[str, Bytes]) -> str:
    """What is said where no table differs."""
    studies = ", ".join(f"{study} ({count.equal})" for study, count in counts.items())
    total = sum(count.equal for count in counts.values())
    return f"equal byte for byte with {revision}: {total} tables of {len(counts)} studies: {studies}"


def difference_lines(found: Found, room: int | None) -> list[str]:
    """One line a difference, the most important first, pairs before single numbers; `room` as in `shown_lines`.

    The points of a curve are one line, and so is a number that stands in several tables.
    """
    groups: dict[tuple[str, ...], list[Difference]] = {}
    for i, one in enumerate(sorted(found.beyond, key=lambda one: (one.rank, not one.note))):
        group = (one.study, one.table, one.curve, one.column) if one.curve else (one.study, one.old, one.new)
        groups.setdefault((str(i),) if one.rank in (VERDICT, ROWS) or one.note else group, []).append(one)
    return _cut([_line(group) for group in groups.values()], room)


def _line(group: list[Difference]) -> str:
    one, others = group[0], len(group) - 1
    more = f" (and at {others} more eps)" if one.curve else f" (and {others} more alike)"
    note = f"; {one.note}" if one.note else more * bool(others)
    return f"{one.study}  {one.table}  {one.key}  {one.column}: {one.old} -> {one.new}{note}"


def pair_lines(found: Found, room: int | None) -> list[str]:
    """The paired differences that are within their intervals: one line each, or those of headline exponents alone."""
    kept = [one for one in found.paired if room is None or one.is_headline]
    return _cut([f"within  {_line([one])}" for one in kept], room)


def note_lines(notes: Mapping[str, list[str]]) -> list[str]:
    """What is to be said of several studies, once: `notes` by study."""
    studies: dict[str, list[str]] = {}
    for study, texts in notes.items():
        for text in texts:
            studies.setdefault(text, []).append(study)
    return [f"{', '.join(names)}: {text}" for text, names in studies.items()]


def shown_lines(found: Found, room: int | None) -> list[str]:
    """One line a table with what differs and has no interval, the largest differences first; all nets' training is one.

    `room`: of how many lines at most; None for all.
    """
    tables: dict[str, Shown] = {}
    for (study, name), shown in found.shown.items():
        label = f"{study}  {'training' if name.startswith('training/') else name}"
        tables[label] = tables[label].plus(shown) if label in tables else shown
    ordered = sorted(tables.items(), key=lambda item: -item[1].largest)
    lines = [f"not judged  {label}: {_shown(shown)}" for label, shown in ordered]
    return _cut(lines, room)


def _cut(lines: list[str], room: int | None) -> list[str]:
    if room is None or len(lines) <= room:
        return lines
    return [*lines[:room], f"... and {len(lines) - room} more (--all shows them)"]


def _shown(shown: Shown) -> str:
    parts = []
    if shown.numbers:
        size = f"{shown.largest:.1%}" if shown.largest > 1e-3 else f"{shown.largest:.0e} of their size"
        parts.append(f"numbers without an interval: {shown.numbers}, by up to {size}")
    if shown.words:
        parts.append(f"texts: {shown.words}")
    if shown.rows:
        parts.append(f"rows on one side only, which depend on the outcomes: {shown.rows}")
    return "; ".join(parts)


def derived_line(counts: Iterable[Bytes]) -> str:
    found = list(counts)
    equal, differing = sum(count.derived_equal for count in found), sum(count.derived_differing for count in found)
    return f"figures, reports and the tables drawn in them (never judged): {equal} equal, {differing} differ"


def summary_line(revision: str, counts: Iterable[Bytes], found: Found) -> str:
    tables = list(counts)
    equal, differing = sum(count.equal for count in tables), sum(count.differing for count in tables)
    shown = sum(shown.numbers + shown.words + shown.rows for shown in found.shown.values())
    return (
        f"compared with {revision}: {equal} tables equal byte for byte, {differing} differ; of the differences, "
        f"{found.within} are within their intervals, {len(found.beyond)} beyond, {shown} not judged"
    )
