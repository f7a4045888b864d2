"""Verdicts on exponents: as laws, as printed, on straightness; of nets together, and of the gaps between logits."""

import pytest
from claim_laws import by_attack, exponent, exponents, gap, line, lines, paired, pooled, share, shuffled, tails
from claim_tables import CLAIMS, JUDGES, a_study, analogue, frame, model, verdict

from advlaw.claims.judge import judge
from advlaw.claims.wording import displayed
from advlaw.papers.ranges import LEAST_LIKELY, PAPER_VALUES, POPULATION_RANGES, TRUE_LABEL


def test_resnet32_needs_its_depth_its_accuracy_and_its_exponent():
    row = exponent("fgsm", 0.99, 0.004, sweep="resnet32", arch="resnet", dataset="cifar10")
    for depth, accuracy, wanted in ((32, 0.926, "holds"), (8, 0.926, "not run"), (32, 0.8, "fails")):
        models = [model("resnet32", accuracy, dataset="cifar10", arch="resnet")]
        study = a_study(exponents(row) | {"models": models}, nets={"resnet32": {"depth": depth}})
        assert verdict("C12", study) == wanted


@pytest.mark.parametrize(("slope", "p_value", "as_printed", "straight"), [
    (0.99, 0.5, "holds", "inconclusive"),  # nothing says how little it bends
    (1.098, 0.5, "fails", "inconclusive"),  # not 0.99 to the digits printed, whatever the slack
    (0.99, 3e-15, "holds", "fails"),
])  # fmt: skip
def test_what_is_printed_of_resnet32_is_judged_over_the_printed_range(slope, p_value, as_printed, straight):
    about = {"curve": "resnet32/fgsm", "model": "resnet32", "arch": "resnet", "dataset": "cifar10"}
    study = a_study(lines(line("fgsm", slope, 0.004, p_value, **about)), nets={"resnet32": {"depth": 32}})
    found = JUDGES["C12"](study).concluded
    assert (found["as_a_law"], found["as_printed"], found["straight"]) == ("", as_printed, straight)


def found_of(claim, tables):
    """The verdicts of a claim as a law, as printed and on straightness."""
    found = JUDGES[claim](a_study(tables)).concluded
    return found["verdict"], found["as_a_law"], found["as_printed"], found["straight"]


def test_an_exponent_has_a_verdict_as_a_law_and_one_as_printed():
    tables = exponents(exponent("fgsm", 1.1)) | lines(line("fgsm", 3.0))
    assert found_of("C01", tables) == ("holds", "holds", "fails", "holds")
    tables = exponents(exponent("fgsm", 1.7, p_straight=1e-6)) | lines(line("fgsm", 1.1))
    assert found_of("C01", tables) == ("fails", "fails", "holds", "fails")
    assert found_of("C19", {})[1:] == ("", "", "")


def test_a_curve_that_bends_may_still_be_a_law_at_small_eps():
    tables = exponents(exponent("fgsm", 1.1, p_straight=1e-6))
    assert found_of("C01", tables) == ("holds", "holds", "", "fails")


def test_slopes_of_the_visible_range_are_judged_as_printed_with_laws_beside():
    law = exponents(exponent("fgsm", 1.0, 0.01, sweep="fc_shuffled", labels="shuffled", split="train"))
    assert found_of("C13", shuffled(1.2) | law)[:3] == ("holds", "fails", "holds")
    assert found_of("C14", by_attack(1.2) | exponents(exponent("fgsm", 1.0, 0.01)))[:3] == ("holds", "fails", "holds")


def test_the_mean_slope_is_never_judged():
    means = [row | {"estimator": "mean_slope"} for row in line("fgsm", 9.0)]
    study = a_study(exponents(exponent("fgsm", 1.05)) | {"exponents": means})
    for claim in ("C01", "C10", "C13", "C14"):
        assert all(part.estimate.value < 2 for part in JUDGES[claim](study).parts)


def test_a_fit_that_is_rejected_cannot_hold():
    """Its interval is that of no law that fits; it may still exclude the paper's range."""
    unfit = {"remark": "the fit is rejected"}
    assert verdict("C01", a_study(exponents(exponent("fgsm", 1.1, **unfit)))) == "inconclusive"
    assert verdict("C01", a_study(exponents(exponent("fgsm", 1.7, **unfit)))) == "fails"
    repairs = {"remark": "repairs more at small eps"}
    assert verdict("C02", a_study(exponents(exponent("step_ll", 9.0, **repairs)))) == "inconclusive"


def test_one_curve_of_many_fails_at_an_interval_adjusted_for_all():
    curve = exponent("fgsm", 1.42, 0.11)
    assert verdict("C01", a_study(exponents(curve))) == "fails"
    others = [exponent("l2", 1.1, sweep=f"net{i}") for i in range(9)]
    assert verdict("C01", a_study(exponents(curve, *others))) == "inconclusive"


def test_an_open_end_of_an_interval_leaves_its_claim_open():
    bound = {"exponent_low": 0.0}
    assert verdict("C01", a_study(exponents(exponent("fgsm", 0.1, **bound)))) == "inconclusive"
    assert verdict("C01", a_study(exponents(exponent("fgsm", 9.0, exponent_high=None)))) == "inconclusive"


