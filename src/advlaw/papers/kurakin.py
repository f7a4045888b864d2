"""Kurakin's Tables 1 to 8: what they print (claims/kurakin_tables.csv), and which nets of a set are like theirs.

A set of nets is a base, trained by Algorithm 1 on step l.l. examples, and variants of it. `varies` says what a net
differs in: the base differs in nothing, a net without adversarial training in `adversarial`.
"""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pandas as pd

PRINTED = Path("claims/kurakin_tables.csv")
COLUMNS = ("eclean", "e2", "e4", "e8", "e16")  # of the paper; the last four are its sizes of eps
LARGEST = 16.0  # of them
MODELS = ("A", "B", "C", "D")  # of Tables 4 and 6
BASE, PLAIN = ("",), ("adversarial",)  # what nets vary in that are the base, and not adversarially trained
DEEP = ("depth", "widths", "channels")  # and that may be deeper
DEEP_PLAIN = tuple(" + ".join(sorted((key, "adversarial"))) for key in DEEP)


@cache
def printed() -> dict[str, float]:
    """Every cell by its id, `K-T5-fgsm-e8`, as a share."""
    with PRINTED.open(encoding="utf-8", newline="") as file:
        return {row["id"]: float(row["value"]) / 100 for row in csv.DictReader(file)}


def varies(differs: str) -> str:
    """The keys in which a net differs from its set's base, `activation + adversarial`: of the column `differs`."""
    return " + ".join(sorted(re.findall(r"(?:^|, )([\w.]+)=", differs)))


def with_roles(nets: pd.DataFrame) -> pd.DataFrame:
    """A set's nets.csv with what each `varies`, what it was `trained_on` (`step_ll`, or nothing), and at which eps.

    `is_deeper`: it has more layers than the set's base.
    """
    varied = nets["differs"].map(varies)
    layers = nets.loc[varied.isin((*BASE, *PLAIN)), "layers"].max()  # those of the base; NaN, if it is not there
    return nets.drop(columns="attack").assign(
        varies=varied,
        trained_on=nets["attack"].str.removesuffix("_clipped"),
        share_replaced=nets["n_replaced"] / nets["batch_size"],
        largest_eps=pd.to_numeric(nets["eps_law"].str.extract(r"([\d.]+)$", expand=False)),
        is_deeper=nets["layers"] > layers,
    )


@dataclass(frozen=True)
class Row:
    """A row of a table: its `key` in the cells' ids, its label, and the nets that are like it.

    Those that vary in one of `like`, and have these `cells`. `attack` is what they are evaluated under; replicates of a
    net come after it.
    """

    key: str
    label: str
    attack: str
    like: tuple[str, ...]
    cells: Mapping[str, object] = field(default_factory=dict)

    def nets(self, nets: pd.DataFrame) -> pd.DataFrame:
        """Those of a set's nets (with roles) of which the row speaks."""
        found = nets[nets["varies"].isin(self.like)]
        for name, value in self.cells.items():
            found = found[found[name] == value]
        return found.sort_values("seed", kind="stable")


