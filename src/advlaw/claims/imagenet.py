"""Kurakin's claims about ImageNet: judged on ImageNet nets where a study has some, else on an analogue, or shown.

What was measured with a trained Inception v3 alone cannot be judged here. Where the paper prints the numbers behind a
claim, they are shown with the intervals that 50,000 images give: whether the paper agrees with itself, no more.
"""

from collections.abc import Callable
from itertools import permutations
from statistics import mean

from advlaw.claims.finding import PERCENT, POINTS, Estimate, Finding, Part, difference, inside, proportion, shown
from advlaw.claims.power_laws import IMAGENET, imagenet
from advlaw.claims.study import Check, Study, by_curve, nearest, number

N_IMAGES = 50_000  # of the ImageNet validation set
N_TRANSFERRED = 1_000
SIZES = ("2", "4", "8", "16")
INCEPTION = "needs an Inception v3 trained on ImageNet"
Shown = Callable[[Study], list[Part]]


def fgsm_error(study: Study) -> Finding:
    """K01: FGSM of eps in [2, 32] leaves a plain ImageNet net a top-1 error of 63 to 69 %."""
    parts = []
    for curve, rows in by_curve(imagenet(study.rows("error_curves", attack="fgsm"))).items():
        for row in (row for row in rows if 2 <= number(row, "eps") <= 32 and not row["defence"]):
            n_images = int(study.rows("exponents", curve=curve)[0]["n_images"])
            found = proportion(1 - number(row, "accuracy"), n_images)
            parts.append(inside(curve, f"top-1 error at eps = {number(row, 'eps'):.2g}", found, (0.63, 0.69), PERCENT))
    return Finding(tuple(parts), IMAGENET)


def iterative_least_likely_error(study: Study) -> Finding:
    """K02: iter. l.l. makes more than 99 % of ImageNet's images wrong; judged at eps = 16, on any data."""
    curves = by_curve([row for row in study.rows("error_curves", attack="iter_ll") if not row["defence"]])
    known = imagenet([rows[0] for rows in curves.values()])
    parts = []
    for curve, rows in curves.items():
        if known and rows[0] not in known:
            continue
        row = nearest(rows, "eps", 16.0)
        n_images = int(study.rows("exponents", curve=curve)[0]["n_images"])
        error = proportion(1 - number(row, "accuracy"), n_images)
        parts.append(inside(curve, f"error at eps = {number(row, 'eps'):.2g}", error, (0.99, 1.0), unit=PERCENT))
    remark = "" if known or not parts else "nets on small images in place of ImageNet's, whose 16 in 255 go further"
    return Finding(tuple(parts), "no sweep with iter. l.l. in this study", not known, remark)


def clean_cost_tables(study: Study) -> list[Part]:
    """K10: change of clean accuracy, Tables 1 and 5."""
    changes = {("1", "step l.l."): ("K-T1-adv-top1-eclean", "K-T1-base-top1-eclean")}
    for method in ("fgsm", "stepll", "fastgradLinf"):
        changes["5", method] = (f"K-T5-{method}-eclean", "K-T5-none-eclean")
    return [
        shown(f"the paper's Table {table}, {method}", "change of clean accuracy", _change(study, *rows), POINTS)
        for (table, method), rows in changes.items()
    ]


def accuracy_table(study: Study) -> list[Part]:
    """K11: accuracies after training on step l.l. examples, Table 1."""
    return [
        shown(
            f"the paper's Table 1, eps = {eps}",
            f"{top} accuracy under step l.l.",
            _of(study, f"K-T1-adv-{top}-e{eps}"),
            PERCENT,
        )
        for top in ("top1", "top5")
        for eps in SIZES
    ]


def methods_table(study: Study) -> list[Part]:
    """K12: what training on each one-step method gains at eps = 8, Table 5."""
    methods = ("fgsm", "fgsmpred", "fastentropy", "steprnd", "stepll", "randsign", "randnormal")
    return [
        shown(
            f"the paper's Table 5, {method}",
            "gain under FGSM of eps = 8",
            _change(study, f"K-T5-{method}-e8", "K-T5-none-e8"),
            POINTS,
        )
        for method in methods
    ]


