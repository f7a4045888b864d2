"""Claims about the entropy penalty and adversarial training, with what strong attacks say (Cubuk 3.2, Kurakin 4).

A gain is judged at the eps where the weak attack, step l.l., takes at least 5 points from the baseline: below, there is
nothing to gain.
"""

import math

from advlaw.claims.finding import (
    MARGIN,
    PERCENT,
    POINTS,
    Estimate,
    Finding,
    Part,
    above,
    difference,
    inside,
    no_gain,
    proportion,
    shown,
)
from advlaw.claims.pairs import one_step_trained, penalised, weight
from advlaw.claims.study import Evidence, by_curve, estimate, near, number
from advlaw.core.io import Row

HURTS = 0.05
WORST, TRANSFERRED, CLEAN = "worst case", "transferred", "clean"
CLIPPED = "gain under step l.l. clipped to [0, 255]"


def penalty_raises_accuracy(study: Evidence) -> Finding:
    """C25: the entropy penalty raises accuracy under step l.l., with and without adversarial training."""
    rows = [row for row in _gains(study) if row["net"] in _with_penalty(study) and not _is_wide_resnet(study, row)]
    missing = "no net trained with the entropy penalty and attacked beside its baseline in this study"
    return Finding(_gain_parts(study, rows), missing, _is_smaller(study, rows, "mnist"))


def penalty_on_wide_resnet(study: Evidence) -> Finding:
    """C28: on a Wide ResNet (28-10, 100 epochs) as well, at no cost in clean accuracy."""
    rows = [row for row in _gains(study) if row["net"] in _with_penalty(study) and _is_wide_resnet(study, row)]
    parts: list[Part] = []
    for net, baseline in dict.fromkeys((row["net"], row["baseline"]) for row in rows):
        change = _clean_change(study, net, baseline)
        parts.append(above(net, "change of clean accuracy", change, -MARGIN, unit=POINTS))
    sizes = [study.sizes(row["net"]) for row in rows]
    is_full = all((size.get("depth"), size.get("width")) == (28, 10) and size["epochs"] >= 100 for size in sizes)
    missing = "no Wide ResNet trained with and without the entropy penalty in this study"
    return Finding((*parts, *_gain_parts(study, rows)), missing, not is_full)


def cost_of_penalty(study: Evidence) -> Finding:
    """C26: on permutation-invariant MNIST it costs 0.8 points of clean accuracy; judged within 0.4 points of that."""
    parts, rows = [], []
    for net, baseline in penalised(study, {row["model"] for row in study.rows("models", arch="fc")}):
        if study.model(net)["defence"] == "entropy":
            rows.append({"net": net})
            found = _clean_change(study, net, baseline)
            parts.append(inside(net, "change of clean accuracy", found, (-0.012, -0.004), unit=POINTS))
    missing = "no fully connected net with the entropy penalty in this study"
    return Finding(tuple(parts), missing, _is_smaller(study, rows, "mnist"))


def pgd_curves(study: Evidence) -> Finding:
    """C27: PGD accuracy with and without training on step l.l. examples; the paper draws curves without a number."""
    parts = []
    nets = {net for pair in one_step_trained(study) for net in pair if study.model(net)["arch"] == "fc"}
    for curve, rows in by_curve(study.rows("error_curves", attack="pgd")).items():
        if rows[0]["model"] in nets:
            for row in filter(None, (near(rows, "eps", eps) for eps in (8.0, 16.0, 32.0))):
                found = Estimate(number(row, "accuracy"))
                parts.append(shown(curve, f"accuracy under PGD of eps = {number(row, 'eps'):.2g}", found, unit=PERCENT))
    missing = "the paper draws both curves and states nothing of them that could fail; they are measured, not judged"
    return Finding(tuple(parts), missing if parts else "no net with and without training on step l.l. examples")


