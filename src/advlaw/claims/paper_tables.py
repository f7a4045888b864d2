"""The numbers that Kurakin's tables print, shown with a claim that was measured with a trained Inception v3 alone.

Their intervals are those that 50,000 images give: whether the paper agrees with itself, no more.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations
from statistics import mean

from advlaw.claims.finding import PERCENT, POINTS, Finding, Part, difference, proportion, shown
from advlaw.claims.study import Check, Evidence

N_IMAGES = 50_000  # of the ImageNet validation set
N_TRANSFERRED = 1_000
SIZES = ("2", "4", "8", "16")
METHODS = ("fgsm", "fgsmpred", "fastentropy", "steprnd", "stepll", "randsign", "randnormal")
ACTIVATIONS = ("tanh", "reludecay0.1", "reludecay0.01", "reludecay0.001", "relu6")  # beside ReLU
INCEPTION = "needs an Inception v3 trained on ImageNet"
CLEAN_CHANGE = "change of clean accuracy"
Shown = Callable[[Evidence], list[Part]]


@dataclass(frozen=True)
class Printed:
    """An accuracy of the paper's tables, or its difference from another: rows of kurakin_tables.csv without `K-`."""

    place: str  # which table, and what in it
    quantity: str
    row: str
    than: str = ""

    def part(self, study: Evidence) -> Part:
        found, *subtracted = (
            proportion(study.paper[f"K-{row}"] / 100, N_IMAGES) for row in (self.row, self.than) if row
        )
        unit = POINTS if subtracted else PERCENT
        return shown(
            f"the paper's Table {self.place}",
            self.quantity,
            difference(found, *subtracted) if subtracted else found,
            unit,
        )


def printed(*cells: Printed) -> Shown:
    return lambda study: [cell.part(study) for cell in cells]


CLEAN_COST = printed(
    Printed("1, step l.l.", CLEAN_CHANGE, "T1-adv-top1-eclean", than="T1-base-top1-eclean"),
    *(
        Printed(f"5, {method}", CLEAN_CHANGE, f"T5-{method}-eclean", than="T5-none-eclean")
        for method in ("fgsm", "stepll", "fastgradLinf")
    ),
)
STEP_LL_TRAINING = printed(
    *(
        Printed(f"1, eps = {eps}", f"{top} accuracy under step l.l.", f"T1-adv-{top}-e{eps}")
        for top in ("top1", "top5")
        for eps in SIZES
    )
)
GAINS_BY_METHOD = printed(
    *(Printed(f"5, {method}", "gain under FGSM of eps = 8", f"T5-{method}-e8", than="T5-none-e8") for method in METHODS)
)
ITERATIVE = printed(
    *(
        Printed(
            f"2, eps = {eps}",
            f"gain under {name}",
            f"T2-{attack}-adv-top1-e{eps}",
            than=f"T2-{attack}-base-top1-e{eps}",
        )
        for attack, name in (("iterll", "iter. l.l."), ("iterbasic", "iter. basic"))
        for eps in SIZES
    )
)
LEAKING = printed(
    *(
        Printed(
            f"3, eps = {eps}",
            f"adversarial minus clean accuracy, {name}",
            f"T3-{kind}-top1-e{eps}",
            than=f"T3-{kind}-top1-eclean",
        )
        for kind, name in (("leak", "FGSM"), ("noleak", "step l.l."))
        for eps in SIZES
    )
)
DEPTH = printed(
    Printed("1, Inception v3", CLEAN_CHANGE, "T1-adv-top1-eclean", than="T1-base-top1-eclean"),
    Printed("1, two blocks deeper", CLEAN_CHANGE, "T1-deepadv-top1-eclean", than="T1-deepbase-top1-eclean"),
)
ACTIVATION = printed(
    *(
        Printed(
            f"7, {activation}",
            f"change of accuracy, {name}",
            f"T7-stepll-{activation}-{at}",
            than=f"T7-stepll-relu-{at}",
        )
        for at, name in (("eclean", "clean"), ("e16", "step l.l."))
        for activation in ACTIVATIONS
    )
)
REPLACED = printed(
    *(
        Printed(f"8, k = {k}", f"change of accuracy against k = 16, {name}", f"T8-k{k}-{at}", than=f"T8-k16-{at}")
        for at, name in (("eclean", "clean"), ("e16", "step l.l."))
        for k in ("24", "32")
    )
)
INTERVAL = printed(Printed("5, no adversarial training", "clean accuracy", "T5-none-eclean"))


def transfer_rates(study: Evidence) -> list[Part]:
    """Mean transfer rate between different nets at eps = 16, Table 4."""
    parts = []
    for attack, name in (("fgsm", "FGSM"), ("iterbasic", "iter. basic"), ("iterll", "iter. l.l.")):
        rates = [study.paper[f"K-T4-top1-{attack}-{first}{second}"] / 100 for first, second in permutations("ABCD", 2)]
        found = proportion(mean(rates), N_TRANSFERRED)
        parts.append(shown(f"the paper's Table 4, {name}", "transfer rate between nets", found, unit=PERCENT))
    return parts


def with_tables(tables: Shown, reason: str) -> Check:
    """A claim that is not run, with the paper's own numbers shown."""
    return lambda study: Finding(tuple(tables(study)), reason)


def beside_tables(check: Check, tables: Shown) -> Check:
    """A claim judged on an analogue, with the paper's own numbers shown beside it."""

    def both(study: Evidence) -> Finding:
        found = check(study)
        return Finding((*found.parts, *tables(study)), found.missing, found.is_analogue, found.remark)

    return both
