"""The tables of plots/<study>/laws: what the curves' errors are as eps -> 0, from committed tables alone.

Errors are gross where the attack knows the label, net (those repaired count back) where it does not.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import chi2, norm

from advlaw.core.io import Cells
from advlaw.core.tables import Tables, groups, records
from advlaw.fitting import signs, small_eps
from advlaw.fitting.changes import GROSS_SHARES, Changes, Range, of_curve, of_thresholds, up_to
from advlaw.fitting.pooled import pool
from advlaw.fitting.signs import Odds
from advlaw.fitting.small_eps import FEW, PRIOR, REJECTED, UNFIT, Law, Sizes
from advlaw.tables.thresholds import read_thresholds

NET_SHARES = (0.05, 0.02, 0.01)  # of the images right when clean: with more, all changes bend too much
FEWEST_NET = 200  # net errors in a range of a label-blind attack, else it is that of the others
UNEVEN = 0.05  # p value of odds that do not fall to even
POINTS = 25  # of a line that is drawn
ENDS = ("", "_low", "_high")
NUMBERS = ("share", "e0", "n_errors", *(f"exponent{end}" for end in ENDS))
EXPONENT_COLUMNS = (
    "curve",
    "kind",
    *NUMBERS,
    "amplitude",
    "p_one",
    "p_fit",
    *(f"{prior}_prior{end}" for prior in ("half", "double") for end in ENDS),
    *(f"factor_1{end}" for end in ENDS),
    "p_straight",
    *(f"{part}{end}" for part in ("all_changes", "sign_exponent") for end in ENDS),
    "p_even",
    "remark",
)
RANGE_COLUMNS = ("curve", "kind", *NUMBERS, "p_fit")
LINE_COLUMNS = ("curve", "grid_eps", "fitted", "tangent")
POOLED_COLUMNS = ("set", "nets", "attack", "share", "n_nets", *NUMBERS[2:], "p_one", "p_equal", "tau")
REPAIRS, BREAKS = "repairs more at small eps", "breaks more at small eps"
UNTESTED, ENDLESS, LOOSE = "too few points of the grid", "no end of its interval", "hangs on the prior"


@dataclass(frozen=True)
class Found:
    """The law of a curve in one range; of net errors with the odds that a change breaks an image."""

    share: float
    range: Range
    law: Law
    odds: Odds | None

    @property
    def numbers(self) -> Cells:
        """`exponent` with its interval: B of gross errors, B + D of net ones, whose distances add in squares."""
        law, odds = self.law, self.odds
        b, low, high = law.b, law.low, law.high
        if odds is not None:
            below, above = math.hypot(b - low, odds.d - odds.low), math.hypot(high - b, odds.high - odds.d)
            b, low, high = b + odds.d, b + odds.d - below, b + odds.d + above
        n = self.range.n_net if odds is not None else law.n
        ends = {"exponent": b, "exponent_low": low if law.low > 0 else None, "exponent_high": _finite(high)}
        return {"share": self.share, "e0": self.range.e0, "n_errors": n, **ends}


def laws_of(changes: Changes, of_net: bool, confidence: float) -> list[Found]:
    """The law of a curve in every range that has one, the largest first."""
    found = (law_up_to(changes, share, of_net, confidence) for share in _shares(changes, of_net))
    return [one for one in found if one is not None]


def law_up_to(changes: Changes, share: float, of_net: bool, confidence: float, prior: float = PRIOR) -> Found | None:
    """The law of a curve in one range; None where there are too few changes, or too few repaired for their odds."""
    chosen = up_to(changes, share, of_net)
    law = small_eps.fit(chosen.all_sizes if of_net else chosen.sizes, confidence, prior) if chosen else None
    if chosen is None or law is None:
        return None
    odds = signs.fit(chosen.middle, chosen.wrong, chosen.right, confidence) if of_net else None
    if of_net and odds is None and chosen.right.sum() > 0:
        return None
    return Found(share, chosen, law, odds)


def _shares(changes: Changes, of_net: bool) -> tuple[float, ...]:
    if not of_net:
        return GROSS_SHARES
    widest = up_to(changes, NET_SHARES[0], of_net)
    return NET_SHARES if widest is not None and widest.n_net >= FEWEST_NET else (GROSS_SHARES[0], *NET_SHARES)


def chosen(found: Sequence[Found]) -> Found | None:
    """The law in the largest range whose fit is tested and not rejected; else that in the largest; None without any."""
    fitting = (one for one in found if one.law.p_fit >= REJECTED)
    return next(fitting, found[0] if found else None)


def exponent_row(changes: Changes, of_net: bool, confidence: float) -> tuple[Cells, list[Found]]:
    """The row of one curve, and its laws in all ranges."""
    found = laws_of(changes, of_net, confidence)
    best = chosen(found)
    row: Cells = {**dict.fromkeys(EXPONENT_COLUMNS), "kind": "net" if of_net else "gross", "remark": FEW}
    if best is None:
        return row, found
    law = best.law
    row |= best.numbers | {"p_one": law.p_one, "p_fit": law.p_fit}
    row |= _with_priors(changes, of_net, best.share, confidence) | _bend(best, confidence)
    row["remark"] = _remark(best, row)
    if best.odds is None:
        row["amplitude"] = law.amplitude(changes.n_images, best.range.e0)
    else:
        odds = best.odds
        row["p_one"] = None  # of B = 1, which no net error has
        row |= dict(
            zip((f"all_changes{end}" for end in ENDS), (law.b, law.low or None, _finite(law.high)), strict=True)
        )
        row |= dict(zip((f"sign_exponent{end}" for end in ENDS), (odds.d, odds.low, _finite(odds.high)), strict=True))
        row["p_even"] = odds.p_even
    return row, found


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def _remark(best: Found, row: Cells) -> str:
    """What speaks against an exponent as that of a law."""
    if not best.law.p_fit >= REJECTED:
        return UNTESTED if math.isnan(best.law.p_fit) else UNFIT
    if best.odds is not None and best.odds.p_even < UNEVEN:
        return REPAIRS if best.odds.intercept < 0 else BREAKS
    if row["exponent_low"] is None or row["exponent_high"] is None:
        return ENDLESS
    others = (row.get("half_prior"), row.get("double_prior"))
    return "" if all(one and row["exponent_low"] <= one <= row["exponent_high"] for one in others) else LOOSE


def _with_priors(changes: Changes, of_net: bool, share: float, confidence: float) -> Cells:
    """The exponent in the same range with half and with double the scales of the factor's priors."""
    row: Cells = {}
    for name, scale in (("half", 0.5), ("double", 2.0)):
        if one := law_up_to(changes, share, of_net, confidence, scale * PRIOR):
            row |= {f"{name}_prior{end}": one.numbers[f"exponent{end}"] for end in ENDS}
    return row


