"""Sets of nets that were attacked at a few eps, as Kurakin's nets were: views for the claims on adversarial training.

`at` says which of the paper's eps (2, 4, 8, 16) a set's eps stands for: the largest for 16, the others in proportion.
Nets have what they `varies` in and what they were `trained_on`: see `advlaw.papers.kurakin`. One that is no better
than chance when clean judges nothing.
"""

import itertools
import math

import numpy as np
import pandas as pd

from advlaw.claims.finding import Estimate, difference, largest, smallest
from advlaw.claims.registry import view
from advlaw.claims.study import Evidence
from advlaw.core.io import Cells
from advlaw.core.tables import chosen, groups, records
from advlaw.papers.kurakin import BASE, DEEP, DEEP_PLAIN, LARGEST, METHOD, PLAIN, TRAINED_ON, with_roles

SUFFIX = "_clipped"
KNOWING = ("fgsm", "fast_l2", "fast_linf")  # one-step methods that use the label
DIFFERENCE = ("difference", "seeds_low", "seeds_high")
WITH_SEEDS = ("", "_seeds_low", "_seeds_high")
TOP1, TOP1_WITH_SEEDS = ("top1", "top1_low", "top1_high"), tuple(f"top1{end}" for end in WITH_SEEDS)
BEST = ("step_ll", "step_rnd")  # methods to train on, by the paper


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
    """A table's rows, each with what is known of its net; `attack` is the method's name, and `at` the paper's eps.

    Without nets that collapsed.
    """
    rows, nets = study.tables.of_sets(table, "eps"), set_nets(study)
    if rows.empty or nets.empty:
        return pd.DataFrame()
    attack = rows["attack"].str.removesuffix(SUFFIX)
    rows = rows.assign(attack=attack, at=LARGEST * rows["eps"] / rows.groupby("set")["eps"].transform("max"))
    known = ["set", "net", *(name for name in nets if name not in rows)]
    return rows.merge(nets.loc[~nets["collapsed"], known], on=["set", "net"])


@view("trials/sets")
def set_accuracy(study: Evidence) -> pd.DataFrame:
    """Accuracies of nets under every attack, clean and at every eps.

    Their intervals are over images; `top1_seeds_low`, `ratio_seeds_low` and so on hold the spread between trainings as
    well, and are missing where a kind of net has no replicates.
    """
    found = _with_nets(study, "accuracy")
    if found.empty:
        return found
    halves = _half_widths(study)
    kinds = np.where(found["trained_on"] == "", "plain", "adversarial")
    keys = zip(found["set"], kinds, found["attack"], found["eps"], strict=True)
    found = found.assign(error=1 - found["top1"], half=[halves.get(key, math.nan) for key in keys])
    clean = found[found["attack"] == "clean"].set_index(["set", "net"])[["top1", "half"]].add_suffix("_clean")
    found = found.join(clean, on=["set", "net"])
    of_ratio = np.hypot(found["half"], found["ratio"] * found["half_clean"]) / found["top1_clean"]
    for value, half in (("top1", found["half"]), ("ratio", of_ratio)):
        below, above = found[value] - found[f"{value}_low"], found[f"{value}_high"] - found[value]
        found[f"{value}_seeds_low"] = found[value] - np.hypot(below, half)
        found[f"{value}_seeds_high"] = found[value] + np.hypot(above, half)
    return found


def _half_widths(study: Evidence) -> dict[tuple[str, str, str, float], float]:
    """How far an accuracy may be from that of other trainings of the net: by set, kind of net, attack and eps."""
    return {
        (row["set"], row["kind"], row["attack"].removesuffix(SUFFIX), row["eps"]): row["half_width"]
        for row in records(study.tables.of_sets("replicates"))
    }


@view("trials/sets")
def set_differences(study: Evidence) -> pd.DataFrame:
    """How much more accurate a net is than its baseline; the interval holds the spread between trainings."""
    found = _with_nets(study, "differences")
    if found.empty:
        return found
    nets = set_nets(study)
    theirs = nets.loc[~nets["collapsed"], ["set", "net", "varies"]]
    return found.merge(theirs.rename(columns={"net": "baseline", "varies": "varies_baseline"}), on=["set", "baseline"])


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
        is_fixed = rows["fixed_eps"].notna()
        random = _estimates(rows[rows["varies"].isin(BASE) & ~is_fixed & (rows["seed"] == 0)])
        for net, own in groups(rows[(rows["varies"] == "adversarial.eps") & is_fixed], "net"):
            eps = own["fixed_eps"].iloc[0]
            at_its_own, elsewhere = _estimates(own[own["eps"] == eps]), _estimates(own[own["eps"] != eps])
            about = {"set": name, "net": net, "dataset": own["dataset"].iloc[0], "eps": eps}
            if at_its_own and elsewhere:
                found.append({**about, "what": "own", **_cells(difference(at_its_own[0], smallest(elsewhere)))})
            if random:
                worst = smallest(_estimates(own))
                found.append({**about, "what": "random", **_cells(difference(smallest(random), worst))})
    return pd.DataFrame(found)


def _estimate(row: Cells, *names: str) -> Estimate:
    return Estimate(*(row[name] for name in names or DIFFERENCE))