def test_the_order_of_attacks_is_judged_on_the_same_images():
    """As independent numbers 1.1 +- 0.3 and 1.0 +- 0.3 have no order; their paired difference does."""
    laws = exponents(exponent("fgsm", 1.1, 0.3), exponent("l2", 1.0, 0.3))
    turned = paired(-0.1, curve="fc/l2", other="fc/fgsm")
    for pair, wanted in (
        (paired(0.1), "holds"),
        (turned, "holds"),
        (paired(0.0), "fails"),  # the same to less than the paper's digits
        (paired(0.05), "inconclusive"),
    ):
        (part,) = (part for part in JUDGES["C14"](a_study(laws | pair)).parts if "difference" in part.quantity)
        assert (part.subject, part.verdict) == ("fc, fgsm minus l2", wanted)
    assert not any("difference" in part.quantity for part in JUDGES["C14"](a_study(laws)).parts)
    far = paired(0.1, curve="fc/step_ll")
    assert len(JUDGES["C14"](a_study(exponents(*laws["laws/exponents"], exponent("step_ll", 2.3)) | far)).parts) == 3


def test_sampled_nets_are_judged_by_one_likelihood_and_by_whether_they_share_an_exponent():
    """Single estimates scatter from 0.83 to 1.21 by chance alone, though all nets have an exponent of 1."""
    assert verdict("C10", a_study(pooled(1.0))) == "holds"
    assert [found_of("C11", tables)[:3] for tables in (pooled(1.0), pooled(1.0, p_equal=0.001), share(0.8))] == [
        ("holds", "holds", ""), ("fails", "fails", ""), ("not run", "", "holds"),
    ]  # fmt: skip
    seeds = pooled(1.0, set="seeds") | {"trials/sets": [{"set": "seeds", "kind": "varied", "dataset": "mnist"}]}
    assert ("100 seeds of one net", "holds") in [
        (one.subject, one.verdict) for one in JUDGES["C01"](a_study(seeds)).parts
    ]
    assert verdict("C11", a_study(seeds)) == "not run"  # not drawn at random
    for part in ({"share": 0.05}, {"nets": "fc"}, {"attack": "l2"}, {"set": "none"}):
        assert verdict("C11", a_study(pooled(1.0, **part))) == "not run"


@pytest.mark.parametrize(("of_two", "wanted"), [
    ({}, "holds"),
    ({"remark": "the fit is rejected"}, "inconclusive"),
    ({"n_gaps": 100}, "inconclusive"),
    ({"exponent_low": -1.0}, "inconclusive"),  # an end that was not found
])  # fmt: skip
def test_laws_of_gaps_are_trusted_as_those_of_curves_are(of_two, wanted):
    _, *others = tails(0.0)
    assert verdict("C22", a_study({"theory/gap_laws": [gap(2, 0.0, **of_two), *others]})) == wanted


def test_claims_on_gaps_are_not_run_where_gaps_have_no_laws():
    old = {"theory/gap_exponents": [gap(2, 0.0, epoch=1), *tails(0.0)], "models": [model("fc")]}
    for claim in ("C22", "C24", "C29"):
        found = JUDGES[claim](a_study(old)).concluded
        assert (found["verdict"], "theory/gap_laws.csv" in found["reason"]) == ("not run", True)


def test_a_curve_with_too_few_errors_leaves_its_claim_open():
    missing = dict.fromkeys(("exponent", "exponent_low", "exponent_high"))
    study = a_study(exponents(exponent("fgsm", 1.0) | missing))
    assert verdict("C01", study) == "inconclusive"
    rows, parts = (frame(rows) for rows in judge(study, {"C01": JUDGES["C01"]}, {}))
    assert "too few" in displayed(rows, parts, CLAIMS)[0]["measured"]


def test_sampled_nets_on_other_data_do_not_count_beside_named_ones_on_mnist():
    tables = pooled(1.4)
    assert verdict("C10", a_study(tables, dataset="digits")) == "holds"
    tables["laws/exponents"][0]["dataset"] = "digits"
    assert analogue("C10", a_study(tables, dataset="digits")) == "fails"


def test_ranges_are_those_that_figures_and_tables_draw():
    """What checks.csv judges exponents against is also in advlaw.papers, for what is drawn beside them."""
    for claim, attack, wanted in (("C01", "fgsm", TRUE_LABEL), ("C02", "step_ll", LEAST_LIKELY)):
        (part, *_) = JUDGES[claim](a_study(exponents(exponent(attack, 1.0)))).parts
        assert part.allowed == wanted, attack
    assert {part.allowed for part in JUDGES["C10"](a_study(pooled(1.0))).parts if part.question == "as a law"} == {
        POPULATION_RANGES["fgsm"]
    }
    for (_, labels, attack), value in PAPER_VALUES.items():
        split = "train" if labels == "shuffled" else "test"
        curve = a_study(lines(line(attack, 1.0, labels=labels, split=split)))
        (part,) = JUDGES["C13" if labels == "shuffled" else "C14"](curve).parts
        assert sum(part.allowed) / 2 == pytest.approx(value)
