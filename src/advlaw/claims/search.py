"""Architectures found by search (Cubuk Sec. 4): how they were searched, the larger nets, and their children.

`is_full_size`: whether a search is on the paper's data and as large as the paper's in everything. Roles of nets are
those of `advlaw.papers.search.with_roles`. Every net was trained once, so that intervals are over images.
"""

import itertools
import math

import numpy as np
import pandas as pd

from advlaw.claims.finding import Estimate, difference, proportion
from advlaw.claims.registry import view
from advlaw.claims.rules import above
from advlaw.claims.study import Evidence, nearest, suffixed
from advlaw.core.io import Cells
from advlaw.core.tables import chosen, groups, records
from advlaw.papers.search import EPS_OF_FIG_8, EXPERIMENTS, TABLE_1, method, with_roles, with_sizes

SAME_CELL = "the same cell in both searches"
MUCH = 0.05  # that PGD may say more than the worst case
NEAR = 0.02  # an accuracy of Table 1
PAPER_S_CUT = 0.85  # clean accuracy of the children in Fig. 9c


@view("search/settings")
def searches(study: Evidence) -> pd.DataFrame:
    """How the study searches."""
    return with_sizes(study.rows("search/settings"))


@view("search/enlarged", "search/settings", "models")
def larger_nets(study: Evidence) -> pd.DataFrame:
    """The enlarged nets with their roles, parameters and test accuracy; `n_images`: all to test, as sweeps saw them."""
    nets = with_roles(study.rows("search/enlarged"), study.rows("search/settings"))
    models = study.rows("models").rename(columns={"model": "net"})[["net", "n_parameters", "test_accuracy"]]
    nets = nets.merge(models, on="net")
    swept = study.rows("error_curves", split="test", model=tuple(nets["net"]))
    return nets.assign(
        n_images=math.nan if swept.empty else swept["n_images"].max(), thousands=nets["n_parameters"] / 1000
    )


@view("search/enlarged", "search/settings", "models")
def net_pairs(study: Evidence) -> pd.DataFrame:
    """Enlarged nets beside others that differ in one thing, `what`: the cells of theirs end in `_other`.

    `architectures`: a robust net beside a baseline, both trained alike. `trainings`: a baseline beside the same cell
    trained on adversarial images. `shares`: a robust net beside the same cell, with another share of such images.
    `verdict` is that on the pair alone: none, but of the same cell twice.
    """
    found: list[Cells] = []
    for net, other in itertools.permutations(records(larger_nets(study)), 2):
        what = _differ_in(net, other)
        is_same = what == "architectures" and net["cell"] == other["cell"]
        told = {"verdict": "inconclusive", "remark": SAME_CELL} if is_same else {"verdict": "", "remark": ""}
        if what:
            fewer = other["thousands"] - net["thousands"]
            found.append({**net, **suffixed(other, "other"), "what": what, "fewer": fewer, **told})
    return pd.DataFrame(found)


def _differ_in(net: Cells, other: Cells) -> str:
    is_same_search, is_trained_alike = (net[key] == other[key] for key in ("search", "trained_as"))
    match net["role"], other["role"]:
        case "robust", "baseline":
            return "architectures" if is_trained_alike else ""
        case "baseline", "baseline":
            return "trainings" if is_same_search and net["trained_on"] == "" else ""
        case "robust", "other share":
            return "shares" if is_same_search and is_trained_alike else ""
    return ""


@view("search/enlarged", "search/settings", "models", "error_curves")
def architecture_gains(study: Evidence) -> pd.DataFrame:
    """What a robust net is more accurate by than a baseline, under the attack that both are trained on.

    Under step l.l. at eps = 50 where the search has the paper's size, else where the baseline is nearest to half of its
    clean accuracy; under PGD at the eps of the reward. `verdict`: `above` 0 of independent proportions; `masked` if it
    holds and the worst case, on the same images at the eps nearest to the reward's, is below 0; none on the same cell
    twice.
    """
    found: list[Cells] = []
    for pair in records(net_pairs(study)):
        if pair["what"] != "architectures" or pair["trained_on"] not in EXPERIMENTS:
            continue
        curves = study.rows("error_curves", split="test", model=(pair["net"], pair["net_other"]))
        curves = curves[method(curves["attack"]) == pair["trained_on"]]
        by_net = dict(groups(curves, "model"))
        if len(by_net) < 2:
            continue
        both = _at_its_eps(by_net[pair["net_other"]], pair).merge(by_net[pair["net"]], on="grid_eps")
        for row in records(both):
            ours, theirs = (proportion(row[f"accuracy_{end}"], row[f"n_images_{end}"]) for end in ("y", "x"))
            worst = _worst_gain(study, pair)
            told = _told(gain := difference(ours, theirs), worst, pair)
            cells = {"eps": row["grid_eps"], "accuracy": ours.value, "accuracy_other": theirs.value, "n": ours.n}
            found.append({**pair, **cells, **_cells("gain", gain), **worst, **told})
    return pd.DataFrame(found)


