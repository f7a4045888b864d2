"""One study in two versions: its committed files, which of them differ, and its tables."""

import csv
import io
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path
from typing import Any

from advlaw.comparison.cells import ROWS, Difference, Found, Version, compare_tables
from advlaw.comparison.numbers import ROUNDING
from advlaw.comparison.revision import Revision
from advlaw.comparison.sizes import Sizes
from advlaw.comparison.tables import Row, is_derived, table
from advlaw.core.tables import LABELLED_BY

TABLES, DRAWN = (".csv", ".json"), (".svg", ".png", ".html")
KINDS, DATASETS = ("metrics/", "plots/"), "datasets/params.yaml"


@dataclass(frozen=True)
class Files:
    """A study's committed files on one side, by path, and the sizes of the data sets there."""

    study: str
    contents: Mapping[str, bytes]
    datasets: bytes

    @cached_property
    def tables(self) -> dict[str, list[Row]]:
        """Its tables by name, each row with what says what it is of; each part of summary.json is one."""
        plots = f"plots/{self.study}/"
        found = {
            path.removeprefix(plots).removesuffix(".csv"): _rows(content)
            for path, content in self.contents.items()
            if path.endswith(".csv")
        }
        for name in found.keys() & LABELLED_BY.keys():
            labels, keys = LABELLED_BY[name]
            about = {tuple(row[key] for key in keys): row for row in found.get(labels, [])}
            found[name] = [{**row, **about.get(tuple(row[key] for key in keys), {})} for row in found[name]]
        summary = self.contents.get(f"metrics/{self.study}/summary.json")
        return found | (_summary(summary, found.get("models", [])) if summary else {})

    @cached_property
    def sizes(self) -> Sizes:
        sets = [name.removesuffix("curves") for name in self.tables if fnmatch(name, "trials/*/curves")]
        return Sizes(self.datasets, [row for name in sets for row in self.tables.get(f"{name}nets", [])])

    def labels(self, name: str) -> set[str]:
        """The columns that say what this table's rows are of: they are compared once, where they are said."""
        labels, keys = LABELLED_BY.get(name, ("", ()))
        return {column for row in self.tables.get(labels, [])[:1] for column in row if column not in keys}

    def version(self, name: str, left_out: set[str]) -> Version:
        return Version(self.tables[name], self.sizes, left_out)


def study_names(root: Path, revision: Revision, wanted: str = "") -> list[str]:
    """The studies that have tables on either side, or the one wanted; raises ValueError where there is no such one."""
    here = [path.relative_to(root).as_posix() for kind in KINDS for path in (root / kind).glob("*/*")]
    names = sorted({path.split("/")[1] for path in (*here, *revision.blobs) if path.startswith(KINDS)})
    if wanted and wanted not in names:
        raise ValueError(f"STUDY = {wanted!r}: no study of this name has tables; allowed: {', '.join(names)}")
    if not names:
        raise ValueError(f"{root.resolve()}: no tables in metrics/ and plots/; run this in the project's folder")
    return [wanted] if wanted else names


def both_sides(root: Path, revision: Revision, study: str) -> tuple[Files, Files]:
    """A study's files in the revision, and in the working tree."""
    folders = tuple(f"{kind}{study}/" for kind in KINDS)
    there = [path for path in revision.blobs if path.startswith(folders) and path.endswith(TABLES + DRAWN)]
    paths = [path for folder in folders for path in (root / folder).rglob("*") if path.suffix in TABLES + DRAWN]
    here = {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}
    datasets = root / DATASETS
    return (
        Files(study, revision.read(there), revision.read([DATASETS]).get(DATASETS, b"")),
        Files(study, here, datasets.read_bytes() if datasets.exists() else b""),
    )


@dataclass(frozen=True)
class Bytes:
    """How many tables, and how many files that are drawn from them, are equal and differ."""

    equal: int
    differing: int
    derived_equal: int
    derived_differing: int


def count_bytes(old: Files, new: Files) -> Bytes:
    paths = sorted({*old.contents, *new.contents})
    same = {path: old.contents.get(path) == new.contents.get(path) for path in paths}
    derived = [same[path] for path in paths if _is_derived(path)]
    tables = [same[path] for path in paths if not _is_derived(path)]
    return Bytes(sum(tables), len(tables) - sum(tables), sum(derived), len(derived) - sum(derived))


def compare_study(old: Files, new: Files, found: Found) -> None:
    """Add what differs between the tables of a study to `found`; raises ValueError for a table nobody described."""
    for name in sorted({*old.tables, *new.tables}, key=_order):
        if is_derived(name):
            continue
        if name not in old.tables or name not in new.tables:
            both = ("none", "new") if name in new.tables else ("there", "gone")
            found.beyond.append(Difference(new.study, name, "every row", "table", *both, ROWS))
        elif old.tables[name] != new.tables[name] or old.sizes.splits != new.sizes.splits:
            labels = old.labels(name) | new.labels(name)
            sides = old.version(name, labels), new.version(name, labels)
            columns = {column for side in sides for column in side.columns}
            compare_tables(new.study, name, table(new.study, name, columns), *sides, found)


def retrained(old: Files, new: Files) -> list[str]:
    """The nets that were trained differently: their training curves differ by more than rounding."""
    names = [name for name in sorted(new.tables) if name.startswith("training/") and name in old.tables]
    return [Path(name).name for name in names if not _same_but_for_rounding(old.tables[name], new.tables[name])]


def _same_but_for_rounding(old: list[Row], new: list[Row]) -> bool:
    cells = [[cell for row in rows for cell in row.values()] for rows in (old, new)]
    return len(cells[0]) == len(cells[1]) and all(
        a == b or bool(a and b and math.isclose(float(a), float(b), rel_tol=ROUNDING))
        for a, b in zip(*cells, strict=True)
    )


def _is_derived(path: str) -> bool:
    return path.endswith(DRAWN) or is_derived(path.split("/", 2)[2])


def _order(name: str) -> tuple[bool, bool, bool, str]:
    """Claims first, then their parts, then what is in no folder."""
    return name != "claims", name != "claim_parts", "/" in name, name


def _rows(content: bytes) -> list[Row]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8"), newline="")))


def _summary(content: bytes, models: list[Row]) -> dict[str, list[Row]]:
    """The parts of a summary.json as tables; an accuracy's row names the net's data set, which says of how many."""
    summary, dataset = json.loads(content), {row["model"]: row["dataset"] for row in models}
    readers: dict[str, Callable[[str, Any], dict[str, str]]] = {
        "claims": lambda name, value: {"verdict": name, "claims": _cell(value)},
        "exponent": lambda name, value: {"curve": name, **{end: _cell(number) for end, number in value.items()}},
        "test_accuracy": lambda name, value: {
            "model": name,
            "test_accuracy": _cell(value),
            "dataset": dataset.get(name, ""),
        },
    }
    unknown = summary.keys() - readers.keys()
    if unknown:
        raise ValueError(
            f"summary.json: unknown part {sorted(unknown)[0]!r}; describe it in src/advlaw/comparison/study.py and "
            f"tables.py, which know: {', '.join(readers)}"
        )
    return {
        f"summary/{part}": [readers[part](name, value) for name, value in entries.items()]
        for part, entries in summary.items()
    }


def _cell(value: object) -> str:
    return "" if value is None else str(value)
