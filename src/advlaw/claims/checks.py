"""claims/checks.csv: one row for each number that is judged or shown.

In every row: `view` is one of `registry.VIEWS` or a table of the study; `rows` selects some of its rows
(`DataFrame.query`; `papers.imagenet.with_provenance` adds columns), and `at` (`eps=16`) takes from each curve the row
nearest to that value. `subject` and `quantity` are filled from a row's cells. `value`, `ends` and `n` name columns;
`ends` is empty for `<value>_low <value>_high`, `share` if the value is a share of `n`, or `none`; `minus` subtracts the
columns `..._<minus>`. `rule` is one of `rules.RULES`, or `told` if the view's column `verdict` decides, with a `remark`
if it has one; `low` and `high` are the paper's, widened by `tolerance`. `question`: which of `finding.QUESTIONS` the
row answers, if it is about a curve; the claim's verdict is that on the question of its first row.
In a claim's first row: `missing`, what a study needs to judge the claim; `about`, which rows of its views the claim is
about (if there are any, we judge only them, else the others as an analogue); `remark` and, for an analogue, `analogue`:
notes on the judgement. A row without a view stands for a claim that no study can judge yet.
"""

import math
from collections import Counter
from itertools import groupby
from pathlib import Path
from string import Formatter
from typing import Annotated, Literal

import pandas as pd
from pydantic import ConfigDict, Field, model_validator

from advlaw.claims.finding import AS_PRINTED, Estimate, Finding, Part, difference, proportion
from advlaw.claims.printed import texts
from advlaw.claims.registry import VIEWS
from advlaw.claims.rules import RULES, Fit, n_settles
from advlaw.claims.study import FOLDERS, TABLES, Evidence, nearest
from advlaw.core.io import Cells
from advlaw.core.section import Section, validate
from advlaw.core.tables import records
from advlaw.papers.imagenet import with_provenance

CHECKS = Path("claims/checks.csv")
OF_A_CLAIM = ("missing", "about", "remark", "analogue")
# what pandas raises of an expression that is no condition on a table, NotImplementedError where its grammar ends
MISTAKES = (NameError, SyntaxError, ValueError, TypeError, KeyError, AttributeError, NotImplementedError)