def iterative_table(study: Study) -> list[Part]:
    """K13: gains under iterative attacks, Table 2."""
    return [
        shown(
            f"the paper's Table 2, eps = {eps}",
            f"gain under {name}",
            _change(study, f"K-T2-{attack}-adv-top1-e{eps}", f"K-T2-{attack}-base-top1-e{eps}"),
            POINTS,
        )
        for attack, name in (("iterll", "iter. l.l."), ("iterbasic", "iter. basic"))
        for eps in SIZES
    ]


def leaking_table(study: Study) -> list[Part]:
    """K15: adversarial minus clean accuracy, Table 3."""
    return [
        shown(
            f"the paper's Table 3, eps = {eps}",
            f"adversarial minus clean accuracy, {name}",
            _change(study, f"K-T3-{kind}-top1-e{eps}", f"K-T3-{kind}-top1-eclean"),
            POINTS,
        )
        for kind, name in (("leak", "FGSM"), ("noleak", "step l.l."))
        for eps in SIZES
    ]


def depth_table(study: Study) -> list[Part]:
    """K18: change of clean accuracy by adversarial training, Table 1."""
    return [
        shown(
            f"the paper's Table 1, {name}",
            "change of clean accuracy",
            _change(study, f"K-T1-{net}adv-top1-eclean", f"K-T1-{net}base-top1-eclean"),
            POINTS,
        )
        for net, name in (("", "Inception v3"), ("deep", "two blocks deeper"))
    ]


def transfer_table(study: Study) -> list[Part]:
    """K19: mean transfer rate between different nets at eps = 16, Table 4."""
    parts = []
    for attack, name in (("fgsm", "FGSM"), ("iterbasic", "iter. basic"), ("iterll", "iter. l.l.")):
        rates = [study.paper[f"K-T4-top1-{attack}-{first}{second}"] / 100 for first, second in permutations("ABCD", 2)]
        found = proportion(mean(rates), N_TRANSFERRED)
        parts.append(shown(f"the paper's Table 4, {name}", "transfer rate between nets", found, unit=PERCENT))
    return parts


def activations_table(study: Study) -> list[Part]:
    """K22: change by other activations than ReLU, Table 7, on clean images and under step l.l. of eps = 16."""
    return [
        shown(
            f"the paper's Table 7, {activation}",
            f"change of accuracy, {name}",
            _change(study, f"K-T7-stepll-{activation}-{at}", f"K-T7-stepll-relu-{at}"),
            POINTS,
        )
        for at, name in (("eclean", "clean"), ("e16", "step l.l."))
        for activation in ("tanh", "reludecay0.1", "reludecay0.01", "reludecay0.001", "relu6")
    ]


def replaced_table(study: Study) -> list[Part]:
    """K23: change of accuracy from replacing more than half of a minibatch, Table 8."""
    return [
        shown(
            f"the paper's Table 8, k = {k}",
            f"change of accuracy against k = 16, {name}",
            _change(study, f"K-T8-k{k}-{at}", f"K-T8-k16-{at}"),
            POINTS,
        )
        for at, name in (("eclean", "clean"), ("e16", "step l.l."))
        for k in ("24", "32")
    ]


def interval_table(study: Study) -> list[Part]:
    """K24: the 95 % interval of 50,000 images, at Table 5's clean accuracy."""
    return [
        shown("the paper's Table 5, no adversarial training", "clean accuracy", _of(study, "K-T5-none-eclean"), PERCENT)
    ]


def with_tables(tables: Shown, reason: str) -> Check:
    """A claim that is not run, with the paper's own numbers shown."""
    return lambda study: Finding(tuple(tables(study)), reason)


def beside_tables(check: Check, tables: Shown) -> Check:
    """A claim judged on an analogue, with the paper's own numbers shown beside it."""

    def both(study: Study) -> Finding:
        found = check(study)
        return Finding((*found.parts, *tables(study)), found.missing, found.is_analogue, found.remark)

    return both


def _of(study: Study, row: str) -> Estimate:
    return proportion(study.paper[row] / 100, N_IMAGES)


def _change(study: Study, first: str, second: str) -> Estimate:
    return difference(_of(study, first), _of(study, second))
