"""Verdicts on the papers' claims: each check on small tables that make it hold, fail and stay open."""

from pathlib import Path

import pytest
from claim_tables import (
    CASES,
    CLAIMS,
    SCALED,
    a_study,
    defended,
    exponent,
    exponents,
    model,
    point,
    population,
    residuals,
    shuffled,
    slope,
    tails,
    texts,
    trained,
    worst_case,
)

from advlaw.attacks.settings import Attacks
from advlaw.claims.finding import Estimate, Finding, above
from advlaw.claims.pairs import one_step_trained, penalised
from advlaw.claims.registry import CHECKS, judge
from advlaw.claims.study import near
from advlaw.claims.wording import sentence
from advlaw.core.section import validate
from advlaw.training.settings import RobustNet


@pytest.mark.parametrize("claim", CASES)
@pytest.mark.parametrize(("case", "wanted"), list(enumerate(("holds", "fails", "inconclusive"))))
def test_a_claim_holds_fails_or_stays_open_as_its_numbers_say(claim, case, wanted):
    study = a_study(CASES[claim][case], sources={"net": "other", "base": "other"})
    assert CHECKS[claim](study).verdict == wanted


@pytest.mark.parametrize("claim", SCALED)
@pytest.mark.parametrize(("case", "wanted"), list(enumerate(("holds", "fails", "inconclusive"))))
def test_a_claim_about_imagenet_is_scaled_on_small_images(claim, case, wanted):
    found = CHECKS[claim](a_study(SCALED[claim][case], robust=trained()))
    assert (found.verdict, found.analogue) == ("scaled", wanted)


@pytest.mark.parametrize(("gain", "wanted"), [(0.0, "holds"), (-0.2, "holds"), (0.2, "fails"), (0.02, "inconclusive")])
def test_gains_that_kurakin_did_not_find(gain, wanted):
    models = [model("base"), model("net", defence="step_ll_clipped")]
    tables = {**worst_case(0.98, 0.5, (0.3, gain, "holds"), pgd=gain), "models": models}
    for claim, family in (("K13", "one_step"), ("K14", "iterative")):
        assert CHECKS[claim](a_study(tables, robust=trained(family=family))).analogue == wanted


@pytest.mark.parametrize(("error", "wanted"), [(0.999, "holds"), (0.5, "fails"), (0.99, "inconclusive")])
def test_iterative_least_likely_attacks_are_read_at_an_eps_of_16(error, wanted):
    rows = [point("fc/iter_ll", eps, accuracy) for eps, accuracy in ((8.0, 0.9), (17.0, 1 - error), (60.0, 0.0))]
    found = CHECKS["K02"](a_study({"error_curves": rows, **exponents(exponent("iter_ll", 2.0))}))
    assert (found.verdict, found.analogue) == ("scaled", wanted)


def test_a_gain_that_strong_attacks_deny_is_masked_and_is_judged_where_the_weak_attack_hurts():
    assert CHECKS["C25"](a_study(defended((0.1, -0.1), "masked"))).verdict == "masked"
    unhurt = {**defended((0.1, -0.1), "masked"), **worst_case(0.98, 0.96, (0.1, -0.1, "masked"))}
    found = CHECKS["C25"](a_study(unhurt))
    assert found.verdict == "not run"
    assert [part.verdict for part in found.parts] == [""]


def test_the_penalty_on_a_wide_resnet_is_scaled_unless_the_net_is_the_papers():
    for sizes, wanted in (
        ({"depth": 10, "width": 2, "epochs": 3}, "scaled"),
        ({"depth": 28, "width": 10, "epochs": 100}, "holds"),
    ):
        tables = defended((0.1, 0.1), "holds", net={"arch": "wide_resnet", "dataset": "cifar10"})
        tables |= exponents(exponent("step_ll", 2.0, sweep="net"), exponent("step_ll", 2.0, sweep="base"))
        found = CHECKS["C28"](a_study(tables, models={"net": sizes}))
        assert (found.verdict, found.found) == (wanted, "holds")
        assert CHECKS["C25"](a_study(tables)).verdict == "not run"


def test_resnet32_needs_its_depth_its_accuracy_and_its_exponent():
    row = exponent("fgsm", 0.97, 0.03, sweep="resnet32", arch="resnet", dataset="cifar10")
    for depth, cells, wanted in ((32, {}, "holds"), (8, {}, "not run"), (32, {"clean_accuracy": "0.8"}, "fails")):
        found = CHECKS["C12"](a_study(exponents(row | cells), models={"resnet32": {"depth": depth}}))
        assert found.verdict == wanted


