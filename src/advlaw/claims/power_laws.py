"""Claims about the form of the adversarial error: exponents, nets drawn at random, the plateau (Cubuk Sec. 1 and 2)."""

import math
from dataclasses import replace

from advlaw.claims.finding import (
    PERCENT,
    Estimate,
    Finding,
    Part,
    above,
    difference,
    exponent_in,
    inside,
    papers_way,
    proportion,
    shown,
)
from advlaw.claims.study import Evidence, by_curve, estimate, is_analogue, near, number, preferring
from advlaw.core.io import Row
from advlaw.papers.ranges import LEAST_LIKELY, PAPER_VALUES, POPULATION_RANGES, TRUE_LABEL

EXPONENT, STRAIGHT = "exponent", "exponent by least squares"
MNIST_BY_ATTACK = {attack: value for (_, labels, attack), value in PAPER_VALUES.items() if labels == "original"}
SHUFFLED = PAPER_VALUES["mnist", "shuffled", "fgsm"]
SMALLEST = 0.8  # clean accuracy of nets that Cubuk Fig. 10 draws
TOLERANCE = 0.15  # of a single value that the paper gives
IMAGENET = "no ImageNet nets in this study"


def reported(study: Evidence, *attacks: str, labels: str = "original") -> list[Row]:
    """The judged exponent of every curve of these attacks."""
    return [row for row in study.rows("exponents", is_reported="true", labels=labels) if row["attack"] in attacks]


def imagenet(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row["dataset"].startswith("imagenet")]


def exponents_in(study: Evidence, rows: list[Row], allowed: tuple[float, float]) -> tuple[Part, ...]:
    """The judged exponents of these curves against a range, then their least-squares ones, which are shown."""
    judged = [exponent_in(row["curve"], EXPONENT, estimate(row, "exponent", n="n_images"), allowed) for row in rows]
    return *judged, *(papers_way(exponent_in(*part, allowed)) for part in straight(study, rows))


def straight(study: Evidence, rows: list[Row]) -> list[tuple[str, str, Estimate]]:
    """Curve, quantity and the papers' own estimate of the same curves, a straight line through log-log points."""
    lines = {row["curve"]: row for row in study.rows("exponents", kind="net", estimator="least_squares")}
    curves = [row["curve"] for row in rows if row["curve"] in lines]
    return [(curve, STRAIGHT, estimate(lines[curve], "exponent", n="n_images")) for curve in curves]


def true_label_attacks(study: Evidence) -> Finding:
    """C01: FGSM, L2 and PGD have exponents of 0.9 to 1.3 on all nets and data."""
    rows = reported(study, "fgsm", "l2", "pgd")
    return Finding(exponents_in(study, rows, TRUE_LABEL), "no sweep with FGSM, L2 or PGD in this study")


def least_likely(study: Evidence) -> Finding:
    """C02: step l.l. has exponents of 1.8 to 2.5."""
    rows = reported(study, "step_ll")
    return Finding(exponents_in(study, rows, LEAST_LIKELY), "no sweep with step l.l. in this study")


def least_likely_on_mnist_and_cifar10(study: Evidence) -> Finding:
    """C05: the same on MNIST and CIFAR-10."""
    rows = preferring(reported(study, "step_ll"), "mnist", "cifar10")
    parts = exponents_in(study, rows, LEAST_LIKELY)
    return Finding(parts, "no sweep with step l.l. in this study", is_analogue(rows, "mnist", "cifar10"))


def fgsm_on_imagenet(study: Evidence) -> Finding:
    """C03: FGSM on ImageNet has exponents of 0.9 to 1.1."""
    return Finding(exponents_in(study, imagenet(reported(study, "fgsm")), (0.9, 1.1)), IMAGENET)


def least_likely_on_imagenet(study: Evidence) -> Finding:
    """C04: step l.l. on ImageNet has exponents of 1.8 to 2.2."""
    return Finding(exponents_in(study, imagenet(reported(study, "step_ll")), (1.8, 2.2)), IMAGENET)