def no_black_box_gain(study: Evidence) -> Finding:
    """C30: the penalty brings no significant gain against transferred attacks: at most 2 points.

    Only nets that are attacked from the same source as their baseline can be compared.
    """
    parts, judged = [], []
    gains = [row for row in _gains(study) if row["net"] in _with_penalty(study)]
    for row in gains:
        net, baseline = row["net"], row["baseline"]
        if study.sources.get(net) != study.sources.get(baseline):
            continue
        judged.append(row)
        for ours in study.rows("worst_case/accuracy", net=net, role=TRANSFERRED, eps=row["eps"]):
            (theirs,) = study.rows("worst_case/accuracy", net=baseline, attack=ours["attack"], eps=row["eps"])
            change = difference(_accuracy(ours), _accuracy(theirs))
            subject = f"{net}, eps = {row['eps']}, {ours['attack'].rpartition('.')[2]}"
            parts.append(no_gain(subject, "gain under transferred attacks", change))
    missing = "no net with the entropy penalty that is attacked from the same source as its baseline in this study"
    remark = "nets whose baseline is attacked from another source are left out" if len(judged) < len(gains) else ""
    return Finding(tuple(parts), missing, _is_smaller(study, judged, "mnist"), remark)


def helps_at_large_eps_only(study: Evidence) -> Finding:
    """C09: training on one-step examples helps under FGSM of eps in [0.2, 32], and not below.

    ImageNet nets lose 10 to 25 % at 0.2. Pixels of other data differ, so that here the small eps is where the baseline
    loses 5 % (no difference is claimed) and the large one is 32 (a gain is).
    """
    curves = {rows[0]["model"]: rows for rows in by_curve(study.rows("error_curves", attack="fgsm")).values()}
    parts = []
    for net, baseline in one_step_trained(study):
        if net not in curves or baseline not in curves:
            continue
        points = {row["eps"]: row for row in curves[net]}
        for name, found in (("small", _hurt_first(curves[baseline])), ("large", near(curves[baseline], "eps", 32.0))):
            if found is None or found["eps"] not in points:
                continue
            errors = [estimate(row, "net_error", "net_low", "net_high") for row in (found, points[found["eps"]])]
            gain, subject = difference(*errors), f"{net}, eps = {number(found, 'eps'):.2g}"
            quantity = f"error avoided at {name} eps"
            parts.append(
                no_gain(subject, quantity, gain) if name == "small" else above(subject, quantity, gain, unit=POINTS)
            )
    missing = "no net with and without training on one-step examples under FGSM in this study"
    return Finding(tuple(parts), missing, is_analogue=True, remark=_no_imagenet(parts))


def _hurt_first(curve: list[Row]) -> Row | None:
    """The point of a curve whose error is nearest to 5 %, in logarithms."""
    positive = [row for row in curve if number(row, "net_error") > 0]
    return min(positive, key=lambda row: abs(math.log(number(row, "net_error") / HURTS)), default=None)


def adversarial_training_costs_little(study: Evidence) -> Finding:
    """K10: training on one-step examples costs less than a point of clean accuracy."""
    parts = [
        above(net, "change of clean accuracy", _clean_change(study, net, baseline), -0.01, unit=POINTS)
        for net, baseline in one_step_trained(study)
    ]
    missing = "no net with and without training on one-step examples in this study"
    return Finding(tuple(parts), missing, is_analogue=True, remark=_no_imagenet(parts))


def none_against_iterative(study: Evidence) -> Finding:
    """K13: training on one-step examples gives no robustness to iterative attacks: PGD's accuracy at most 2 points up.

    The paper's own Table 2 has a gain of 5.8 points under iter. l.l. of eps = 2.
    """
    parts = []
    pairs = one_step_trained(study)
    for row in (row for row in _gains(study) if (row["net"], row["baseline"]) in pairs and _is_hurt(study, row)):
        for ours in study.rows("worst_case/accuracy", net=row["net"], attack="iterative.pgd_restarts", eps=row["eps"]):
            (theirs,) = study.rows("worst_case/accuracy", net=row["baseline"], attack=ours["attack"], eps=row["eps"])
            change = difference(_accuracy(ours), _accuracy(theirs))
            parts.append(no_gain(f"{row['net']}, eps = {row['eps']}", "gain under PGD", change))
    missing = "no net trained on one-step examples and attacked beside its baseline in this study"
    return Finding(tuple(parts), missing, is_analogue=True, remark=_no_imagenet(parts))