@pytest.mark.parametrize(("slope", "wanted"), [(2.0, "holds"), (2.6, "holds"), (1.0, "fails")])
def test_what_linear_response_leaves_out_is_of_second_order(slope, wanted):
    assert CHECKS["C16"](a_study(residuals(slope))).verdict == wanted


def test_a_linear_net_leaves_nothing_out():
    rows = [texts(net="linear", slope=None, residual=value) for value in (1e-14, 2e-13)]
    assert CHECKS["C16"](a_study({"theory/residuals": rows})).verdict == "holds"


@pytest.mark.parametrize(
    ("p_value", "constant", "wanted"), [(0.3, 10.0, "holds"), (1e-6, 10, "fails"), (0.3, 9, "fails")]
)
def test_gaps_of_independent_logits_have_the_exact_density(p_value, constant, wanted):
    row = texts(law="uniform", rank=2, constant=constant, chi2_p_value=p_value)
    assert CHECKS["C21"](a_study({"order_statistics/constants": [row]})).verdict == wanted


def test_fewer_independent_logits_than_the_papers_are_an_analogue():
    rows = [row | {"law": "uniform"} for row in tails(0.0, n_gaps=10000)]
    assert CHECKS["C23"](a_study({"order_statistics/exponents": rows})).verdict == "scaled"


def test_settings_are_read_from_the_params():
    for claim in ("C42", "K03", "K04", "K06"):
        assert CHECKS[claim](a_study()).verdict == "holds"
        assert (
            CHECKS[claim](a_study(robust={}, attacks=Attacks(one_step={}, iterative={}, apgd={}, query={}))).verdict
            == "not run"
        )


@pytest.mark.parametrize(
    ("claim", "key", "value"),
    [
        ("K04", "weight", 0.5),
        ("K04", "images", 32),
        ("K06", "eps", {"sigma": 4.0, "largest": 16.0}),
        ("K06", "eps", {"fixed": 16.0}),
    ],
)
def test_another_setting_fails(claim, key, value):
    net = trained()["net"].entry()
    net["adversarial"][key] = value
    assert CHECKS[claim](a_study(robust={"net": validate(net, RobustNet, Path("params.yaml"))})).verdict == "fails"


def test_pgd_training_at_another_eps_fails():
    net = trained(family="iterative")["net"].entry()
    net["adversarial"]["eps"] = {"fixed": 4.0}
    found = CHECKS["C42"](a_study(robust={"net": validate(net, RobustNet, Path("params.yaml"))}))
    assert {part.quantity for part in found.parts if part.verdict == "fails"} == {"eps", "step size"}


def test_a_claim_about_mnist_is_scaled_on_other_data():
    found = CHECKS["C13"](a_study(shuffled(1.2, dataset="digits")))
    assert (found.verdict, found.analogue) == ("scaled", "holds")
    assert found.reason
    states = shuffled(4.0)["exponents"] + [shuffled(1.2)["exponents"][0] | {"train_accuracy": "0.99"}]
    assert CHECKS["C13"](a_study(exponents(*states))).verdict == "fails"  # the earlier state is only shown


def test_least_squares_is_shown_and_not_judged():
    straight = exponent("fgsm", 3.0) | {"kind": "net", "estimator": "least_squares", "is_reported": "false"}
    found = CHECKS["C01"](a_study(exponents(exponent("fgsm", 1.1), straight)))
    assert [part.verdict for part in found.parts] == ["holds", ""]
    assert found.verdict == "holds"


def test_least_squares_has_a_verdict_of_its_own():
    line = {"kind": "net", "estimator": "least_squares", "is_reported": "false"}
    found = CHECKS["C01"](a_study(exponents(exponent("fgsm", 1.7), exponent("fgsm", 1.1) | line)))
    assert (found.verdict, found.least_squares) == ("fails", "holds")
    assert CHECKS["C19"](a_study()).least_squares == ""


def test_points_that_are_far_from_the_wanted_eps_are_not_taken_for_it():
    rows = [texts(eps=eps) for eps in (0.0, 8.0, 14.0, 40.0)]
    assert near(rows, "eps", 16.0) == rows[2]
    assert near(rows, "eps", 32.0) is None
    assert near([], "eps", 32.0) is None


def test_a_plateau_at_no_accuracy_is_said_to_be_one():
    assert CHECKS["C15"](a_study(slope(0.0))).reason == ""
    assert "no image left to break" in CHECKS["C15"](a_study(slope(0.0, accuracy=0.0))).reason


