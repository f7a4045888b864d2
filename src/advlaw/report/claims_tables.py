"""Tables of the papers' claims: how many have which verdict, and each with what was measured."""

from advlaw.core.io import Row
from advlaw.report.cells import table

VERDICTS = ("holds", "fails", "inconclusive", "masked", "scaled", "not run")


def counts_table(studies: dict[str, list[Row]]) -> str:
    """A line per study, and one for each claim's best study: name -> its claims.csv."""
    rows = []
    for name, claims in studies.items():
        verdicts = [row["verdict"] for row in claims]
        rows.append([name, *(str(verdicts.count(verdict)) for verdict in VERDICTS)])
    return table(["study", *(f"{verdict}:" for verdict in VERDICTS)], rows)


def claims_table(claims: list[Row]) -> str:
    """A line per claim that was checked, on the study that fits it best; those not run are listed below by reason."""
    rows = [
        [row["claim"], row["statement"], row["numbers"], row["measured"], row["study"], _verdict(row)]
        for row in claims
        if row["verdict"] != "not run"
    ]
    return table(["claim", "statement", "the paper", "measured", "study", "verdict"], rows) + _not_run(claims)


def least_squares_line(claims: list[Row]) -> str:
    """A sentence on the claims about exponents: what the papers' own way of fitting gives."""
    told = [row for row in claims if row["least_squares"]]
    same = [row["claim"] for row in told if row["least_squares"] == found(row)]
    other = [
        f"{row['claim']} {row['least_squares']} instead of {found(row)}" for row in told if row["claim"] not in same
    ]
    text = "\n\nBy least squares, the papers' way, in place of maximum likelihood: " + ", ".join(other)
    return f"{text}; the same verdict for {', '.join(same)}." if other and same else ""


def found(row: Row) -> str:
    """The verdict on what was measured, be it an analogue or not."""
    return row["analogue"] or row["verdict"]


def _verdict(row: Row) -> str:
    """A scaled claim also says what its smaller analogue gave, and any what else was found in other studies."""
    verdict = f"{row['verdict']}: {row['analogue']}" if row["analogue"] else row["verdict"]
    others = [part.partition(": ") for part in row["others"].split("; ")]
    direct = [(name, other) for name, _, other in others if other in ("holds", "fails", "masked")]
    told = ", ".join(f"{other} on {name}" for name, other in direct if other != found(row))
    return f"{verdict} ({told})" if told else verdict


def _not_run(claims: list[Row]) -> str:
    by_reason: dict[str, list[str]] = {}
    for row in claims:
        if row["verdict"] == "not run":
            by_reason.setdefault(row["reason"], []).append(row["claim"])
    if not by_reason:
        return ""
    return "\n\nNot run: " + "; ".join(f"{', '.join(ids)} ({reason})" for reason, ids in by_reason.items()) + "."