def _bend(best: Found, confidence: float) -> Cells:
    """How much the curve bends over the range, and the p value of there being no factor at all, a straight line."""
    slope, error = best.law.curvature
    half = float(norm.ppf(0.5 + confidence / 2)) * error
    return {
        "factor_1": slope,
        "factor_1_low": slope - half,
        "factor_1_high": slope + half,
        "p_straight": p_straight(best.law.sizes),
    }


def p_straight(sizes: Sizes) -> float:
    """Pearson's p value of a power law without a factor; two degrees of freedom less than with one are estimated."""
    straight = small_eps.maximised(sizes, small_eps.straight_start(sizes), PRIOR, slice(0, 1))
    statistic, cells = small_eps.pearson(sizes, straight.parameters)
    return float(chi2.sf(statistic, cells - 2)) if cells > 2 else math.nan


def line_rows(best: Found, n_images: int, scale: float) -> list[Cells]:
    """The fitted error over its range on the shared grid, and its tangent as eps -> 0, a straight line in log-log."""
    u = np.geomspace(1e-3, 1.0, POINTS)
    total = small_eps.cell_moments(best.law.best.parameters, np.concatenate([[0.0], u])).log_mass
    mass = np.exp(total - np.logaddexp.reduce(total))
    middle = np.sqrt(np.concatenate([[u[0] / 4], u[:-1]]) * u)
    sign = np.ones(POINTS) if best.odds is None else np.tanh(best.odds.beta * middle**best.odds.d / 2.0)
    error = best.law.n / n_images * np.cumsum(mass * sign)
    slope = best.numbers["exponent"]
    with np.errstate(all="ignore"):
        tangent = error[0] * (u / u[0]) ** slope
    eps = u * best.range.e0 / scale
    columns = zip(eps.tolist(), error.tolist(), tangent.tolist(), strict=True)
    return [{"grid_eps": e, "fitted": y, "tangent": t} for e, y, t in columns if y > 0]


def changes_of_study(plots: Path, tables: Tables) -> Iterator[tuple[Cells, Changes]]:
    """Every curve's labels and changes: from its thresholds where they are committed, else from its counts."""
    known = read_thresholds(plots) if (plots / "threshold_curves.csv").exists() else {}
    for curve, points in groups(tables.rows("error_curves"), "curve"):
        about = records(points.head(1))[0]
        yield about, of_thresholds(known[curve]) if curve in known else counted(points, about["clean_accuracy"])


def counted(points: pd.DataFrame, clean_accuracy: float) -> Changes:
    """The changes of a curve's rows: counts of gross and net errors at every eps, in the attack's own norm if told."""
    n_images = int(points["n_images"].iloc[0])
    gross, net = (np.rint(points[f"{kind}_error"].to_numpy() * n_images) for kind in ("gross", "net"))
    return of_curve(
        n_images,
        round(clean_accuracy * n_images),
        points["eps" if "eps" in points else "grid_eps"].to_numpy(),
        gross,
        net,
    )


def pooled_rows(name: str, nets: pd.DataFrame, curves: pd.DataFrame, confidence: float) -> list[Cells]:
    """The nets of a set together, and of each architecture, under every attack on the true label."""
    accurate = nets[(nets["test_accuracy"] > 0.8) & (nets["target"] == "true_label")]
    points = dict(groups(curves, "net", "attack"))
    rows = []
    for attack, own in groups(accurate, "attack"):
        kinds = {"all": own, **dict(groups(own, "arch"))}
        for kind, members in (kinds if len(kinds) > 2 else {"all": own}).items():
            for share in GROSS_SHARES[:3]:
                rows += _pooled(name, kind, attack, share, members, points, confidence)
    return rows


def _pooled(
    name: str, kind: str, attack: str, share: float, nets: pd.DataFrame, points: dict, confidence: float
) -> list[Cells]:
    laws = []
    for net in records(nets):
        own = points[net["net"], attack].assign(n_images=net["n_images"])
        in_range = up_to(counted(own, net["test_accuracy"]), share, False)
        law = small_eps.fit(in_range.sizes, confidence) if in_range else None
        if law is not None and law.p_fit >= REJECTED:
            laws.append(law)
    found = pool(laws, confidence)
    if found is None:
        return []
    about = {"set": name, "nets": kind, "attack": attack, "share": share}
    law = found.law
    numbers = {"exponent": law.b, "exponent_low": law.low, "exponent_high": _finite(law.high)}
    tests = {"p_one": law.p_one, "p_equal": found.p_equal, "tau": found.tau}
    return [{**about, "n_nets": found.n_nets, "n_errors": law.n, **numbers, **tests}]