def imagenet_error_at_a_fifth(study: Evidence) -> Finding:
    """C06: FGSM of eps = 0.2 costs every ImageNet net 10 to 25 % of its accuracy."""
    parts = []
    for curve, rows in by_curve(imagenet(study.rows("error_curves", attack="fgsm"))).items():
        if row := near(rows, "grid_eps", 0.2):
            found = estimate(row, "net_error", "net_low", "net_high")
            parts.append(inside(curve, "error at eps = 0.2", found, (0.10, 0.25), unit=PERCENT))
    return Finding(tuple(parts), IMAGENET)


def sampled_architectures(study: Evidence) -> Finding:
    """C10: FGSM's exponents of linear, FC and CNN nets and of nets drawn at random on MNIST are 0.9 to 1.2.

    Of the drawn nets above 80 % clean accuracy (the paper's Fig. 10) the 5 % and 95 % quantiles are judged, with
    intervals from order statistics.
    """
    allowed = POPULATION_RANGES["fgsm"]
    named = [row for row in reported(study, "fgsm") if not row["defence"] and row["arch"] in ("linear", "fc", "cnn")]
    named = preferring(named, "mnist")
    parts = list(exponents_in(study, named, allowed))
    drawn = [row for row in study.drawn("nets", attack="fgsm") if number(row, "test_accuracy") > SMALLEST]
    is_smaller = is_analogue(named, "mnist") and study.drawn_dataset != "mnist"
    if drawn and (is_smaller or study.drawn_dataset == "mnist"):
        for share in (0.05, 0.95):
            for column, name in (("gross_exponent", EXPONENT), ("net_ls_exponent", STRAIGHT)):
                values = [number(row, column) for row in drawn if row.get(column)]
                found = quantile(values, share) if values else Estimate(math.nan)
                subject = f"sampled nets, {share:.0%} quantile"
                part = exponent_in(subject, f"{name} of sampled nets", found, allowed)
                parts.append(part if name == EXPONENT else papers_way(part))
    return Finding(tuple(parts), "no net under FGSM in this study", is_smaller)


def quantile(values: list[float], share: float) -> Estimate:
    """A quantile with the 95 % interval that binomial counts give, cut at the smallest and largest value."""
    ordered, n = sorted(values), len(values)
    spread = 1.96 * math.sqrt(n * share * (1 - share))
    places = [math.ceil(n * share) - 1, math.floor(n * share - spread) - 1, math.ceil(n * share + spread)]
    value, low, high = (ordered[min(max(place, 0), n - 1)] for place in places)
    return Estimate(value, low, high, n)


def hundreds_of_nets(study: Evidence) -> Finding:
    """C11: nets drawn at random share the law. The paper gives no share of them: judged is whether most have it."""
    parts = []
    for row in study.drawn("exponents", attack="fgsm", nets="all"):
        found = estimate(row, "share", n="n_nets")
        if row["estimate"] == "gross":
            parts.append(above("sampled nets", "share of exponents in 0.9 to 1.2", found, 0.5, unit=PERCENT))
        elif row["estimate"] == "net_ls":
            parts.append(papers_way(above("sampled nets", "the same by least squares", found, 0.5, unit=PERCENT)))
    n_nets = max((part.estimate.n or 0 for part in parts), default=0)
    remark = f"the paper gives no number; judged is whether most of the nets, here {n_nets}, have such an exponent"
    missing = "no nets drawn at random in this study"
    return Finding(tuple(parts), missing, study.drawn_dataset != "mnist", remark)


def resnet32_on_cifar10(study: Evidence) -> Finding:
    """C12: a ResNet-32 of 92.6 % has an exponent of 0.99 up to eps = 1; judged within 0.6 points and 0.1."""
    rows = [
        row
        for row in reported(study, "fgsm")
        if (row["dataset"], row["arch"]) == ("cifar10", "resnet") and study.sizes(row["model"]).get("depth") == 32
    ]
    clean = {row["model"]: proportion(number(row, "clean_accuracy"), int(row["n_images"])) for row in rows}
    parts = [inside(model, "clean accuracy", found, (0.92, 0.932), unit=PERCENT) for model, found in clean.items()]
    return Finding((*parts, *exponents_in(study, rows, (0.89, 1.09))), "no ResNet-32 on CIFAR-10 in this study")


