"""Sets of nets that were attacked at a few eps, as Kurakin's nets were: views for the claims on adversarial training.

`at` says which of the paper's eps (2, 4, 8, 16) a set's eps stands for: the largest for 16, the others in proportion.
Nets have what they `varies` in and what they were `trained_on`: see `advlaw.papers.kurakin`.
"""

import itertools
import math

import pandas as pd

from advlaw.claims.finding import Estimate, difference
from advlaw.claims.registry import view
from advlaw.claims.study import Evidence
from advlaw.core.io import Cells
from advlaw.core.tables import chosen, groups, records
from advlaw.papers.kurakin import BASE, DEEP, DEEP_PLAIN, LARGEST, PLAIN, with_roles

SUFFIX = "_clipped"
KNOWING = ("fgsm", "fast_l2", "fast_linf")  # one-step methods that use the label
DIFFERENCE = ("difference", "seeds_low", "seeds_high")


@view("trials/sets")
def set_nets(study: Evidence) -> pd.DataFrame:
    """The nets of sets that were attacked at a few eps."""
    accuracy = study.tables.of_sets("accuracy")
    if accuracy.empty:
        return accuracy
    frames = [with_roles(study.rows(f"trials/{name}/nets")).assign(set=name) for name in dict.fromkeys(accuracy["set"])]
    sets = study.rows("trials/sets")[["set", "dataset"]]
    return pd.concat(frames, ignore_index=True).merge(sets, on="set")


def _with_nets(study: Evidence, table: str) -> pd.DataFrame:
    """A table's rows, each with what is known of its net; `attack` is the method's name, and `at` the paper's eps."""
    rows, nets = study.tables.of_sets(table, "eps"), set_nets(study)
    if rows.empty or nets.empty:
        return pd.DataFrame()
    rows = rows.copy()
    rows["attack"] = rows["attack"].str.removesuffix(SUFFIX)
    rows["at"] = LARGEST * rows["eps"] / rows.groupby("set")["eps"].transform("max")
    known = ["set", "net", *(name for name in nets if name not in rows)]
    return rows.merge(nets[known], on=["set", "net"])


@view("trials/sets")
def set_accuracy(study: Evidence) -> pd.DataFrame:
    """Accuracies of nets under every attack, clean and at every eps."""
    found = _with_nets(study, "accuracy")
    return found if found.empty else found.assign(error=1 - found["top1"])


@view("trials/sets")
def set_differences(study: Evidence) -> pd.DataFrame:
    """How much more accurate a net is than its baseline; the interval holds the spread between trainings."""
    found = _with_nets(study, "differences")
    if found.empty:
        return found
    theirs = set_nets(study)[["set", "net", "varies"]].rename(columns={"net": "baseline", "varies": "varies_baseline"})
    return found.merge(theirs, on=["set", "baseline"])


@view("trials/sets")
def set_leaks(study: Evidence) -> pd.DataFrame:
    """Leaked and reversed labels of nets under an attack that uses the label, beside one that does not."""
    return _with_nets(study, "leaking")


@view("trials/sets")
def fixed_eps(study: Evidence) -> pd.DataFrame:
    """Nets trained at one eps: their gain under step l.l. at that eps less their smallest gain at another.

    And the smallest gain of the net that is trained at random eps, less that of each of them (Kurakin Sec. 3).
    """
    gains = set_differences(study)
    if gains.empty:
        return gains
    gains = gains[(gains["attack"] == "step_ll") & gains["varies_baseline"].isin(PLAIN)]
    found: list[Cells] = []
    for name, rows in groups(gains, "set"):
        fixed = rows[rows["varies"] == "adversarial.eps"]
        random = [_estimate(row) for row in records(rows[rows["varies"].isin(BASE) & (rows["seed"] == 0)])]
        for net, own in groups(fixed, "net"):
            eps = own["largest_eps"].iloc[0]
            at_its_own = [_estimate(row) for row in records(own[own["eps"] == eps])]
            elsewhere = [_estimate(row) for row in records(own[own["eps"] != eps])]
            about = {"set": name, "net": net, "dataset": own["dataset"].iloc[0], "eps": eps}
            if at_its_own and elsewhere:
                found.append({**about, "what": "own", **_cells(difference(at_its_own[0], _least(elsewhere)))})
            if random:
                worst = _least([*at_its_own, *elsewhere])
                found.append({**about, "what": "random", **_cells(difference(_least(random), worst))})
    return pd.DataFrame(found)


def _estimate(row: Cells) -> Estimate:
    return Estimate(*(row[name] for name in DIFFERENCE))


def _least(found: list[Estimate]) -> Estimate:
    return min(found, key=lambda one: one.value)


def _cells(found: Estimate) -> Cells:
    return {"gain": found.value, "gain_low": found.low, "gain_high": found.high}


@view("trials/sets")
def deeper(study: Evidence) -> pd.DataFrame:
    """What adversarial training costs a deeper net in clean accuracy, less what it costs the base (Kurakin Table 1)."""
    clean = set_differences(study)
    found: list[Cells] = []
    for name, rows in groups(clean[clean["attack"] == "clean"] if not clean.empty else clean, "set"):
        base = records(rows[rows["varies"].isin(BASE) & rows["varies_baseline"].isin(PLAIN) & (rows["seed"] == 0)])
        deep = records(rows[rows["varies"].isin(DEEP) & rows["varies_baseline"].isin(DEEP_PLAIN)])
        for row in deep:
            for other in base[:1]:
                about = {"set": name, "net": row["net"], "dataset": row["dataset"]}
                found.append({**about, **_cells(difference(_estimate(row), _estimate(other)))})
    return pd.DataFrame(found)


