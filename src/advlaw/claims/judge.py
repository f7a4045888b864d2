"""All claims judged on one study: the rows of its tables of claims, and its few headline numbers."""

import importlib
import math
import pkgutil
from dataclasses import asdict
from decimal import ROUND_HALF_UP, Decimal
from functools import partial
from pathlib import Path

from advlaw import claims as package
from advlaw.claims.checks import CHECKS, judged, read_rows
from advlaw.claims.finding import VERDICTS, Part
from advlaw.claims.registry import ODD, Judge
from advlaw.claims.study import Evidence
from advlaw.core.io import Cells
from advlaw.core.tables import read_table, records


def read_judges(folder: Path) -> dict[str, Judge]:
    """What judges each claim of claims.csv, in its order: its rows of checks.csv or a function.

    Raises ValueError for a claim without a judge or with two, and for a check without a claim.
    """
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    claims, rows = list(read_table(folder / "claims.csv")["id"]), read_rows(folder)
    judges: dict[str, Judge] = {**ODD, **{claim: partial(judged, checks) for claim, checks in rows.items()}}
    for claim in (*judges, *claims):
        if claim not in claims:
            raise ValueError(f"{CHECKS}: {claim}: no such claim in claims/claims.csv; add it there")
        if claim not in judges:
            raise ValueError(f"claims/claims.csv: {claim}: nothing judges it; add a row to {CHECKS}")
        if claim in rows and claim in ODD:
            raise ValueError(
                f"{CHECKS}: {claim}: the function {ODD[claim].__name__} judges it too; remove one of the two"
            )
    return {claim: judges[claim] for claim in claims}


def judge(study: Evidence, judges: dict[str, Judge], printed: dict[str, list[Part]]) -> tuple[list[Cells], list[Cells]]:
    """The rows of claims.csv and of claim_parts.csv; what the papers print of a claim is shown with it."""
    found = {claim: judge_one(study) for claim, judge_one in judges.items()}
    shown = {claim: (*finding.parts, *printed.get(claim, ())) for claim, finding in found.items()}
    rows = [{"claim": claim, **finding.concluded} for claim, finding in found.items()]
    return rows, [_cells(claim, part) for claim, parts in shown.items() for part in parts]


def _cells(claim: str, part: Part) -> Cells:
    low, high = (end if math.isfinite(end) else None for end in part.allowed)
    cells: Cells = {"claim": claim, "question": part.question, "subject": part.subject, "quantity": part.quantity}
    cells |= {**asdict(part.estimate), "allowed_low": low, "allowed_high": high, "verdict": part.verdict}
    told = ("n_together", "n_settles", "p_value", "unit", "remark")
    return cells | {name: getattr(part, name) for name in told}


def counts(rows: list[Cells]) -> dict[str, int]:
    """How many claims have each verdict."""
    return {verdict: sum(row["verdict"] == verdict for row in rows) for verdict in VERDICTS}


def summary(study: Evidence, rows: list[Cells]) -> Cells:
    """What goes into metrics/<study>/summary.json: verdicts, headline exponents, and the accuracies of their nets."""
    curves = study.rows("laws/exponents")
    curves = curves[curves["curve"].isin(study.headline)]
    models = study.rows("models", model=tuple(curves["model"]))
    return {
        "claims": counts(rows),
        "exponent": {row["curve"]: _with_ends(row) for row in records(curves)},
        "test_accuracy": {row["model"]: _rounded(row["test_accuracy"], 6) for row in records(models)},
    }


def _with_ends(row: Cells) -> Cells:
    """A curve's exponent as eps -> 0 with the ends of its interval; null where there is none, or no law."""
    columns = (("B", "exponent"), ("low", "exponent_low"), ("high", "exponent_high"))
    return {name: None if row["remark"] else _rounded(row[column], 4) for name, column in columns}


def _rounded(number: float, digits: int) -> float | None:
    """A table's number, rounded half up: it is rounded itself, to 7 digits, and 0.9685185 stands for more."""
    rounded = Decimal(str(number)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    return None if rounded.is_nan() else float(rounded)