def test_gains_under_unclipped_attacks_are_shown_beside():
    curves = [
        point(f"{net}/step_ll", 16.0, value) | texts(split="test") for net, value in (("net", 0.6), ("base", 0.5))
    ]
    tables = exponents(exponent("step_ll", 2.0, sweep="net"), exponent("step_ll", 2.0, sweep="base"))
    found = CHECKS["C25"](a_study({**defended((0.1, 0.1), "holds"), **tables, "error_curves": curves}))
    (part,) = (part for part in found.parts if "not clipped" in part.quantity)
    assert (part.verdict, part.estimate.value) == ("", pytest.approx(0.1))


def test_a_curve_with_too_few_errors_leaves_its_claim_open():
    row = exponent("fgsm", 1.0) | {"exponent": "", "exponent_low": "", "exponent_high": ""}
    found = CHECKS["C01"](a_study(exponents(row)))
    assert found.verdict == "inconclusive"
    assert "too few" in sentence(found.parts)


def test_sampled_nets_of_too_few_errors_leave_their_claim_open():
    tables = population(0.95, 1.15)
    for row in tables["trials/sampled/nets"]:
        row |= {"gross_exponent": "", "net_ls_exponent": ""}
    assert CHECKS["C10"](a_study(tables)).verdict == "inconclusive"


def test_transferred_attacks_are_compared_from_one_source_alone():
    tables = defended((0.0, 0.0), "inconclusive")
    assert CHECKS["C30"](a_study(tables, sources={"net": "base", "base": "other"})).verdict == "not run"


def test_nets_are_compared_with_their_declared_baselines_by_the_defence_between_them():
    rows = [model("other"), model("base"), model("net", entropy_weight=4.5, defence="entropy")]
    rows += [
        model("both", entropy_weight=4.5, adversarial_images=0.5, defence="x + entropy"),
        model("robust", adversarial_images=0.5, defence="x"),
        model("alone", adversarial_images=0.5, defence="x"),
        model("twice", entropy_weight=4.5, adversarial_images=0.5, defence="x + entropy"),
    ]
    baselines = {"net": "base", "both": "robust", "robust": "base", "twice": "base", "other": "nowhere"}
    study = a_study({"models": rows}, robust=trained("robust") | trained("alone"), baselines=baselines)
    assert penalised(study, {row["model"] for row in rows}) == [("net", "base"), ("both", "robust")]
    assert penalised(study, {"net", "both", "robust"}) == [("both", "robust")]
    assert one_step_trained(study) == [("robust", "base")]


def test_every_claim_has_a_check_and_a_reason_where_nothing_was_measured():
    assert [row["id"] for row in CLAIMS] == [f"C{i:02d}" for i in range(1, 43)] + [f"K{i:02d}" for i in range(1, 25)]
    assert set(CHECKS) == {row["id"] for row in CLAIMS}
    empty = a_study(robust={}, attacks=Attacks(one_step={}, iterative={}, apgd={}, query={}))
    for claim, check in CHECKS.items():
        found = check(empty)
        assert found.verdict == "not run", claim
        assert found.reason, claim


def test_a_claim_without_a_check_is_named():
    with pytest.raises(ValueError, match="C99: no check"):
        judge(a_study(), [CLAIMS[0] | {"id": "C99"}])


def test_the_papers_tables_agree_with_what_the_paper_says_of_them():
    study = a_study()
    at = {
        (part.subject, part.quantity): part.estimate
        for claim in ("K10", "K13", "K18")
        for part in CHECKS[claim](study).parts
    }
    assert at["the paper's Table 1, Inception v3", "change of clean accuracy"].value == pytest.approx(-0.008)
    assert at["the paper's Table 1, two blocks deeper", "change of clean accuracy"].value == pytest.approx(-0.006)
    assert at["the paper's Table 5, fgsm", "change of clean accuracy"].value == pytest.approx(-0.019)
    basic = [found.value for (_, quantity), found in at.items() if quantity == "gain under iter. basic"]
    assert (min(basic), max(basic)) == pytest.approx((-0.029, -0.014))


def test_a_finding_says_why_it_was_not_judged_or_what_to_know():
    assert Finding((), "no net").reason == "no net"
    judged = (above("a", "b", Estimate(1.0, 0.5, 1.5)),)
    assert Finding(judged, "no net", remark="in L2").reason == "in L2"
    assert Finding(judged, "no net").reason == ""
