"""What was found about each claim, in words made from its typed parts for display."""

import math
import re
from collections.abc import Iterable
from decimal import Decimal

import pandas as pd

from advlaw.claims.finding import QUESTIONS, VERDICTS, Estimate, column
from advlaw.core.io import Cells
from advlaw.core.tables import groups, records

PLURAL = {"holds": "hold", "fails": "fail"}
UNITS = {"": "", "percent": " %", "points": " points"}
WORDS = ("quantity", "subject", "remark")  # of a part
SYMBOLS = {  # what tables spell in ASCII; no part of a longer name
    "eps_hat": "ε̂",
    "eps": "ε",
    "step-ll": "step l.l.",
    "iter-ll": "iter. l.l.",
    "lambda": "λ",
    "sigma": "σ",
    "Delta": "Δ",
    "Gamma": "Γ",
}
SPELLED = re.compile(rf"(?<![A-Za-z_])({'|'.join(SYMBOLS)})(?![A-Za-z]|(?<=eps)_\d)")  # a net may be called eps_16


def in_symbols(text: str) -> str:
    """`exponent as eps -> 0` for readers: `exponent as ε → 0`."""
    return SPELLED.sub(lambda name: SYMBOLS[name[0]], text).replace("->", "→").replace("+-", "±")


def displayed(judged: pd.DataFrame, parts: pd.DataFrame, papers: pd.DataFrame) -> list[Cells]:
    """A study's claims.csv or the summary's with the papers' words, the sentence `measured`, and each claim's parts, as
    text and as `found`.

    `parts`: its claim_parts.csv, or for the summary those of all studies, with their `study`; `papers`:
    claims/claims.csv. `answers` says the verdict on each question about curves (`finding.QUESTIONS`), if there is one.
    Raises ValueError for an unknown verdict.
    """
    said = {row["id"]: row for row in records(papers)}
    own = dict(groups(parts if "study" in parts else parts.assign(study=""), "study", "claim"))
    rows = []
    for row in ({"study": "", "others": "", **row} for row in records(judged)):
        if row["verdict"] not in VERDICTS:
            problem = f"verdict = {row['verdict']!r}: must be one of {', '.join(VERDICTS)}"
            raise ValueError(f"claims.csv: {row['claim']}: {problem}")
        found = [_worded(part) for part in records(own.get((row["study"], row["claim"]), pd.DataFrame()))]
        words = {
            column: in_symbols(said[row["claim"]][column]) for column in ("paper", "where", "statement", "numbers")
        }
        words["reason"] = in_symbols(row["reason"])
        answers = [f"{question}: {row[column(question)]}" for question in QUESTIONS if row[column(question)]]
        told = {"measured": sentence(found), "answers": "; ".join(answers)}
        rows.append({**row, **words, **told, "found": found, "parts": [_cells(part) for part in found]})
    return rows


def _worded(part: Cells) -> Cells:
    return {**part, **{name: in_symbols(part[name]) for name in WORDS}}


def _cells(part: Cells) -> Cells:
    """A part in a table: its number with the interval, what is allowed, and the sample size.

    `adjusted`: the interval that a failure takes, where several numbers are judged together. `settles`: how many images
    would settle an open one.
    """
    found = Estimate(*(part[name] for name in ("value", "low", "high")))
    wide = found.adjusted(int(part["n_together"]))
    shown = "–" if math.isnan(found.value) else f"{found.value:.3g}"
    told = {
        "shown": _listed(f"{shown} {_interval(found)}".strip(), _p_value([part])),
        "adjusted": _interval(wide) if part["verdict"] and part["n_together"] > 1 else "",
        "allowed": _range(part["allowed_low"], part["allowed_high"]),
        "n_shown": "–" if math.isnan(part["n"]) else f"{int(part['n']):,}",
        "settles": "" if math.isnan(part["n_settles"]) else f"about {_images(part['n_settles'])} images",
    }
    return {**{name: part[name] for name in ("question", "subject", "quantity", "verdict", "remark")}, **told}


def _interval(found: Estimate) -> str:
    return f"[{found.low:.3g}, {found.high:.3g}]" if found.is_complete else ""


def _range(*ends: float) -> str:
    low, high = ("" if math.isnan(end) else f"{end:.3g}" for end in ends)
    if low and high:
        return low if low == high else f"{low} to {high}"
    return f"≥ {low}" if low else f"≤ {high}" if high else "–"


