"""Claims over several studies: which study's verdict counts, and the verdicts of the others."""

import pandas as pd

from advlaw.core.io import Cells
from advlaw.core.tables import records

FARTHER = {"scaled": 1, "not run": 2}  # from the claim than a verdict on it
# where a claim names no study or that one did not run it
PREFERENCE = ("mnist", "cifar10", "kurakin_small", "cifar10_search", "search_small", "digits")


def summarise(studies: dict[str, pd.DataFrame], claims: pd.DataFrame) -> list[Cells]:
    """The rows of plots/summary/claims.csv; `studies`: name -> its claims.csv.

    A claim judged directly counts before one judged on an analogue, and that before one that was not run; then the
    study that the claim's `best_on` names, then `PREFERENCE`, then the alphabet. `others`: `digits: inconclusive; ...`.
    """
    tables = {name: {row["claim"]: row for row in records(table)} for name, table in studies.items()}
    rows = []
    for claim, best_on in zip(claims["id"], claims["best_on"], strict=True):
        for name in (name for name, table in tables.items() if claim not in table):
            raise ValueError(f"plots/{name}/claims.csv: {claim} is missing; run the study's claims stage again")
        found = {name: table[claim] for name, table in tables.items()}
        order = [best_on, *PREFERENCE, *sorted(found)]
        best, *others = sorted(found, key=lambda name: (FARTHER.get(found[name]["verdict"], 0), order.index(name)))
        told = "; ".join(f"{name}: {_verdict(found[name])}" for name in others)
        rows.append({**found[best], "study": best, "others": told})
    return rows


def _verdict(row: Cells) -> str:
    return f"{row['verdict']} ({row['analogue']})" if row["analogue"] else row["verdict"]
