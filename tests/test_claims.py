"""Verdicts on the papers' claims: each check on small tables that make it hold, fail and stay open."""

from pathlib import Path

import pytest
from claim_laws import (
    exponent,
    exponents,
    gap,
    lines,
    shuffled,
    tails,
)
from claim_tables import (
    CASES,
    CLAIMS,
    JUDGES,
    ROOT,
    SCALED,
    a_study,
    analogue,
    defended,
    frame,
    model,
    official,
    pgd_curves,
    point,
    residuals,
    slope,
    trained,
    verdict,
    worst_case,
)

from advlaw.attacks.settings import Attacks
from advlaw.claims.defences import nets
from advlaw.claims.printed import printed_parts
from advlaw.claims.study import nearest
from advlaw.core.section import validate
from advlaw.core.tables import records
from advlaw.training.settings import RobustNet

NO_ATTACKS = Attacks(one_step={}, iterative={}, apgd={}, query={})


@pytest.mark.parametrize("claim", CASES)
@pytest.mark.parametrize(("case", "wanted"), list(enumerate(("holds", "fails", "inconclusive"))))
def test_a_claim_holds_fails_or_stays_open_as_its_numbers_say(claim, case, wanted):
    study = a_study(CASES[claim][case], sources={"net": "other", "base": "other"})
    assert verdict(claim, study) == wanted


@pytest.mark.parametrize("claim", SCALED)
@pytest.mark.parametrize(("case", "wanted"), list(enumerate(("holds", "fails", "inconclusive"))))
def test_a_claim_about_imagenet_is_scaled_on_small_images(claim, case, wanted):
    assert analogue(claim, a_study(SCALED[claim][case], robust=trained())) == wanted


@pytest.mark.parametrize(("gain", "wanted"), [(0.0, "holds"), (-0.2, "holds"), (0.2, "fails"), (0.02, "inconclusive")])
def test_gains_that_kurakin_did_not_find(gain, wanted):
    models = [model("base"), model("net", defence="step_ll_clipped")]
    tables = {**worst_case(0.98, 0.5, (0.3, gain, "holds"), pgd=gain), "models": models}
    for claim, family in (("K13", "one_step"), ("K14", "iterative")):
        assert analogue(claim, a_study(tables, robust=trained(family=family))) == wanted


@pytest.mark.parametrize(("error", "wanted"), [(0.999, "holds"), (0.5, "fails"), (0.99, "inconclusive")])
def test_iterative_least_likely_attacks_are_read_at_an_eps_of_16(error, wanted):
    rows = [point("fc/iter_ll", eps, accuracy) for eps, accuracy in ((8.0, 0.9), (17.0, 1 - error), (60.0, 0.0))]
    assert analogue("K02", a_study({"error_curves": rows})) == wanted
    rows.append(point("inception/iter_ll", 16.0, 0.0))
    models = [model("fc"), model("inception", **official("inception_v3.tf_in1k"))]
    assert (
        verdict("K02", a_study({"error_curves": rows, "models": models})) == "holds"
    )  # the paper's, which counts alone


def test_a_gain_that_strong_attacks_deny_is_masked_and_is_judged_where_the_weak_attack_hurts():
    assert verdict("C25", a_study(defended((0.1, -0.1), "masked"))) == "masked"
    unhurt = {**defended((0.1, -0.1), "masked"), **worst_case(0.98, 0.96, (0.1, -0.1, "masked"))}
    found = JUDGES["C25"](a_study(unhurt))
    assert found.concluded["verdict"] == "not run"
    assert [part.verdict for part in found.parts] == [""]


def test_the_penalty_on_a_wide_resnet_is_scaled_unless_the_net_is_the_papers():
    for sizes, epochs, wanted in (({"depth": 10, "width": 2}, 3, "scaled"), ({"depth": 28, "width": 10}, 100, "holds")):
        tables = defended((0.1, 0.1), "holds", net={"arch": "wide_resnet", "dataset": "cifar10", "epochs": epochs})
        tables |= exponents(exponent("step_ll", 2.0, sweep="net"), exponent("step_ll", 2.0, sweep="base"))
        found = JUDGES["C28"](a_study(tables, nets={"net": sizes})).concluded
        assert (found["verdict"], found["analogue"]) == (wanted, "holds" if wanted == "scaled" else "")
        assert verdict("C25", a_study(tables)) == "not run"


@pytest.mark.parametrize(("slope", "wanted"), [(2.0, "holds"), (2.6, "holds"), (1.0, "fails")])
def test_what_linear_response_leaves_out_is_of_second_order(slope, wanted):
    assert verdict("C16", a_study(residuals(slope))) == wanted


