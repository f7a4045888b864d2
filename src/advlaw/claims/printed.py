"""claims/printed.csv: numbers that Kurakin's tables print, shown with a claim beside what a study measures.

A row shows a cell of kurakin_tables.csv, or the mean of several, or its difference from the cell `minus`. Intervals are
those of `n` images, and only test whether the paper agrees with itself.
"""

import csv
from fnmatch import fnmatchcase
from pathlib import Path
from statistics import mean

from advlaw.claims.finding import Part, difference, proportion


def texts(path: Path) -> list[dict[str, str]]:
    """The rows of a hand-written file, as text."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, restkey="a cell too many", restval=""))


def printed_parts(folder: Path) -> dict[str, list[Part]]:
    """What the paper prints about each claim. Raises ValueError for a row without a cell."""
    cells = {row["id"]: float(row["value"]) / 100 for row in texts(folder / "kurakin_tables.csv")}
    parts: dict[str, list[Part]] = {}
    for row in texts(folder / "printed.csv"):
        found = []
        for ids in filter(None, (row["cell"], row["minus"])):
            shares = [share for name, share in cells.items() if any(fnmatchcase(name, one) for one in ids.split())]
            if not shares:
                where = f"claims/printed.csv: {row['claim']}: {ids!r}"
                raise ValueError(f"{where}: no such id in claims/kurakin_tables.csv; correct it or add it there")
            found.append(proportion(mean(shares), int(row["n"])))
        shown, unit = (difference(*found), "points") if row["minus"] else (found[0], "percent")
        part = Part(f"the paper's {row['place']}", row["quantity"], shown, unit=unit)
        parts.setdefault(row["claim"], []).append(part)
    return parts
