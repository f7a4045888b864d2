"""The papers' claims in pages: how many have which verdict, and each with what was measured."""

from collections.abc import Iterable, Mapping

from advlaw.claims.finding import QUESTIONS, VERDICTS, column
from advlaw.core.io import Cells
from advlaw.report.render import Grid, Right


def counts(studies: Mapping[str, Iterable[str]]) -> Grid:
    """A line per study: name -> the verdicts on its claims."""
    found = {name: list(verdicts) for name, verdicts in studies.items()}
    rows = [[name, *(str(own.count(verdict)) for verdict in VERDICTS)] for name, own in found.items()]
    return Grid(["study", *map(Right, VERDICTS)], rows)


def one_by_one(claims: list[Cells]) -> Grid:
    """A line per claim that was checked, on the study that fits it best; `not_run` lists the others."""
    columns = ("claim", "statement", "numbers", "measured", "study")
    run = (row for row in claims if row["verdict"] != "not run")
    rows = [[*(row[name] for name in columns), _verdict(row)] for row in run]
    return Grid(["claim", "statement", "the paper", "measured", "study", "verdict"], rows)


def questions(claims: list[Cells]) -> Grid:
    """A line per claim about curves: the verdict on each question about them, side by side."""
    columns = ("claim", "statement", "numbers", "study")
    about = (row for row in claims if row["answers"])
    rows = [[*(row[name] for name in columns), *(row[column(name)] or "–" for name in QUESTIONS)] for row in about]
    return Grid(["claim", "statement", "the paper", "study", *QUESTIONS], rows)


def not_run(claims: list[Cells]) -> str:
    """The claims that were not checked, by reason."""
    by_reason: dict[str, list[str]] = {}
    for row in claims:
        if row["verdict"] == "not run":
            by_reason.setdefault(row["reason"], []).append(row["claim"])
    told = "; ".join(f"{', '.join(ids)} ({reason})" for reason, ids in by_reason.items())
    return f"Not run: {told}." if told else ""


def _found(row: Cells) -> str:
    """The verdict on what was measured, be it an analogue or not."""
    return row["analogue"] or row["verdict"]


def _verdict(row: Cells) -> str:
    """A scaled claim also says what its smaller analogue gave, and any what else was found in other studies."""
    verdict = f"{row['verdict']}: {row['analogue']}" if row["analogue"] else row["verdict"]
    others = [part.partition(": ") for part in row["others"].split("; ")]
    direct = [(name, other) for name, _, other in others if other in ("holds", "fails", "masked")]
    told = ", ".join(f"{other} on {name}" for name, other in direct if other != _found(row))
    return f"{verdict} ({told})" if told else verdict
