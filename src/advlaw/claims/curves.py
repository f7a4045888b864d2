"""Curves of the adversarial error: exponents, attacks side by side, nets drawn at random, plateaus (Cubuk Sec. 1-2)."""

import itertools
import math
from collections.abc import Iterable

import pandas as pd

from advlaw.claims.defences import nets, of_nets
from advlaw.claims.finding import NORMAL, Estimate, Finding, Part, difference, inside
from advlaw.claims.registry import claim, view
from advlaw.claims.study import Evidence, suffixed
from advlaw.core.io import Cells
from advlaw.core.tables import chosen, groups, records

SMALLEST = 0.8  # clean accuracy of nets that Cubuk Fig. 10 draws
ORDER = ("l2", "fgsm", "pgd", "step_ll")  # of exponents, Cubuk Fig. 2c
FLAT = (-0.1, 0.1)  # the slope of a plateau


@view("exponents", "models")
def judged(study: Evidence) -> pd.DataFrame:
    """The exponent of every curve that counts: by maximum likelihood, of net errors where an attack is label-blind."""
    return of_nets(study, study.rows("exponents", is_reported=True), "model")


@view("exponents", "models")
def least_squares(study: Evidence) -> pd.DataFrame:
    """The papers' own estimate of every curve, a straight line through its log-log points."""
    return of_nets(study, study.rows("exponents", kind="net", estimator="least_squares"), "model")


@view("error_curves", "models")
def errors(study: Evidence) -> pd.DataFrame:
    """The error at every eps, and whether the net is one of a pair with and without training on one-step examples."""
    rows, pairs = study.rows("error_curves"), chosen(nets(study), adds="one_step")
    in_pair = rows["model"].isin([*pairs["net"], *pairs["baseline"]])
    return rows.assign(error=1 - rows["accuracy"], is_in_pair=in_pair)


@view("exponents", "models")
def between_attacks(study: Evidence) -> pd.DataFrame:
    """Exponents of a net, each beside that under the attack before it in the paper's order (`..._smaller`)."""
    found: list[Cells] = []
    for _, rows in groups(chosen(judged(study), labels="original", attack=ORDER), "model"):
        at = {row["attack"]: row for row in records(rows)}
        pairs = [pair for pair in itertools.pairwise(ORDER) if set(pair) <= at.keys()]
        found += [at[larger] | suffixed(at[smaller], "smaller") for smaller, larger in pairs]
    return pd.DataFrame(found)


def _of_sets(study: Evidence, table: str) -> pd.DataFrame:
    found = study.tables.of_sets(table)
    return found if found.empty else found.merge(study.rows("trials/sets")[["set", "kind", "dataset"]], on="set")


@view("trials/sets")
def trial_exponents(study: Evidence) -> pd.DataFrame:
    """Shares and quantiles of the exponents of sets of nets, with the sets' kind and data."""
    return _of_sets(study, "exponents")


@view("trials/sets")
def trial_quantiles(study: Evidence) -> pd.DataFrame:
    """Exponents of a set's nets that are accurate enough, by both estimators: their 5 % and 95 % quantiles."""
    found: list[Cells] = []
    for (_, attack), nets_of_set in groups(_of_sets(study, "nets"), "set", "attack"):
        accurate = nets_of_set[nets_of_set["test_accuracy"] > SMALLEST]
        for share in () if accurate.empty else (0.05, 0.95):
            row = {**records(nets_of_set)[0], "attack": attack, "share": share}
            for column in ("gross_exponent", "net_ls_exponent"):
                one = quantile(accurate[column], share)
                row |= {column: one.value, f"{column}_low": one.low, f"{column}_high": one.high}
                row |= {f"{column}_n": one.n or math.nan}
            found.append(row)
    return pd.DataFrame(found)


def quantile(values: Iterable[float], share: float) -> Estimate:
    """A quantile with the 95 % interval that binomial counts give, cut at the smallest and largest value."""
    ordered = sorted(value for value in values if not math.isnan(value))
    n = len(ordered)
    if not n:
        return Estimate(math.nan)
    spread = NORMAL * math.sqrt(n * share * (1 - share))
    places = [math.ceil(n * share) - 1, math.floor(n * share - spread) - 1, math.ceil(n * share + spread)]
    value, low, high = (ordered[min(max(place, 0), n - 1)] for place in places)
    return Estimate(value, low, high, n)


@claim("C15")
def plateau(study: Evidence) -> Finding:
    """C15: at large eps the error no longer grows; judged is the slope between the two largest eps of each curve.

    A slope that has not become smaller than the curve's exponent fails; one that has, but is not within 0.1 of zero,
    may still get there beyond the grid. The two errors are taken as independent, which makes the interval too wide.
    """
    curves = dict(groups(study.rows("error_curves", labels="original", defence=""), "curve"))
    parts, is_saturated = [], False
    for row in records(study.rows("exponents", is_reported=True, labels="original", attack=("fgsm", "l2", "pgd"))):
        last = records(curves[row["curve"]].sort_values("grid_eps")[-2:]) if row["curve"] in curves else []
        if len(last) < 2 or min(point["net_low"] for point in last) <= 0:
            continue
        ends = [[math.log(point[name]) for name in ("net_error", "net_low", "net_high")] for point in last]
        before, after = (Estimate(value, low, high) for value, low, high in ends)
        rise, step = difference(after, before), math.log(last[1]["grid_eps"] / last[0]["grid_eps"])
        found = Estimate(rise.value / step, rise.low / step, rise.high / step)
        verdict = inside(found, FLAT)
        if verdict == "fails" and found.high < row["exponent"]:
            verdict = "inconclusive"
        parts.append(Part(row["curve"], "slope at the largest eps", found, FLAT, verdict))
        is_saturated = is_saturated or last[-1]["accuracy"] < 0.01
    remark = "some of these nets have no image left to break: their errors cannot grow" if is_saturated else ""
    return Finding(tuple(parts), "no sweep with FGSM, L2 or PGD in this study", remark=remark)