class Check(Section):
    """A row of checks.csv."""

    model_config = ConfigDict(strict=False)  # its cells are text

    claim: str
    view: str = ""
    rows: str = ""
    at: Annotated[str, Field(pattern=r"^(\w+=[0-9.]+)?$")] = ""
    subject: str = ""
    quantity: str = ""
    value: str = ""
    ends: Annotated[str, Field(pattern=r"^(share|none|\w+ \w+)?$")] = ""
    minus: str = ""
    n: str = ""
    rule: str = ""
    low: float = -math.inf
    high: float = math.inf
    tolerance: float = 0.0
    unit: Literal["percent", "points", ""] = ""
    question: Literal["as a law", "as printed", "straight", ""] = ""
    missing: str = ""
    about: str = ""
    remark: str = ""
    analogue: str = ""

    @model_validator(mode="after")
    def _has_what_its_view_and_rule_take(self) -> "Check":
        if self.view not in ("", *VIEWS, *TABLES) and self.view.split("/")[0] not in FOLDERS:
            allowed = f"{', '.join(sorted(VIEWS))}, or a table: {', '.join(TABLES)}, {'/..., '.join(FOLDERS)}/..."
            raise ValueError(f"view = {self.view!r}: must be one of {allowed}")
        if self.rule not in ("", "told", *RULES):
            raise ValueError(f"rule = {self.rule!r}: must be one of {', '.join(RULES)} or told")
        if any(bool(cell) != bool(self.view) for cell in (self.value, self.subject, self.quantity, self.rule)):
            raise ValueError("give view, value, subject, quantity and rule, or leave all of them empty")
        has_low, has_high = math.isfinite(self.low), math.isfinite(self.high)
        fits = {"above": has_low and not has_high, "shown": not (has_low or has_high), "": True}
        if not fits.get(self.rule, has_low or has_high):
            raise ValueError(
                f"rule = {self.rule!r}: above needs low alone, shown neither low nor high, the others one or both"
            )
        return self

    @property
    def _numbers(self) -> list[str]:
        """The columns of the value and of the ends of its interval, where it has one."""
        if self.ends in ("share", "none"):
            return [self.value]
        ends = f"{self.value} {self.value}" if self.rule == "equal" else f"{self.value}_low {self.value}_high"
        return [self.value, *(self.ends or ends).split()]

    def rows_of(self, study: Evidence) -> pd.DataFrame:
        """The rows of the view that this check is of."""
        whole = VIEWS[self.view](study) if self.view in VIEWS else study.rows(self.view)
        frame = self.asked(with_provenance(whole.reset_index(drop=True)), "rows", self.rows)
        at, _, value = self.at.partition("=")
        named = [name for text in (self.subject, self.quantity) for _, name, _, _ in Formatter().parse(text)]
        named += [*self._numbers, self.n, at, "verdict" if self.rule == "told" else ""]
        named += [f"{name}_{self.minus}" for name in self._numbers if self.minus]
        for missed in (name for name in named if name and name not in frame and not frame.empty):
            raise self._mistake(f"no column {missed!r}", frame)
        return nearest(frame, at, float(value)) if at else frame

    def asked(self, frame: pd.DataFrame, cell: str, expression: str) -> pd.DataFrame:
        """The rows of which an expression is true, which stands in `cell`."""
        if frame.empty or not expression:
            return frame
        try:
            return frame.query(expression, engine="python")
        except MISTAKES as error:
            raise self._mistake(f"{cell} = {expression!r}: {error}", frame) from None

    def _mistake(self, problem: str, frame: pd.DataFrame) -> ValueError:
        return ValueError(f"{CHECKS}: {self.claim}: {problem}; {self.view} has {', '.join(frame.columns)}")

    @property
    def is_one_of_many(self) -> bool:
        """Whether it may fail by chance: the more numbers are judged together, the more surely one does."""
        return self.rule in ("exponent", "straight", "inside", "above")

    def part(self, row: Cells, n_together: int) -> Part:
        """What a row of the view says, judged with so many numbers."""
        found, fit = self._estimate(row, ""), Fit.of(row)
        if self.minus:
            suffix = f"_{self.minus}"
            found, fit = difference(found, self._estimate(row, suffix)), fit.minus(Fit.of(row, suffix))
        allowed = self.low - self.tolerance, self.high + self.tolerance
        told = self.rule == "told"
        verdict, remark = _said(row) if told else RULES[self.rule](found, allowed, n_together, fit)
        may_settle = (self.rule, self.n, verdict) == ("exponent", "n_images", "inconclusive") and not fit.remark
        return Part(
            self.subject.format_map(row),
            self.quantity.format_map(row),
            found,
            allowed,
            verdict,
            self.unit,
            self.question,
            n_together if self.is_one_of_many else 1,
            n_settles(found, allowed) if may_settle and self.question != AS_PRINTED else None,
            fit.p_straight if self.rule == "straight" else math.nan,
            remark,
        )

    def _estimate(self, row: Cells, suffix: str) -> Estimate:
        n = None if not self.n or math.isnan(row[self.n]) else int(row[self.n])
        found = [float(row[f"{column}{suffix}"]) for column in self._numbers]
        value, low, high = (*found, math.nan, math.nan)[:3]
        return proportion(value, n) if n and self.ends == "share" else Estimate(value, low, high, n)


def _said(row: Cells) -> tuple[str, str]:
    return row["verdict"], row.get("remark", "")


def judged(rows: list[Check], study: Evidence) -> Finding:
    """What the rows of a claim find. Consecutive rows of one view go through it together."""
    claim, checks, parts = rows[0], [row for row in rows if row.view], list[Part]()
    frames = [check.rows_of(study) for check in checks]
    meant = [check.asked(frame, "about", claim.about) for check, frame in zip(checks, frames, strict=True)]
    is_analogue = all(frame.empty for frame in meant) and not all(frame.empty for frame in frames)
    pairs = list(zip(checks, frames if is_analogue else meant, strict=True))
    together = Counter(check.question for check, frame in pairs if check.is_one_of_many for _ in frame.index)
    for _, same in groupby(pairs, key=lambda pair: pair[0].view):
        found = [
            (at, check.part(row, together[check.question]))
            for check, frame in same
            for at, row in zip(frame.index, records(frame), strict=True)
        ]
        parts += [part for _, part in sorted(found, key=lambda item: item[0])]
    missing = (claim.remark if parts else "") or claim.missing  # a remark also says why shown numbers are not judged
    remark = (claim.analogue if is_analogue else "") or claim.remark
    return Finding(tuple(parts), missing, is_analogue, remark, claim.question)


def read_rows(folder: Path) -> dict[str, list[Check]]:
    """The rows of checks.csv by claim. Raises ValueError for an invalid one."""
    claims: dict[str, list[Check]] = {}
    for cells in texts(folder / "checks.csv"):
        given = {column: cell for column, cell in cells.items() if cell}
        check = validate(given, Check, CHECKS, given.get("claim", ""))
        rows = claims.setdefault(check.claim, [])
        if not rows and not check.missing:
            raise ValueError(f"{CHECKS}: {check.claim}: its first row lacks `missing`, what a study needs; fill it")
        if rows and any(cell in given for cell in OF_A_CLAIM):
            raise ValueError(f"{CHECKS}: {check.claim}: move {', '.join(OF_A_CLAIM)} to the claim's first row")
        rows.append(check)
    return claims
