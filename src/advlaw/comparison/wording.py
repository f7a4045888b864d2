"""What a comparison says: one line for everything that differs beyond its interval, then what was not judged."""

from collections.abc import Iterable, Mapping

from advlaw.comparison.cells import VERDICT, Difference, Found, Shown
from advlaw.comparison.study import Bytes

DIFFERENCES, NOT_JUDGED = 24, 8  # lines at most, unless all are asked for


def equal_line(revision: str, counts: dict[str, Bytes]) -> str:
    """What is said where no table differs."""
    studies = ", ".join(f"{study} ({count.equal})" for study, count in counts.items())
    total = sum(count.equal for count in counts.values())
    return f"equal byte for byte with {revision}: {total} tables of {len(counts)} studies: {studies}"


def difference_lines(found: Found, room: int | None) -> list[str]:
    """One line a difference, the most important first; a number that stands in several tables is told once."""
    ordered = sorted(found.beyond, key=lambda difference: difference.rank)
    groups: dict[tuple[str, ...], list[Difference]] = {}
    for i, one in enumerate(ordered):
        same = (str(i),) if one.rank == VERDICT or one.note else (one.study, str(one.rank), one.old, one.new)
        groups.setdefault(same, []).append(one)
    lines = [_line(group) for group in groups.values()]
    return _cut(lines, room)


def _line(group: list[Difference]) -> str:
    one = group[0]
    note = f"; {one.note}" if one.note else f" (and in {len(group) - 1} other places)" if len(group) > 1 else ""
    return f"{one.study}  {one.table}  {one.key}  {one.column}: {one.old} -> {one.new}{note}"


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
        parts.append(f"{shown.numbers} without an interval, at most {shown.largest:.0e} of themselves apart")
    if shown.words:
        parts.append(f"{shown.words} texts")
    if shown.rows:
        parts.append(f"{shown.rows} rows there on one side only, as outcomes have it")
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
        f"with {revision}: {equal} tables equal byte for byte, {differing} not; of what differs in them "
        f"{found.within} within its interval, {len(found.beyond)} beyond, {shown} not judged"
    )
