"""Linear response, the mean-field prediction, and the gaps between logits (Cubuk Sec. 3).

The exponent of the gaps' density is that of the smallest share of at least 200 gaps for rank 2, whose density is flat
near zero alone, and of the largest share for higher ranks.
"""

import math

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
FEWEST_ERRORS, ENOUGH = 100, 200  # of which a ratio, and gaps of which an exponent is judged


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


@view("theory/gap_exponents")
def gap_tails(study: Evidence) -> pd.DataFrame:
    """Exponents of the gaps of every net.

    `kind`: tail, of rank 2; widest, of rank 3; rise, of a higher rank beside the rank below it (`..._below`).
    """
    return _tails(study.rows("theory/gap_exponents", images="all", epoch=None))


@view("order_statistics/exponents")
def iid_tails(study: Evidence) -> pd.DataFrame:
    """The same of ten independent uniform logits, with the number of samples."""
    rows = study.rows("order_statistics/exponents", law="uniform").assign(net="uniform logits")
    return _tails(rows.assign(n_samples=(rows["n_gaps"] / rows["share"]).max().round(-4)))


def _tails(rows: pd.DataFrame) -> pd.DataFrame:
    found: list[Cells] = []
    for _, of_net in groups(rows, "net"):
        at = {rank: _widest(gaps) for rank, gaps in groups(of_net, "rank")}
        found += [{**_in_tail(chosen(of_net, rank=2)), "kind": "tail"}, {**at[3], "kind": "widest"}]
        pairs = [(rank, rank + 1) for rank in (3, 4) if {rank, rank + 1} <= at.keys()]
        found += [{**at[above], "kind": "rise", **suffixed(at[below], "below")} for below, above in pairs]
    return pd.DataFrame(found)


def _in_tail(rows: pd.DataFrame) -> Cells:
    """The smallest share of gaps of which there are enough, else the largest."""
    enough = rows[rows["n_gaps"] >= ENOUGH]
    return _widest(rows) if enough.empty else records(enough.sort_values("share"))[0]


def _widest(rows: pd.DataFrame) -> Cells:
    return records(rows.sort_values("share"))[-1]


@view("theory/gap_exponents")
def gap_changes(study: Evidence) -> pd.DataFrame:
    """Exponents at the end of training beside those after each kept epoch (`..._then`): for rank 2 of every share."""
    rows = study.rows("theory/gap_exponents", images="all")
    is_last = rows["epoch"].isna()
    both = rows[~is_last].merge(rows[is_last], on=["net", "rank", "share"], suffixes=("_then", ""))
    is_enough = (both["rank"] == 2) & (both[["n_gaps", "n_gaps_then"]].min(axis=1) >= ENOUGH)
    return both[is_enough | (both["share"] == rows["share"].max())]


@view("theory/gap_exponents", "models")
def gaps_under_penalty(study: Evidence) -> pd.DataFrame:
    """Gaps of nets with the entropy penalty beside their baselines', by rank; how much `faster` FGSM closes them."""
    by_net = dict(groups(study.rows("theory/gap_exponents", images="all", epoch=None), "net"))
    speeds = {row["net"]: row["closing_speed"] for row in records(study.rows("theory/predictions", attack="fgsm"))}
    found: list[Cells] = []
    for pair in records(chosen(nets(study), adds="entropy", net=tuple(by_net), baseline=tuple(by_net))):
        net, baseline = pair["net"], pair["baseline"]
        for rank in (2, 3, 4, 5):
            ours, theirs = (_small_gaps(chosen(by_net[name], rank=rank)) for name in (net, baseline))
            found.append({**ours, **suffixed(theirs, "baseline"), "faster": math.nan})
        if {net, baseline} <= speeds.keys():
            found.append({"net": net, "dataset": pair["dataset"], "faster": speeds[net] / speeds[baseline]})
    return pd.DataFrame(found)


def _small_gaps(rows: pd.DataFrame) -> Cells:
    """The exponent of one rank, and the log of the gaps' 10 % quantile: its standard error is 1 / (B sqrt(n))."""
    widest = _widest(rows)
    log, spread = math.log(widest["largest_gap"]), NORMAL / ((widest["exponent"] + 1) * math.sqrt(widest["n_gaps"]))
    quantile = {"log_gap": log, "log_gap_low": log - spread, "log_gap_high": log + spread, "n_wide": widest["n_gaps"]}
    return {**(_in_tail(rows) if widest["rank"] == 2 else widest), **quantile}
