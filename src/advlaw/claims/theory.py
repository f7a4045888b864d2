"""Linear response, the mean-field prediction, and the gaps between logits (Cubuk Sec. 3)."""

import math
from typing import Any

import numpy as np
import pandas as pd

from advlaw.claims.defences import nets
from advlaw.claims.finding import NORMAL
from advlaw.claims.registry import view
from advlaw.claims.study import Evidence, suffixed
from advlaw.core.io import Cells
from advlaw.core.tables import chosen, groups, records

CLOSE = 0.05  # a relative error that is nearly none
FEWEST = 20  # images in a bin whose median is judged
FEWEST_ERRORS, ENOUGH = 100, 200  # of which a ratio, and independent gaps of which a slope is judged


@view("theory/residuals")
def residuals(study: Evidence) -> pd.DataFrame:
    """What linear response leaves out of the logits of each net: its slope in log-log, and the largest of it."""
    by_net = study.rows("theory/residuals").groupby("net", sort=False)
    return by_net.agg(slope=("slope", "first"), largest=("residual", "max")).reset_index()


@view("theory/curves", "theory/predictions")
def mean_field_errors(study: Evidence) -> pd.DataFrame:
    """Predicted over measured error (Cubuk Eq. 8) at the smallest L2 eps with 100 errors, with its interval."""
    curves = study.rows("theory/curves", attack="l2")
    counts = study.rows("theory/predictions", attack="l2").set_index("net")["n_images"]
    curves = curves.assign(n_images=curves["net"].map(counts))
    curves = curves[curves["measured"] * curves["n_images"] >= FEWEST_ERRORS - 1e-6]
    smallest = curves.loc[curves.groupby("net", sort=False)["eps"].idxmin()]
    ends = {"ratio": "measured", "ratio_low": "measured_high", "ratio_high": "measured_low"}
    return smallest.assign(**{name: smallest["mean_field"] / smallest[of] for name, of in ends.items()})


@view("theory/deciles")
def linear_thresholds(study: Evidence) -> pd.DataFrame:
    """How far eps_linear is off on the 1 % of images with the smallest thresholds, in L2: the median relative error.

    `verdict`: holds if nearly none; fails if it no longer falls, to less than half of what it is in the first tenth.
    """
    rows = study.rows("theory/deciles", attack="l2", prediction="linear")
    both = chosen(rows, decile=0).merge(chosen(rows, decile=1), on="net", suffixes=("", "_tenth"))
    error, is_falling = both["median_error"], both["median_error"] < 0.5 * both["median_error_tenth"]
    found = np.select(
        [both["n_images"] < FEWEST, error <= CLOSE, is_falling], ["inconclusive", "holds", "inconclusive"], "fails"
    )
    return both.assign(verdict=found)


@view("theory/gap_laws")
def gap_tails(study: Evidence) -> pd.DataFrame:
    """Exponents of the density of the gaps of every net as the gap -> 0.

    `kind`: tail, of rank 2; higher, of rank 3; rise, of a higher rank beside the rank below it (`..._below`).
    """
    return _tails(_gap_laws(study, epoch=None))


@view("order_statistics/exponents")
def iid_tails(study: Evidence) -> pd.DataFrame:
    """The same of ten independent uniform logits, with the number of samples, from the slope up to a share of them.

    The share is the smallest of 200 gaps for rank 2, whose density is flat near zero alone, and the largest for others.
    """
    rows = study.rows("order_statistics/exponents", law="uniform").assign(net="uniform logits")
    rows = rows.assign(n_samples=(rows["n_gaps"] / rows["share"]).max().round(-4))
    narrowest = chosen(rows[rows["n_gaps"] >= ENOUGH], rank=2).sort_values("share")[:1]
    widest = rows[(rows["rank"] > 2) & (rows["share"] == rows["share"].max())]
    return _tails(pd.concat([narrowest, widest]))


def _gap_laws(study: Evidence, **wanted: Any) -> pd.DataFrame:
    """The laws of gaps on all images. An exponent is B - 1; where its lower end was not found it is none."""
    rows = study.rows("theory/gap_laws", images="all", **wanted)
    low = rows["exponent_low"].where(rows["exponent_low"] > -1)
    return rows.assign(exponent_low=low, n_errors=rows["n_gaps"], n_images=(rows["n_gaps"] / rows["share"]).round())


def _tails(rows: pd.DataFrame) -> pd.DataFrame:
    found: list[Cells] = []
    for _, of_net in groups(rows, "net"):
        at = {row["rank"]: row for row in records(of_net)}
        found += [{**at[rank], "kind": kind} for rank, kind in ((2, "tail"), (3, "higher")) if rank in at]
        pairs = [(rank, rank + 1) for rank in (3, 4) if {rank, rank + 1} <= at.keys()]
        found += [{**at[above], "kind": "rise", **suffixed(at[below], "below")} for below, above in pairs]
    return pd.DataFrame(found)


@view("theory/gap_laws")
def gap_changes(study: Evidence) -> pd.DataFrame:
    """Exponents at the end of training beside those after each kept epoch (`..._then`)."""
    rows = _gap_laws(study)
    is_last = rows["epoch"].isna()
    return rows[~is_last].merge(rows[is_last], on=["net", "rank"], suffixes=("_then", ""))


@view("theory/gap_laws", "theory/gap_exponents", "models")
def gaps_under_penalty(study: Evidence) -> pd.DataFrame:
    """Gaps of nets with the entropy penalty beside their baselines', by rank; how much `faster` FGSM closes them."""
    known = {(row["net"], row["rank"]): row for row in records(_gap_laws(study, epoch=None))}
    sizes = {(row["net"], row["rank"]): row for row in _quantiles(study)}
    speeds = {row["net"]: row["closing_speed"] for row in records(study.rows("theory/predictions", attack="fgsm"))}
    followed = tuple({net for net, _ in known.keys() & sizes.keys()})
    found: list[Cells] = []
    for pair in records(chosen(nets(study), adds="entropy", net=followed, baseline=followed)):
        net, baseline = pair["net"], pair["baseline"]
        for rank in (2, 3, 4, 5):
            ours, theirs = ({**known[name, rank], **sizes[name, rank]} for name in (net, baseline))
            found.append({**ours, **suffixed(theirs, "baseline"), "faster": math.nan})
        if {net, baseline} <= speeds.keys():
            found.append({"net": net, "dataset": pair["dataset"], "faster": speeds[net] / speeds[baseline]})
    return pd.DataFrame(found)


def _quantiles(study: Evidence) -> list[Cells]:
    """The log of the 10 % quantile of each net's gaps of each rank: its standard error is 1 / (B sqrt(n))."""
    rows = study.rows("theory/gap_exponents", images="all", epoch=None)
    found: list[Cells] = []
    for row in records(rows[rows["share"] == rows["share"].max()]):
        log, spread = math.log(row["largest_gap"]), NORMAL / ((row["exponent"] + 1) * math.sqrt(row["n_gaps"]))
        ends = {"log_gap": log, "log_gap_low": log - spread, "log_gap_high": log + spread}
        found.append({"net": row["net"], "rank": row["rank"], **ends, "n_wide": row["n_gaps"]})
    return found
