"""Claims over several studies: which study's verdict on a claim counts, and what the others say."""

from typing import Any

from advlaw.claims.registry import CLAIM_COLUMNS
from advlaw.core.io import Row

SUMMARY_COLUMNS = (*CLAIM_COLUMNS, "study", "others")
PREFERENCE = ("mnist", "cifar10", "digits")  # where a claim names no study or that one did not run it


def summarise(studies: dict[str, list[Row]], claims: list[Row]) -> list[dict[str, Any]]:
    """The rows of plots/summary/claims.csv; `studies`: name -> its claims.csv.

    A claim judged directly counts before one judged on an analogue, and that before one that was not run; then the
    study that the claim's `best_on` names, then `PREFERENCE`, then the alphabet. `others`: `digits: inconclusive; ...`.
    """
    rows = []
    for claim in claims:
        found = {name: _row(name, table, claim["id"]) for name, table in studies.items()}
        order = sorted(found, key=lambda name: (_distance(found[name]), *_rank(name, claim["best_on"])))
        best, others = order[0], order[1:]
        shown = "; ".join(f"{name}: {_verdict(found[name])}" for name in others)
        rows.append({**found[best], "study": best, "others": shown})
    return rows


def _row(study: str, table: list[Row], claim: str) -> Row:
    for row in table:
        if row["claim"] == claim:
            return row
    raise ValueError(f"plots/{study}/claims.csv: {claim} is missing; run the study's claims stage again")


def _distance(row: Row) -> int:
    return {"not run": 2, "scaled": 1}.get(row["verdict"], 0)


def _rank(study: str, best_on: str) -> tuple[int, str]:
    order = (best_on, *PREFERENCE)
    return (order.index(study) if study in order else len(order), study)


def _verdict(row: Row) -> str:
    return f"{row['verdict']} ({row['analogue']})" if row["analogue"] else row["verdict"]
