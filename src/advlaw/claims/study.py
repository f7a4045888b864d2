"""What the claims of a study are judged on: its params and its committed tables."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from advlaw.attacks.settings import Attacks
from advlaw.claims.finding import Estimate, Finding
from advlaw.core.io import Row, read_csv, read_tables
from advlaw.core.section import read_section, read_sections
from advlaw.training.settings import RobustNet

Check = Callable[["Evidence"], Finding]

# the tables the stage depends on: those of the study's own folder, and whole folders
TABLES = ("error_curves", "exponents", "logit_gaps", "models")
FOLDERS = ("order_statistics", "theory", "trials", "worst_case")


@dataclass(frozen=True)
class Evidence:
    """A study: `tables` by name (`exponents`, `theory/predictions`), as rows of strings; `paper`: Kurakin's tables."""

    name: str
    attacks: Attacks
    models: dict[str, dict[str, Any]]
    robust_models: dict[str, RobustNet]
    pretrained_models: dict[str, dict[str, Any]]
    baselines: dict[str, str]  # net -> the net that it is compared with
    drawn_set: str  # the set of nets drawn at random, and its data; empty where there is none
    drawn_dataset: str
    sources: dict[str, str]  # net -> the net that attacks are transferred from
    headline: list[str]
    tables: dict[str, list[Row]]
    paper: dict[str, float] = field(default_factory=dict)  # row of kurakin_tables.csv -> its value in per cent

    def rows(self, table: str, **wanted: str) -> list[Row]:
        """The rows of a table whose columns have these values; none where the table was not made."""
        return [
            row
            for row in self.tables.get(table, [])
            if all(row.get(column, "") == value for column, value in wanted.items())
        ]

    def drawn(self, table: str, **wanted: str) -> list[Row]:
        """The rows of a table of the set of nets drawn at random; none where there is no such set."""
        return self.rows(f"trials/{self.drawn_set}/{table}", **wanted)

    def model(self, name: str) -> Row:
        """A net's row of models.csv, empty where there is none."""
        return next(iter(self.rows("models", model=name)), {})

    def sizes(self, name: str) -> dict[str, Any]:
        """What the params say of a net."""
        if name in self.robust_models:
            return self.robust_models[name].entry()
        return self.models.get(name) or self.pretrained_models.get(name) or {}


def read_evidence(params: Path, plots: Path, claims: Path) -> Evidence:
    """The study of a params file with its tables in `plots`, and the papers' numbers in `claims`.

    Raises FileNotFoundError where a table of `TABLES` is missing, ParamsError (a ValueError) for wrong params.
    """
    name, attacks, models, robust, pretrained, baselines, trials = read_sections(
        params,
        study=str,
        attacks=Attacks,
        models=dict[str, dict],
        robust_models=dict[str, RobustNet],
        pretrained_models=dict[str, dict],
        baselines=dict[str, str],
        trials=dict[str, dict],
    )
    attacked = read_section(params, "worst_case.nets", dict[str, dict])
    drawn = next((key for key, entry in trials.items() if "draw" in entry), "")
    folder = plots / name
    return Evidence(
        name=name,
        attacks=attacks,
        models=models,
        robust_models=robust,
        pretrained_models=pretrained,
        baselines=baselines,
        drawn_set=drawn,
        drawn_dataset=str(trials[drawn]["dataset"]) if drawn else "",
        sources={net: str(entry.get("source", "")) for net, entry in attacked.items()},
        headline=read_section(params, "fit.headline", list[str]),
        tables=read_tables(folder, *FOLDERS) | {table: read_csv(folder / f"{table}.csv") for table in TABLES},
        paper={row["id"]: float(row["value"]) for row in read_csv(claims / "kurakin_tables.csv")},
    )


def number(row: Row, column: str) -> float:
    """A cell as a number, NaN where it is empty."""
    return float(row[column]) if row.get(column) else math.nan


def estimate(row: Row, column: str, low: str = "", high: str = "", n: str = "") -> Estimate:
    """A cell with the ends of its interval, `<column>_low` and `<column>_high` if not named."""
    ends = (number(row, low or f"{column}_low"), number(row, high or f"{column}_high"))
    return Estimate(number(row, column), *ends, int(row[n]) if n and row.get(n) else None)


def is_analogue(rows: list[Row], *datasets: str) -> bool:
    """Whether none of these rows is of the data sets that a claim is about."""
    return not any(row["dataset"] in datasets for row in rows)


def preferring(rows: list[Row], *datasets: str) -> list[Row]:
    """The rows of the data sets a claim is about, or all of them as its analogue."""
    return [row for row in rows if row["dataset"] in datasets] or rows


def by_curve(rows: list[Row]) -> dict[str, list[Row]]:
    curves: dict[str, list[Row]] = {}
    for row in rows:
        curves.setdefault(row["curve"], []).append(row)
    return curves


def near(rows: list[Row], column: str, value: float) -> Row | None:
    """The row whose `column` is nearest to `value`, in logarithms; None if it is more than a fifth off."""

    def distance(row: Row) -> float:
        return abs(math.log(number(row, column) / value))

    best = min((row for row in rows if number(row, column) > 0), key=distance, default=None)
    return best if best and distance(best) < math.log(1.2) else None
