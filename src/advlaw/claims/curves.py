"""Curves of the adversarial error: exponents, attacks side by side, nets drawn at random, plateaus (Cubuk Sec. 1-2)."""

import math

import pandas as pd

from advlaw.claims.defences import of_nets
from advlaw.claims.finding import Estimate, Finding, Part, difference
from advlaw.claims.registry import claim, view
from advlaw.claims.rules import inside
from advlaw.claims.study import Evidence
from advlaw.core.io import Cells
from advlaw.core.tables import chosen, groups, records

ORDER = ("l2", "fgsm", "pgd", "step_ll")  # of exponents, Cubuk Fig. 2c
FLAT = (-0.1, 0.1)  # the slope of a plateau


@view("laws/exponents", "models")
def as_a_law(study: Evidence) -> pd.DataFrame:
    """The exponent of every curve as eps -> 0, of net errors where the attack knows no label; how much it bends."""
    return of_nets(study, _without_bound(study.rows("laws/exponents")), "model")


@view("exponents", "models")
def as_printed(study: Evidence) -> pd.DataFrame:
    """The papers' own estimate: a straight line through the log-log points of every curve's net errors.

    `p_straight` is of the gross errors up to the last of these points; `bend`, what they bend, is not estimated.
    """
    rows = study.rows("exponents", kind="net", estimator="least_squares").drop(columns="chi2_p_value")
    fits = study.rows("exponents", kind="gross", estimator="mean_slope")[["curve", "chi2_p_value"]]
    tested = rows.merge(fits.rename(columns={"chi2_p_value": "p_straight"}), on="curve", how="left")
    return of_nets(study, _without_bound(tested).assign(bend=math.nan), "model")


def _without_bound(rows: pd.DataFrame) -> pd.DataFrame:
    """A lower end that was not found is written as 0, the least that it may be: it is none, as an upper one is."""
    return rows.assign(exponent_low=rows["exponent_low"].where(rows["exponent_low"] > 0))


@view("error_curves", "models")
def errors(study: Evidence) -> pd.DataFrame:
    """The error of every net at every eps."""
    rows = study.rows("error_curves")
    return of_nets(study, rows.assign(error=1 - rows["accuracy"]), "model")


@view("laws/paired", "laws/exponents", "models")
def between_attacks(study: Evidence) -> pd.DataFrame:
    """Exponents of a net under an attack and that before it in the paper's order, on the same images: the difference.

    `attack`, `attack_smaller`: the two; errors and remarks are those of either.
    """
    curves = {row["curve"]: row for row in records(chosen(as_a_law(study), labels="original", attack=ORDER))}
    found: list[Cells] = []
    for row in records(study.rows("laws/paired")):
        if not {row["curve"], row["other"]} <= curves.keys():
            continue
        ends = [row[f"difference{end}"] for end in ("", "_low", "_high")]
        smaller, larger = curves[row["other"]], curves[row["curve"]]
        if ORDER.index(larger["attack"]) < ORDER.index(smaller["attack"]):
            smaller, larger, ends = larger, smaller, [-ends[0], -ends[2], -ends[1]]
        if ORDER.index(larger["attack"]) == ORDER.index(smaller["attack"]) + 1:
            both = {"n_errors": min(larger["n_errors"], smaller["n_errors"])}
            both |= {"remark": larger["remark"] or smaller["remark"], "n_images": row["n_images"]}
            names = ("difference", "difference_low", "difference_high")
            about = {name: larger[name] for name in ("curve", "model", "dataset", "arch", "defence", "attack")}
            found.append({**about, "attack_smaller": smaller["attack"], **both, **dict(zip(names, ends, strict=True))})
    return pd.DataFrame(found)


def _of_sets(study: Evidence, found: pd.DataFrame) -> pd.DataFrame:
    """Rows of sets of nets, with the sets' kind and data."""
    return found if found.empty else found.merge(study.rows("trials/sets")[["set", "kind", "dataset"]], on="set")


@view("trials/sets")
def trial_exponents(study: Evidence) -> pd.DataFrame:
    """Shares and quantiles of the exponents of sets of nets."""
    return _of_sets(study, study.tables.of_sets("exponents"))


@view("trials/sets", "laws/pooled")
def pooled_nets(study: Evidence) -> pd.DataFrame:
    """The exponent of all nets of a set as eps -> 0, by one likelihood for all, and whether they share it."""
    return _of_sets(study, study.rows("laws/pooled"))


@claim("C15")
def plateau(study: Evidence) -> Finding:
    """C15: at large eps the error no longer grows; judged is the slope between the two largest eps of each curve.

    A slope that is not smaller than the curve's exponent as eps -> 0 fails; one that is, but not within 0.1 of zero,
    may still get there beyond the grid. The two errors are taken as independent, which makes the interval too wide.
    """
    curves = dict(groups(study.rows("error_curves", labels="original", defence=""), "curve"))
    found, is_saturated = list[tuple[Cells, Estimate]](), False
    for row in records(study.rows("laws/exponents", labels="original", attack=("fgsm", "l2", "pgd"))):
        last = records(curves[row["curve"]].sort_values("grid_eps")[-2:]) if row["curve"] in curves else []
        if len(last) < 2 or min(point["net_low"] for point in last) <= 0:
            continue
        ends = [[math.log(point[name]) for name in ("net_error", "net_low", "net_high")] for point in last]
        before, after = (Estimate(value, low, high) for value, low, high in ends)
        rise, step = difference(after, before), math.log(last[1]["grid_eps"] / last[0]["grid_eps"])
        found.append((row, Estimate(rise.value / step, rise.low / step, rise.high / step)))
        is_saturated = is_saturated or last[-1]["accuracy"] < 0.01
    remark = "some of these nets have no image left to break, so their errors cannot grow" if is_saturated else ""
    parts = tuple(_levels_off(row, slope, len(found)) for row, slope in found)
    return Finding(parts, "no sweep with FGSM, L2 or PGD in this study", remark=remark)


def _levels_off(row: Cells, slope: Estimate, n_together: int) -> Part:
    verdict = inside(slope, FLAT, n_together)
    if verdict == "fails" and not slope.high >= row["exponent"]:
        verdict = "inconclusive"
    return Part(row["curve"], "slope at the largest eps", slope, FLAT, verdict, n_together=n_together)