METHOD, IMAGES, ACTIVATION = ("", "adversarial.attack"), ("", "adversarial.images"), ("", "activation")
TRAINED_ON = {  # Table 5: the row's key and label -> training method; evaluated under FGSM but for two
    ("fgsm", "FGSM"): ("fgsm", "fgsm"),
    ("fgsmpred", "Fast with predicted class"): ("fgsm_predicted", "fgsm"),
    ("fastentropy", "Fast entropy"): ("fast_entropy", "fgsm"),
    ("steprnd", "Step rnd."): ("step_rnd", "fgsm"),
    ("stepll", "Step l.l."): ("step_ll", "fgsm"),
    ("fastgradL2", "Fast grad. L2*"): ("fast_l2", "step_ll"),
    ("fastgradLinf", "Fast grad. L∞*"): ("fast_linf", "step_ll"),
    ("randsign", "Sign of random perturbation"): ("random_sign", "fgsm"),
    ("randnormal", "Random normal perturbation"): ("truncated_normal", "fgsm"),
}
ACTIVATIONS = {
    "relu": "relu",
    "relu6": "relu6",
    "reludecay0.001": "relu_decay_0.001",
    "reludecay0.01": "relu_decay_0.01",
    "reludecay0.1": "relu_decay_0.1",
    "tanh": "tanh",
}
ITERATIVE = {"iterll": ("iter_ll", "iter. l.l."), "iterbasic": ("iter_basic", "iter. basic")}
OF_ACTIVATIONS = {"stepll": ("step_ll", "step l.l."), **ITERATIVE}
LEAST_LIKELY = {"trained_on": "step_ll"}
OF_EPS = {  # tables whose columns are clean images and four sizes of eps
    "T1": (
        Row("base", "Baseline (standard training)", "step_ll", PLAIN),
        Row("adv", "Adv. training", "step_ll", BASE, LEAST_LIKELY),
        Row("deepbase", "Deeper model (standard training)", "step_ll", DEEP_PLAIN, {"is_deeper": True}),
        Row("deepadv", "Deeper model (adv. training)", "step_ll", DEEP, {**LEAST_LIKELY, "is_deeper": True}),
    ),
    "T2": tuple(
        Row(f"{key}-{which}", f"{name}, {label}", attack, *like)
        for key, (attack, name) in ITERATIVE.items()
        for which, label, like in (("adv", "adv. training", (BASE, LEAST_LIKELY)), ("base", "baseline", (PLAIN,)))
    ),
    "T3": (
        Row(
            "noleak",
            "No label leaking, training and eval using step l.l.",
            "step_ll",
            METHOD,
            LEAST_LIKELY,
        ),
        Row("leak", "With label leaking, training and eval using FGSM", "fgsm", METHOD, {"trained_on": "fgsm"}),
    ),
    "T5": (
        Row("none", "No adversarial training", "fgsm", PLAIN),
        *(
            Row(key, label, under, METHOD, {"trained_on": method})
            for (key, label), (method, under) in TRAINED_ON.items()
        ),
    ),
    "T7": tuple(
        Row(f"{key}-{name}", f"{attack_name}, {name}", attack, ACTIVATION, {**LEAST_LIKELY, "activation": ours})
        for key, (attack, attack_name) in OF_ACTIVATIONS.items()
        for name, ours in ACTIVATIONS.items()
    ),
    "T8": (
        Row("k0", "No adv", "step_ll", PLAIN),
        *(
            Row(f"k{k}", f"Adv, k = {k}", "step_ll", IMAGES, {**LEAST_LIKELY, "share_replaced": k / 32})
            for k in (4, 8, 16, 24, 32)
        ),
    ),
}
VARIANTS = {  # a table -> the key that its nets vary in, and the attacks that any of them are evaluated under
    "T3": ("adversarial.attack", {}),
    "T5": ("adversarial.attack", {"fgsm": ""}),
    "T7": ("activation", {attack: f"{name}, " for attack, name in OF_ACTIVATIONS.values()}),
    "T8": ("adversarial.images", {"step_ll": ""}),
}


def rows_of(number: str, nets: pd.DataFrame) -> list[Row]:
    """The rows of a table, `T8`: the paper's, and of a set's nets (with roles) each that it has no row for.

    Those are the nets that vary in the same key alone; of replicates the first.
    """
    rows = list(OF_EPS[number])
    key, attacks = VARIANTS.get(number, ("", {}))
    spoken_of = {net for row in rows for net in row.nets(nets)["differs"]}
    others = nets[(nets["varies"] == key) & ~nets["differs"].isin(spoken_of)]
    others = others.sort_values("seed", kind="stable").drop_duplicates("differs")
    for attack, label in attacks.items():
        for net, differs in zip(others["net"], others["differs"], strict=True):
            said = differs.replace("=", " = ").replace('"', "")
            rows.append(Row(f"{attack}/{net}", f"{label}{net}: {said}", attack, (key,), {"net": net}))
    return rows