@pytest.mark.parametrize(("residual", "wanted"), [(2e-13, "holds"), (1e-3, "fails")])
def test_a_linear_net_leaves_nothing_out(residual, wanted):
    assert verdict("C16", a_study(residuals(None, None, residual=residual))) == wanted


@pytest.mark.parametrize(
    ("p_value", "constant", "wanted"), [(0.3, 10.0, "holds"), (1e-6, 10, "fails"), (0.3, 9, "fails")]
)
def test_gaps_of_independent_logits_have_the_exact_density(p_value, constant, wanted):
    row = {"law": "uniform", "rank": 2, "constant": constant, "chi2_p_value": p_value}
    assert verdict("C21", a_study({"order_statistics/constants": [row]})) == wanted


def test_fewer_independent_logits_than_the_papers_are_an_analogue():
    rows = [row | {"law": "uniform"} for row in tails(0.0, n_gaps=10000)]
    assert analogue("C23", a_study({"order_statistics/exponents": rows})) == "holds"


def test_a_slope_of_independent_gaps_is_that_of_the_smallest_share_for_rank_2_and_the_largest_for_others():
    rows = [gap(2, 0.9, share=0.1), gap(2, 0.0, share=0.03, n_gaps=300), gap(2, 0.9, share=0.01, n_gaps=100)]
    rows += [gap(3, 1.0, share=0.1), gap(3, -1.0, share=0.03, n_gaps=300)]
    rows = [row | {"law": "uniform"} for row in rows]
    assert analogue("C23", a_study({"order_statistics/exponents": rows})) == "holds"
    assert analogue("C23", a_study({"order_statistics/exponents": [rows[0], *rows[2:]]})) == "fails"


def test_errors_are_predicted_at_the_smallest_eps_with_a_hundred_of_them():
    rows = [{"net": "fc", "attack": "l2", "eps": eps, "measured": m} for eps, m in ((1.0, 0.01), (0.5, 0.0099))]
    rows = [row | {"measured_low": row["measured"], "measured_high": row["measured"]} for row in rows]
    tables = {"theory/curves": [rows[0] | {"mean_field": 0.01}, rows[1] | {"mean_field": 0.9}]}
    tables |= {"theory/predictions": [{"net": "fc", "attack": "l2", "n_images": 10000}]}
    assert verdict("C20", a_study(tables)) == "holds"


def test_settings_are_read_from_the_params():
    for claim in ("C42", "K03", "K04", "K06"):
        assert verdict(claim, a_study()) == "holds"
        assert verdict(claim, a_study(robust={}, attacks=NO_ATTACKS)) == "not run"


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
    assert verdict(claim, a_study(robust={"net": validate(net, RobustNet, Path("params.yaml"))})) == "fails"


def test_pgd_training_at_another_eps_fails():
    net = trained(family="iterative")["net"].entry()
    net["adversarial"]["eps"] = {"fixed": 4.0}
    found = JUDGES["C42"](a_study(robust={"net": validate(net, RobustNet, Path("params.yaml"))}))
    assert {part.quantity for part in found.parts if part.verdict == "fails"} == {"eps", "step size"}


def test_a_claim_about_mnist_is_scaled_on_other_data():
    study = a_study(shuffled(1.2, dataset="digits"))
    assert analogue("C13", study) == "holds"
    assert JUDGES["C13"](study).concluded["reason"]
    earlier = [row | {"train_accuracy": 0.99} for row in shuffled(1.2)["exponents"]]
    assert verdict("C13", a_study(lines(shuffled(4.0)["exponents"], earlier))) == "fails"  # the earlier: shown
    both = lines(shuffled(4.0, dataset="digits")["exponents"], shuffled(1.2)["exponents"])
    assert verdict("C13", a_study(both)) == "holds"  # those on MNIST count alone


def test_points_that_are_far_from_the_wanted_eps_are_not_taken_for_it():
    rows = frame([{"curve": "fc/fgsm", "eps": eps} for eps in (0.0, 8.0, 14.0, 40.0)])
    assert list(nearest(rows, "eps", 16.0)["eps"]) == [14.0]
    assert nearest(rows, "eps", 25.0).empty
    assert list(nearest(rows, "eps", 25.0, within=2.0)["eps"]) == [40.0]
    assert nearest(frame([]), "eps", 32.0).empty