def _at_its_eps(curve: pd.DataFrame, pair: Cells) -> pd.DataFrame:
    """The point of a baseline's curve at which it is compared; none if there is none near."""
    if pair["trained_on"] == "pgd":
        return nearest(curve, "eps", pair["reward_eps"])
    if pair["is_full_size"]:
        return nearest(curve, "eps", EPS_OF_FIG_8)
    return curve.loc[[(curve["accuracy"] - curve["net_error"]).abs().idxmin()]]  # lost as much as it kept


def _worst_gain(study: Evidence, pair: Cells) -> Cells:
    gains = study.rows("worst_case/gains")
    own = gains if gains.empty else chosen(gains, net=pair["net"], baseline=pair["net_other"])
    names = ("worst_gain", "worst_gain_low", "worst_gain_high")
    if own.empty:
        return dict.fromkeys(("worst_eps", "n_worst", *names), math.nan)
    row = own.loc[np.log(own["eps"] / pair["reward_eps"]).abs().idxmin()]
    return {"worst_eps": row["eps"], "n_worst": row["n_images"], **{name: row[name] for name in names}}


def _told(gain: Estimate, worst: Cells, pair: Cells) -> Cells:
    if pair["verdict"]:
        return {"verdict": pair["verdict"], "remark": pair["remark"]}
    verdict = above(gain, (0.0, math.inf))
    is_masked = verdict == "holds" and worst["worst_gain_high"] < 0
    return {"verdict": "masked" if is_masked else verdict, "remark": ""}


@view("search/enlarged", "search/settings", "models", "worst_case/accuracy")
def table_1(study: Evidence) -> pd.DataFrame:
    """The cells of Table 1 of every robust net that is trained on PGD examples, at the eps of its reward.

    `off`: the accuracy less the paper's. `hidden`: what it exceeds the worst case by, as of independent proportions.
    `verdict`: `masked` where white-box PGD says as much as the paper has, and over 5 points more than the worst case.
    """
    found: list[Cells] = []
    for net in records(chosen(larger_nets(study), role="robust", trained_on="pgd")):
        rows = study.rows("worst_case/accuracy", net=net["net"], eps=(0.0, net["reward_eps"]))
        under = {row["attack"]: row for row in records(rows)}
        worst = under.get("worst case")
        for place, paper in TABLE_1.items():
            if worst is not None and (row := under.get(paper.attack)) is not None:
                accuracy = Estimate(row["accuracy"], row["low"], row["high"])
                least = Estimate(worst["accuracy"], worst["low"], worst["high"])
                is_as_high = place == "white-box PGD" and net["is_full_size"] and accuracy.high >= paper.ours - NEAR
                is_masked = is_as_high and least.high < accuracy.value - MUCH
                cells = {"place": place, "n": row["n_images"], "verdict": "masked" if is_masked else ""}
                cells |= _cells("off", difference(accuracy, Estimate(paper.ours, paper.ours, paper.ours)))
                cells |= _cells("hidden", difference(accuracy, least))
                found.append({**net, **cells, **_cells("accuracy", accuracy), **_cells("worst", least)})
    return pd.DataFrame(found)


def _cells(name: str, found: Estimate) -> Cells:
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}


def _of_robust_searches(study: Evidence, table: str) -> pd.DataFrame:
    """Rows about the children of searches that reward adversarial accuracy."""
    known = chosen(searches(study), rewarded_by="adversarial")[["search", "dataset", "trained_on", "is_full_size"]]
    return study.rows(table).merge(known, on="search")


@view("search/correlations", "search/settings")
def children_correlations(study: Evidence) -> pd.DataFrame:
    """Rank correlations of the adversarial accuracy of children of searches that reward it."""
    return _of_robust_searches(study, "search/correlations").dropna(subset="rho")


@view("search/spread", "search/settings")
def children_spread(study: Evidence) -> pd.DataFrame:
    """How far the good ones of such children spread: those above 85 %, or the `upper half`, by clean accuracy."""
    rows = _of_robust_searches(study, "search/spread")
    cut = np.where(rows["clean_from"] == PAPER_S_CUT, "above 85 %", "upper half")
    return rows.assign(cut=cut, range=rows["largest"] - rows["least"])
