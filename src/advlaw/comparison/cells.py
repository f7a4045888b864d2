"""Two versions of a table, row by row and cell by cell."""

import math
from dataclasses import dataclass, field

from advlaw.claims.finding import Estimate
from advlaw.comparison.numbers import agree, estimate, relative, written
from advlaw.comparison.sizes import Sizes
from advlaw.comparison.tables import Row, Table, is_text

Key = tuple[str, ...]
EPS = ("grid_eps", "eps")  # the last key of a table of curves
VERDICT, EXPONENT, ACCURACY, NUMBER, ROWS = range(5)  # most important first


@dataclass(frozen=True)
class Difference:
    """One thing that differs.

    `note` says what old -> new does not; `curve` is the key but for eps, where a row is a point of a curve;
    `is_headline`: of an exponent that the params name as one of the study's few.
    """

    study: str
    table: str
    key: str
    column: str
    old: str
    new: str
    rank: int
    note: str = ""
    curve: str = ""
    is_headline: bool = False


@dataclass
class Shown:
    """How many numbers, words and rows of one table differ that nothing judges; `largest` is relative."""

    numbers: int = 0
    words: int = 0
    rows: int = 0
    largest: float = 0.0

    def plus(self, other: "Shown") -> "Shown":
        largest = max(self.largest, other.largest)
        return Shown(self.numbers + other.numbers, self.words + other.words, self.rows + other.rows, largest)


@dataclass
class Found:
    """What differs beyond its interval, how much within, the pairs of the latter, and what is not judged."""

    beyond: list[Difference] = field(default_factory=list)
    within: int = 0
    paired: list[Difference] = field(default_factory=list)
    shown: dict[tuple[str, str], Shown] = field(default_factory=dict)


@dataclass(frozen=True)
class Version:
    """A table as one side has it: its rows in order, of how many images its shares are, and columns told elsewhere."""

    rows: list[Row]
    sizes: Sizes
    left_out: set[str] = field(default_factory=set)

    @property
    def columns(self) -> list[str]:
        return [column for row in self.rows[:1] for column in row if column not in self.left_out]


def compare_tables(study: str, name: str, table: Table, old: Version, new: Version, found: Found) -> None:
    """Add what differs between two versions of a table to `found`; raises ValueError where a key names two rows."""
    pair = _Pair(study, name, table, found)
    old_rows, new_rows = (keyed(f"{study}/{name}", table, version.rows) for version in (old, new))
    if old.rows and new.rows:
        pair.miss_columns(old.columns, new.columns)
    pair.miss_rows(list(old_rows), list(new_rows))
    shared = [column for column in old.columns if column in new.columns]
    judged = [column for column in shared if not table.is_end(column, shared)]
    for key, before in old_rows.items():
        after = new_rows.get(key, before)
        for column in judged:
            cells = (column, *table.ends(column, shared))
            if any(before.get(cell) != after.get(cell) for cell in cells):
                numbers = estimate(table, column, before, old.sizes), estimate(table, column, after, new.sizes)
                pair.judge(key, column, (before[column], after[column]), *numbers)


def keyed(where: str, table: Table, rows: list[Row]) -> dict[Key, Row]:
    """Rows by their key. Raises ValueError where a key names two rows, or a column of it is not there."""
    found: dict[Key, Row] = {}
    places: dict[Key, int] = {}
    for row in rows:
        missing = [column for column in table.key if column not in row and column != "#"]
        if missing:
            raise ValueError(f"{where}: no column {missing[0]!r}, which belongs to its key; it has {', '.join(row)}")
        key = tuple(row[column] for column in table.key if column != "#")
        if "#" in table.key:
            places[key] = places.get(key, 0) + 1
            key = (*key, str(places[key]))
        if key in found:
            raise ValueError(
                f"{where}: two rows have the key {_joined(key)!r}; extend {', '.join(table.key)} in "
                "src/advlaw/comparison/tables.py so that it names one row"
            )
        found[key] = row
    return found


def _joined(key: Key) -> str:
    return " ".join(part for part in key if part)


@dataclass(frozen=True)
class _Pair:
    """The two versions of one table, and where what is found goes."""

    study: str
    name: str
    table: Table
    found: Found

    def judge(self, key: Key, column: str, cells: tuple[str, str], old: Estimate | None, new: Estimate | None) -> None:
        """One cell that differs, or whose interval does."""
        if column in self.table.verdicts:
            self._differs(VERDICT, _joined(key), column, cells[0] or "none", cells[1] or "none")
        elif is_text(column) or old is None or new is None:
            self._shown().words += 1
        elif any(math.isnan(a) != math.isnan(b) for a, b in ((old.value, new.value), (old.low, new.low))):
            self._differs(self._rank(column), _joined(key), column, written(old), written(new), self._curve(key))
        elif not old.is_complete:
            shown = self._shown()
            shown.numbers += 1
            shown.largest = max(shown.largest, relative(old, new))
        elif agree(old, new):
            self.found.within += 1
        else:
            self._differs(self._rank(column), _joined(key), column, written(old), written(new), self._curve(key))

    def miss_columns(self, old: list[str], new: list[str]) -> None:
        for column in old:
            if column not in new:
                self._differs(ROWS, "every row", column, "there", "gone")
        for column in new:
            if column not in old:
                self._differs(ROWS, "every row", column, "none", "new")

    def miss_rows(self, old: list[Key], new: list[Key]) -> None:
        gone, added = set(old) - set(new), set(new) - set(old)
        if self.table.is_open:
            if gone or added:
                self._shown().rows += len(gone) + len(added)
            return
        for order, missing, sides in ((old, gone, ("there", "gone")), (new, added, ("none", "new"))):
            if missing:
                named = [_joined(key) for key in order if key in missing]
                rows = "1 row" if len(named) == 1 else f"{len(named)} rows"
                self._differs(ROWS, "; ".join(named[:3]) + "; ..." * (len(named) > 3), rows, *sides)

    def _differs(self, rank: int, key: str, column: str, old: str, new: str, curve: str = "") -> None:
        self.found.beyond.append(Difference(self.study, self.name, key, column, old, new, rank, curve=curve))

    def _shown(self) -> Shown:
        return self.found.shown.setdefault((self.study, self.name), Shown())

    def _rank(self, column: str) -> int:
        if column == "B" or "exponent" in column:
            return EXPONENT
        return ACCURACY if "accuracy" in column and self.table.key[-1] != "grid_eps" else NUMBER

    def _curve(self, key: Key) -> str:
        return _joined(key[:-1]) if self.table.key[-1] in EPS else ""