def test_a_plateau_at_no_accuracy_is_said_to_be_one():
    assert JUDGES["C15"](a_study(slope(0.0))).concluded["reason"] == ""
    assert "no image left to break" in JUDGES["C15"](a_study(slope(0.0, accuracy=0.0))).concluded["reason"]


def test_gains_under_unclipped_attacks_are_shown_beside():
    curves = [point(f"{net}/step_ll", 16.0, value) for net, value in (("net", 0.6), ("base", 0.5))]
    found = JUDGES["C25"](a_study({**defended((0.1, 0.1), "holds"), "error_curves": curves}))
    (part,) = (part for part in found.parts if "not clipped" in part.quantity)
    assert (part.verdict, part.estimate.value) == ("", pytest.approx(0.1))


def test_one_step_training_is_asked_whether_it_protects_against_pgd():
    found = JUDGES["C27"](a_study(pgd_curves(0.1), robust=trained()))
    assert [(part.subject, part.quantity, part.verdict) for part in found.parts] == [
        ("net/pgd", "gain in accuracy under PGD of eps = 16", "holds"),
        ("net/pgd", "accuracy under PGD of eps = 16", ""),
        ("base", "accuracy under PGD of eps = 16", ""),
    ]
    assert "states nothing" in found.concluded["reason"]
    for gain, wanted in ((0.1, "holds"), (-0.1, "fails"), (0.0, "inconclusive")):
        assert verdict("C27", a_study(pgd_curves(gain), robust=trained())) == wanted
    assert verdict("C27", a_study(pgd_curves(0.1))) == "not run"  # trained on nothing


def test_transferred_attacks_are_compared_from_one_source_alone():
    tables = defended((0.0, 0.0), "inconclusive")
    assert verdict("C30", a_study(tables, sources={"net": "base", "base": "other"})) == "not run"


def test_nets_are_compared_with_their_declared_baselines_by_the_defence_between_them():
    rows = [model("other"), model("base"), model("net", entropy_weight=4.5, defence="entropy")]
    rows += [
        model("both", entropy_weight=4.5, adversarial_images=0.5, defence="x + entropy"),
        model("robust", adversarial_images=0.5, defence="x"),
        model("alone", adversarial_images=0.5, defence="x"),
        model("twice", entropy_weight=4.5, adversarial_images=0.5, defence="x + entropy"),
        model("again", adversarial_images=0.5, defence="x"),
        model("published", entropy_weight=None, adversarial_images=None),
    ]
    baselines = {"net": "base", "both": "robust", "robust": "base", "twice": "base", "other": "nowhere"}
    baselines |= {"again": "robust", "published": "base"}
    robust = trained("robust") | trained("alone") | trained("again")
    found = {
        row["model"]: row["adds"]
        for row in records(nets(a_study({"models": rows}, robust=robust, baselines=baselines)))
    }
    assert {name: adds for name, adds in found.items() if adds} == {
        "net": "entropy", "both": "entropy", "robust": "one_step",
    }  # fmt: skip


def test_a_study_without_nets_runs_no_claim_and_says_why():
    empty = a_study(robust={}, attacks=NO_ATTACKS)
    for claim, judge_one in JUDGES.items():
        if claim == "K24":  # of the paper's own numbers
            continue
        found = judge_one(empty).concluded
        assert found["verdict"] == "not run", claim
        assert found["reason"], claim


def test_every_claim_of_the_papers_is_judged():
    assert list(CLAIMS["id"]) == [f"C{i:02d}" for i in range(1, 43)] + [f"K{i:02d}" for i in range(1, 25)]
    assert list(JUDGES) == list(CLAIMS["id"])


def test_the_papers_tables_agree_with_what_the_paper_says_of_them():
    printed = printed_parts(ROOT / "claims")
    at = {(claim, part.subject, part.quantity): part for claim, parts in printed.items() for part in parts}
    cost = "change of clean accuracy"
    assert at["K10", "the paper's Table 1, step l.l.", cost].estimate.value == pytest.approx(-0.008)
    assert at["K18", "the paper's Table 1, two blocks deeper", cost].estimate.value == pytest.approx(-0.006)
    assert at["K10", "the paper's Table 5, fgsm", cost].estimate.value == pytest.approx(-0.019)
    basic = [part.estimate.value for (_, _, quantity), part in at.items() if quantity == "gain under iter. basic"]
    assert (min(basic), max(basic)) == pytest.approx((-0.029, -0.014))
    rate = at["K19", "the paper's Table 4, iter. l.l.", "transfer rate between nets"]
    assert (rate.estimate.value, rate.estimate.n) == (pytest.approx(1.43 / 12), 1000)