def shuffled_labels(study: Evidence) -> Finding:
    """C13: FGSM on a net fitted to shuffled labels until all training images are right has an exponent of 1.2.

    Earlier states of such a net, at training accuracies below 100 %, are shown.
    """
    rows = [row for row in reported(study, "fgsm", labels="shuffled") if row["split"] == "train"]
    rows = preferring(rows, "mnist")
    perfect = [row for row in rows if number(row, "train_accuracy") == 1.0]
    earlier = [row for row in rows if row not in perfect]
    parts = [*exponents_in(study, perfect, (SHUFFLED - TOLERANCE, SHUFFLED + TOLERANCE))]
    parts += [
        shown(row["curve"], "exponent before accuracy is perfect", estimate(row, "exponent", n="n_images"))
        for row in earlier
    ]
    parts += [
        shown(curve, "exponent before accuracy is perfect, by least squares", found)
        for curve, _, found in straight(study, earlier)
    ]
    missing = "no net fitted to shuffled labels until its training accuracy was 100 % in this study"
    return Finding(tuple(parts), missing, is_analogue(rows, "mnist"))


def exponents_by_attack(study: Evidence) -> Finding:
    """C14: on a fully connected net L2 has 1.1, FGSM 1.2, PGD 1.3 and step l.l. 2.3, in this order."""
    rows = [row for row in reported(study, *MNIST_BY_ATTACK) if row["arch"] == "fc" and not row["defence"]]
    rows = preferring(rows, "mnist")
    parts: list[Part] = []
    for row in rows:
        value = MNIST_BY_ATTACK[row["attack"]]
        found = estimate(row, "exponent", n="n_images")
        parts.append(exponent_in(row["curve"], EXPONENT, found, (value - TOLERANCE, value + TOLERANCE)))
    for model in dict.fromkeys(row["model"] for row in rows):
        found_of = {row["attack"]: estimate(row, "exponent") for row in rows if row["model"] == model}
        for smaller, larger in (("l2", "fgsm"), ("fgsm", "pgd"), ("pgd", "step_ll")):
            if smaller in found_of and larger in found_of:
                gap = difference(found_of[larger], found_of[smaller])
                parts.append(above(f"{model}, {larger} minus {smaller}", "difference of exponents", gap))
    for curve, quantity, found in straight(study, rows):
        value = MNIST_BY_ATTACK[curve.rpartition("/")[2]]
        allowed = (value - TOLERANCE, value + TOLERANCE)
        parts.append(papers_way(exponent_in(curve, quantity, found, allowed)))
    return Finding(tuple(parts), "no fully connected net in this study", is_analogue(rows, "mnist"))


def plateau(study: Evidence) -> Finding:
    """C15: at large eps the error no longer grows; judged is the slope between the two largest eps of each curve.

    A slope that has not become smaller than the curve's exponent fails; one that has, but is not within 0.1 of zero,
    may still get there beyond the grid. The two errors are taken as independent, which makes the interval too wide.
    """
    curves = by_curve([row for row in study.rows("error_curves", labels="original") if not row["defence"]])
    parts, is_saturated = [], False
    for row in reported(study, "fgsm", "l2", "pgd"):
        last = sorted(curves.get(row["curve"], []), key=lambda point: number(point, "grid_eps"))[-2:]
        if len(last) < 2 or min(number(point, "net_low") for point in last) <= 0:
            continue
        found = _slope(*last)
        part = inside(row["curve"], "slope at the largest eps", found, (-0.1, 0.1))
        if part.verdict == "fails" and found.high < number(row, "exponent"):
            part = replace(part, verdict="inconclusive")
        parts.append(part)
        is_saturated = is_saturated or number(last[-1], "accuracy") < 0.01
    remark = "some of these nets have no image left to break: their errors cannot grow" if is_saturated else ""
    return Finding(tuple(parts), "no sweep with FGSM, L2 or PGD in this study", remark=remark)


def _slope(first: Row, second: Row) -> Estimate:
    """d ln(error) / d ln(eps) between two points of a curve."""
    before, after = (_logarithm(estimate(row, "net_error", "net_low", "net_high")) for row in (first, second))
    step = math.log(number(second, "grid_eps") / number(first, "grid_eps"))
    rise = difference(after, before)
    return Estimate(rise.value / step, rise.low / step, rise.high / step)


def _logarithm(found: Estimate) -> Estimate:
    return Estimate(math.log(found.value), math.log(found.low), math.log(found.high))