def sentence(parts: Iterable[Cells]) -> str:
    """A clause for each quantity and what it is held against; several nets by counts of verdicts and extremes."""
    clauses: dict[tuple[str, str], list[Cells]] = {}
    for part in parts:
        range_ = f" (allowed: {allowed(part)})" if part["verdict"] else ""
        clauses.setdefault((part["quantity"], range_), []).append(part)
    return "; ".join(
        _single(group[0], *about) if len(group) == 1 else _several(group, *about) for about, group in clauses.items()
    )


def _single(part: Cells, quantity: str, range_: str) -> str:
    told = number(part)
    if not math.isnan(part["value"]):
        told = _listed(told, _p_value([part]), part["remark"], _settled([part], "which"))
    return f"{part['subject']}, {quantity}{range_}: {told}"


def number(part: Cells) -> str:
    """`0.82 [0.60, 1.08]`, `2.5 points [2.0, 3.1]`, or the p value of what is a test alone."""
    if math.isnan(part["value"]):
        return _p_value([part]) or _with_unit(part["value"], part["unit"])
    ends = ", ".join(_decimal(part[end], part["unit"]) for end in ("low", "high") if part["low"] < part["high"])
    return _with_unit(part["value"], part["unit"]) + (f" [{ends}]" if ends else "")


def _several(parts: list[Cells], quantity: str, range_: str) -> str:
    counts = {verdict: sum(part["verdict"] == verdict for part in parts) for verdict in VERDICTS}
    verdicts = ", ".join(f"{n} {PLURAL.get(name, name) if n > 1 else name}" for name, n in counts.items() if n)
    text = f"{quantity}{range_}:" + (f" {verdicts};" if verdicts else "")
    known = sorted((part for part in parts if not math.isnan(part["value"])), key=lambda part: part["value"]) or parts
    lowest, highest = (_with_unit(part["value"], part["unit"]) for part in (known[0], known[-1]))
    if lowest == highest:
        return f"{text} {lowest}"
    ends = f"from {lowest} ({known[0]['subject']}) to {highest} ({known[-1]['subject']})"
    return f"{text} {_listed(ends, _p_value(parts), _settled(parts, '{} of which'))}"


def _listed(*words: str) -> str:
    return ", ".join(filter(None, words))


def _p_value(parts: list[Cells]) -> str:
    """The smallest p value of tests."""
    found = [part["p_value"] for part in parts if not math.isnan(part["p_value"])]
    return f"p {'=' if len(found) == 1 else '≥'} {min(found):.1g}" if found else ""


def _settled(parts: list[Cells], which: str) -> str:
    """How many images would settle those parts that more images could settle."""
    needed = sorted(part["n_settles"] for part in parts if not math.isnan(part["n_settles"]))
    if not needed:
        return ""
    ends = " to ".join(dict.fromkeys(map(_images, (needed[0], needed[-1]))))
    return f"{which.format(len(needed))} about {ends} images would settle"


def _images(n: float) -> str:
    """To two digits, since it is a rough number."""
    return f"{float(f'{n:.2g}'):,.0f}"


def allowed(part: Cells) -> str:
    """What a judged part is held against: the paper's number or, where it has none, a convention."""
    low, high, unit = part["allowed_low"], part["allowed_high"], part["unit"]
    if math.isnan(high):
        return f"above {_with_unit(low, unit)}"
    if math.isnan(low):
        return f"at most {_with_unit(high, unit)}"
    is_setting = high - low < 0.003  # and no range
    return _with_unit((low + high) / 2, unit) if is_setting else f"{_end(low, unit)} to {_end(high, unit)}{UNITS[unit]}"


def _end(value: float, unit: str) -> str:
    """The end of a range: to three digits where two would be another range."""
    return _decimal(value, unit) if unit or math.isclose(value, round(value, 2)) else f"{value:.3f}"


def _with_unit(value: float, unit: str) -> str:
    return "too few errors" if math.isnan(value) else _decimal(value, unit) + UNITS[unit]


def _decimal(value: float, unit: str) -> str:
    if unit:
        text = f"{100 * Decimal(str(value)):.1f}"  # 0.0015 of a table is 0.15 %, and no less
    elif abs(value - round(value)) < 1e-5 and abs(value) >= 1:
        text = f"{value:.0f}"
    else:
        text = f"{value:.1g}" if 1e-5 < abs(value) < 0.002 else f"{value:.2f}"
    return text.replace("-", "") if float(text) == 0 else text
