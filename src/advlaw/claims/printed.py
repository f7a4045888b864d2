"""claims/printed.csv: numbers that Kurakin's tables print, shown with a claim beside what a study measures.

A row shows a cell of kurakin_tables.csv, or the mean of several, or its difference from the cell `minus`. Intervals are
those that `n` images give: whether the paper agrees with itself, no more.
"""

import csv
from fnmatch import fnmatchcase
from pathlib import Path
from statistics import mean

from advlaw.claims.finding import Part, difference, proportion


def texts(path: Path) -> list[dict[str, str]]:
    """The rows of a file that a person wrote, as they stand there."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, restkey="a cell too many", restval=""))


def printed_parts(folder: Path) -> dict[str, list[Part]]:
    """What the paper prints of each claim. Raises ValueError for a row of which there is no cell."""
    cells = {row["id"]: float(row["value"]) / 100 for row in texts(folder / "kurakin_tables.csv")}
    parts: dict[str, list[Part]] = {}
    for row in texts(folder / "printed.csv"):
        found = []
        for ids in filter(None, (row["cell"], row["minus"])):
            shares = [share for name, share in cells.items() if any(fnmatchcase(name, one) for one in ids.split())]
            if not shares:
                raise ValueError(
                    f"claims/printed.csv: {row['claim']}: {ids!r}: no such id in claims/kurakin_tables.csv"
                )
            found.append(proportion(mean(shares), int(row["n"])))
        shown, unit = (difference(*found), "points") if row["minus"] else (found[0], "percent")
        part = Part(f"the paper's {row['place']}", row["quantity"], shown, unit=unit)
        parts.setdefault(row["claim"], []).append(part)
    return parts