def _estimates(rows: pd.DataFrame) -> list[Estimate]:
    return [_estimate(row) for row in records(rows)]


def _cells(found: Estimate) -> Cells:
    return {"gain": found.value, "gain_low": found.low, "gain_high": found.high}


@view("trials/sets")
def deeper(study: Evidence) -> pd.DataFrame:
    """What adversarial training costs a deeper net in clean accuracy, less what it costs the base (Kurakin Table 1)."""
    clean = set_differences(study)
    found: list[Cells] = []
    for name, rows in groups(clean[clean["attack"] == "clean"] if not clean.empty else clean, "set"):
        base = records(rows[rows["varies"].isin(BASE) & rows["varies_baseline"].isin(PLAIN) & (rows["seed"] == 0)])
        deep = records(rows[rows["varies"].isin(DEEP) & rows["varies_baseline"].isin(DEEP_PLAIN) & rows["is_deeper"]])
        for row in deep:
            for other in base[:1]:
                about = {"set": name, "net": row["net"], "dataset": row["dataset"]}
                found.append({**about, **_cells(difference(_estimate(row), _estimate(other)))})
    return pd.DataFrame(found)


@view("trials/sets")
def widths(study: Evidence) -> pd.DataFrame:
    """What changes with the width of nets (Kurakin Sec. 4.3): `what` is clean, ratio or optimum.

    clean, ratio: of the widest net less that of the narrowest. optimum: of nets without adversarial training, the best
    ratio at a width in between less that of the better end. `training`: plain or adversarial. Intervals hold the spread
    between trainings.
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
            ends = [_estimate(row, *(f"{value}{end}" for end in WITH_SEEDS)) for row in records(own)]
            about = {"set": name, "attack": attack, "eps": eps, "training": training}
            about |= {column: own[column].iloc[0] for column in ("dataset", "at")}
            what = "clean" if attack == "clean" else "ratio"
            found.append({**about, "what": what, **_cells(difference(ends[-1], ends[0]))})
            if attack != "clean" and training == "plain":
                best, end = largest(ends[1:-1]), largest([ends[0], ends[-1]])
                found.append({**about, "what": "optimum", **_cells(difference(best, end))})
    return pd.DataFrame(found)


@view("trials/sets")
def rises(study: Evidence) -> pd.DataFrame:
    """The largest rise of accuracy from one eps to the next, under methods that use the label (Kurakin Fig. 3).

    Of nets trained on FGSM or step l.l. examples; the interval is that of the largest of so many. The two accuracies
    are taken as independent, which makes it too wide.
    """
    accuracy = set_accuracy(study)
    if accuracy.empty:
        return accuracy
    known = chosen(accuracy, attack=KNOWING, trained_on=("fgsm", "step_ll"), varies=METHOD, seed=0)
    found: list[Cells] = []
    for (name, net), rows in groups(known, "set", "net"):
        if rise := largest_rise(rows):
            about = {cell: rows[cell].iloc[0] for cell in ("dataset", "trained_on")}
            found.append({"set": name, "net": net, **about, **rise})
    return pd.DataFrame(found)


def largest_rise(rows: pd.DataFrame) -> Cells:
    """The largest rise of one net's accuracy `top1` from one eps to the next: its attack, that eps, and the rise.

    Nothing where no attack has two eps.
    """
    steps = [
        (difference(*(_estimate(row, *TOP1) for row in (after, before))), after)
        for _, own in groups(rows.sort_values("eps"), "attack")
        for before, after in itertools.pairwise(records(own))
    ]
    if not steps:
        return {}
    _, after = max(steps, key=lambda step: step[0].value)
    return {"attack": after["attack"], "eps": after["eps"], **_cells(largest([step for step, _ in steps]))}


@view("trials/sets")
def best_methods(study: Evidence) -> pd.DataFrame:
    """Step l.l. and step rnd. against each other method of training: clean accuracy plus that under `attack`, eps = 8.

    As in Table 5: under FGSM, but beside methods that use the label under step l.l., since labels leak; the net that is
    trained on FGSM is left out. Intervals hold both accuracies, and the spread between trainings.
    """
    accuracy = set_accuracy(study)
    if accuracy.empty:
        return accuracy
    found: list[Cells] = []
    for name, rows in groups(chosen(accuracy, varies=METHOD, seed=0), "set"):
        for (other, attack), method in itertools.product(TRAINED_ON.values(), BEST):
            ours, theirs = (_score(chosen(rows, trained_on=one), attack) for one in (method, other))
            if ours and theirs and other not in ("fgsm", *BEST):
                eps = rows.loc[rows["at"] == LARGEST / 2, "eps"].iloc[0]
                about = {"set": name, "dataset": rows["dataset"].iloc[0], "attack": attack, "eps": eps}
                found.append({**about, "method": method, "other": other, **_cells(difference(ours, theirs))})
    return pd.DataFrame(found)


def _score(rows: pd.DataFrame, attack: str) -> Estimate | None:
    """A net's clean accuracy plus that under an attack at the paper's eps = 8; None where one is missing."""
    both = rows[(rows["attack"] == "clean") | ((rows["attack"] == attack) & (rows["at"] == LARGEST / 2))]
    return _sum([_estimate(row, *TOP1_WITH_SEEDS) for row in records(both)]) if len(both) == 2 else None


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