@view("trials/sets")
def widths(study: Evidence) -> pd.DataFrame:
    """What changes with the width of nets (Kurakin Sec. 4.3): `what` is clean, ratio or optimum.

    clean, ratio: of the widest net less that of the narrowest. optimum: of nets without adversarial training, the best
    ratio at a width in between less that of the better end. `training`: plain or adversarial.
    """
    accuracy = set_accuracy(study)
    found: list[Cells] = []
    kinds = {"plain": ("adversarial + width", *PLAIN), "adversarial": ("width", *BASE)}
    for (name, attack, eps), rows in groups(accuracy, "set", "attack", "eps"):
        for training, varied in kinds.items():
            own = rows[rows["varies"].isin(varied) & (rows["seed"] == 0)].sort_values("width")
            if own["width"].nunique() < 3:
                continue
            value = "top1" if attack == "clean" else "ratio"
            ends = [Estimate(*(row[f"{value}{end}"] for end in ("", "_low", "_high"))) for row in records(own)]
            about = {"set": name, "attack": attack, "eps": eps, "training": training}
            about |= {column: own[column].iloc[0] for column in ("dataset", "at")}
            what = "clean" if attack == "clean" else "ratio"
            found.append({**about, "what": what, **_cells(difference(ends[-1], ends[0]))})
            if attack != "clean" and training == "plain":
                best, end = (max(some, key=lambda one: one.value) for some in (ends[1:-1], [ends[0], ends[-1]]))
                found.append({**about, "what": "optimum", **_cells(difference(best, end))})
    return pd.DataFrame(found)


@view("trials/sets")
def rises(study: Evidence) -> pd.DataFrame:
    """The largest rise of accuracy from one eps to the next, under methods that use the label (Kurakin Fig. 3).

    Of nets trained on FGSM or step l.l. examples. The two accuracies are taken as independent, which makes the
    interval too wide.
    """
    accuracy = set_accuracy(study)
    if accuracy.empty:
        return accuracy
    known = chosen(accuracy, attack=KNOWING, trained_on=("fgsm", "step_ll"), seed=0)
    known = known[known["varies"].isin(("", "adversarial.attack"))]
    found: list[Cells] = []
    for (name, net), rows in groups(known, "set", "net"):
        steps = [
            (difference(_top1(after), _top1(before)), after)
            for _, own in groups(rows.sort_values("eps"), "attack")
            for before, after in itertools.pairwise(records(own))
        ]
        best, after = max(steps, key=lambda step: step[0].value, default=(None, {}))
        if best is not None:
            about = {name: after[name] for name in ("dataset", "trained_on", "attack", "eps")}
            found.append({"set": name, "net": net, **about, **_cells(best)})
    return pd.DataFrame(found)


def _top1(row: Cells) -> Estimate:
    return Estimate(*(row[f"top1{end}"] for end in ("", "_low", "_high")))


@view("trials/sets")
def best_methods(study: Evidence) -> pd.DataFrame:
    """Step l.l. and step rnd. against each other method of training: clean accuracy plus that under FGSM at eps = 8.

    As in Table 5; the net trained on FGSM is left out, since labels leak. The net's interval holds both accuracies.
    """
    accuracy = set_accuracy(study)
    if accuracy.empty:
        return accuracy
    own = accuracy[accuracy["varies"].isin(("", "adversarial.attack")) & (accuracy["seed"] == 0)]
    own = own[(own["attack"] == "clean") | ((own["attack"] == "fgsm") & (own["at"] == LARGEST / 2))]
    found: list[Cells] = []
    for name, rows in groups(own, "set"):
        scores = {method: _sum([_top1(row) for row in records(both)]) for method, both in groups(rows, "trained_on")}
        for method in ("step_ll", "step_rnd"):
            others = [other for other in scores if other not in ("fgsm", "step_ll", "step_rnd")]
            for other in others if method in scores else ():
                about = {"set": name, "dataset": rows["dataset"].iloc[0], "method": method, "other": other}
                found.append({**about, **_cells(difference(scores[method], scores[other]))})
    return pd.DataFrame(found)


def _sum(found: list[Estimate]) -> Estimate:
    """Of independent numbers."""
    total = sum(one.value for one in found)
    below = math.hypot(*(one.value - one.low for one in found))
    above = math.hypot(*(one.high - one.value for one in found))
    return Estimate(total, total - below, total + above)


@view("trials/sets")
def transfer_methods(study: Evidence) -> pd.DataFrame:
    """Transfer rates between different nets together, and what they exceed others by (Kurakin Sec. 4.4)."""
    found = study.tables.of_sets("transfer_methods")
    if found.empty:
        return found
    named = {column: found[column].str.removesuffix(SUFFIX) for column in ("attack", "other")}
    return found.assign(**named).merge(study.rows("trials/sets")[["set", "dataset"]], on="set")