def none_from_iterative_training(study: Evidence) -> Finding:
    """K14: training on iterative examples brought no gain: worst-case accuracies at most 2 points up."""
    parts = []
    iterative = {name for name, net in study.robust_models.items() if net.adversarial.family == "iterative"}
    for row in (row for row in _gains(study) if row["net"] in iterative and _is_hurt(study, row)):
        found = estimate(row, "worst_gain", n="n_images")
        parts.append(no_gain(f"{row['net']}, eps = {row['eps']}", "gain in the worst case", found))
    missing = "no net trained on iterative examples and attacked beside its baseline in this study"
    remark = _no_imagenet(parts) and "nets on small images in place of ImageNet's; Madry et al. (2018) found a gain too"
    return Finding(tuple(parts), missing, is_analogue=True, remark=remark)


def _no_imagenet(parts: list[Part]) -> str:
    return "nets on small images in place of ImageNet's" if parts else ""


def _gains(study: Evidence) -> list[Row]:
    return study.rows("worst_case/gains")


def _gain_parts(study: Evidence, rows: list[Row]) -> tuple[Part, ...]:
    """Gains under step l.l. with their verdicts, which heed the worst case; beside each, the worst case's."""
    parts = []
    for row in rows:
        subject, weak = f"{row['net']}, eps = {row['eps']}", estimate(row, "weak_gain", n="n_images")
        if _is_hurt(study, row):
            parts.append(Part(subject, CLIPPED, weak, (0.0, math.inf), row["verdict"], unit=POINTS))
            parts.append(
                shown(subject, "gain in the worst case", estimate(row, "worst_gain", n="n_images"), unit=POINTS)
            )
        else:
            parts.append(shown(subject, "gain where step l.l. does little", weak, unit=POINTS))
        if change := _unclipped(study, row):
            parts.append(shown(subject, "gain under step l.l. that is not clipped, all images", change, unit=POINTS))
    return tuple(parts)


def _unclipped(study: Evidence, gain: Row) -> Estimate | None:
    """The same gain from the sweeps, whose images are not clipped to [0, 255], at nearly the same eps."""
    found = []
    for net in (gain["net"], gain["baseline"]):
        curve = study.rows("error_curves", model=net, attack="step_ll", split="test")
        counts = [int(row["n_images"]) for row in study.rows("exponents", model=net, attack="step_ll", split="test")]
        row = near(curve, "eps", float(gain["eps"]))
        if row is None or not counts:
            return None
        found.append(proportion(number(row, "accuracy"), counts[0]))
    return difference(*found)


def _is_hurt(study: Evidence, gain: Row) -> bool:
    """Whether the weak attack takes enough from the baseline, at this eps, for a defence to give back."""
    (clean,) = study.rows("worst_case/accuracy", net=gain["baseline"], role=CLEAN)
    (weak,) = study.rows("worst_case/accuracy", net=gain["baseline"], role="weak", eps=gain["eps"])
    return number(clean, "accuracy") - number(weak, "accuracy") >= HURTS


def _with_penalty(study: Evidence) -> set[str]:
    return {row["model"] for row in study.rows("models") if weight(row) > 0}


def _is_wide_resnet(study: Evidence, gain: Row) -> bool:
    return study.model(gain["net"]).get("arch") == "wide_resnet"


def _is_smaller(study: Evidence, rows: list[Row], dataset: str) -> bool:
    return not any(study.model(row["net"]).get("dataset") == dataset for row in rows)


def _accuracy(row: Row) -> Estimate:
    return estimate(row, "accuracy", "low", "high", "n_images")


def _clean_change(study: Evidence, net: str, baseline: str) -> Estimate:
    """Test accuracy minus the baseline's, from all test images that a sweep of either net saw."""
    counts = {row["model"]: int(row["n_images"]) for row in study.rows("exponents", split="test")}
    n_images = counts.get(net) or counts.get(baseline) or 0
    if not n_images:
        return Estimate(math.nan)
    ours, theirs = (proportion(number(study.model(name), "test_accuracy"), n_images) for name in (net, baseline))
    return difference(ours, theirs)
