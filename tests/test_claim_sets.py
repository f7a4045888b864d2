"""Claims on sets of nets at a few eps: Kurakin's, on small tables that make each hold, fail and stay open."""

import math

import pytest
from claim_sets import (
    EPS,
    NAN,
    PLAIN,
    SET,
    SETS,
    SETS_BESIDE,
    TRAINED,
    WITHOUT_SEEDS,
    a_set,
    accuracy,
    deeper,
    difference,
    fixed_eps,
    leaks,
    methods,
    net,
    replicates,
    trained_on,
    under,
    unregularised,
    widths,
)
from claim_tables import JUDGES, a_study, analogue, verdict

from advlaw.claims import kurakin
from advlaw.claims.finding import Estimate, largest, proportion, smallest
from advlaw.core.tables import records

VERDICTS = list(enumerate(("holds", "fails", "inconclusive")))


def parts(claim, tables):
    return [(part.quantity, part.verdict) for part in JUDGES[claim](a_study(tables, robust={})).parts]


@pytest.mark.parametrize("claim", [*SETS, *SETS_BESIDE])
@pytest.mark.parametrize(("case", "wanted"), VERDICTS)
def test_a_claim_holds_fails_or_stays_open_as_the_numbers_of_a_set_say(claim, case, wanted):
    assert analogue(claim, a_study((SETS | SETS_BESIDE)[claim][case], robust={})) == wanted


@pytest.mark.parametrize("claim", WITHOUT_SEEDS)
def test_without_replicates_no_difference_of_nets_has_a_verdict(claim):
    """An interval over images alone is narrow enough in all of these."""
    study = a_study(WITHOUT_SEEDS[claim], robust={})
    assert analogue(claim, study) == "inconclusive"
    assert "fails" not in {part.verdict for part in JUDGES[claim](study).parts}


@pytest.mark.parametrize("claim", [*SETS, *SETS_BESIDE])
def test_nets_that_collapsed_judge_nothing(claim):
    for tables in (SETS | SETS_BESIDE)[claim]:
        nets = [row | {"collapsed": True} for row in tables[f"trials/{SET}/nets"]]
        if claim != "K19":  # whose rates have no net
            assert verdict(claim, a_study(tables | {f"trials/{SET}/nets": nets}, robust={})) == "not run"


def test_a_net_beside_a_collapsed_baseline_judges_nothing():
    tables = SETS_BESIDE["K10"][1]
    base, *others = tables[f"trials/{SET}/nets"]
    assert verdict("K10", a_study(tables | {f"trials/{SET}/nets": [base | {"collapsed": True}, *others]})) == "not run"


def test_sets_over_a_grid_of_eps_do_not_disturb():
    grid = {"net": "base", "baseline": "net", "attack": "step_ll_clipped", "grid_eps": 16.0, "n_images": 10}
    grid |= {"accuracy": 0.5, "difference": 0.9, "difference_low": 0.8, "difference_high": 1.0}
    for claim in ("K09", "K10", "K23"):
        tables = dict((SETS | SETS_BESIDE)[claim][0])
        tables["trials/sets"] = [*tables["trials/sets"], {"set": "a_grid", "kind": "varied", "dataset": "mnist"}]
        tables |= {"trials/a_grid/differences": [grid], "trials/a_grid/nets": [{"net": "base", "attack": "fgsm"}]}
        assert analogue(claim, a_study(tables, robust={})) == "holds"


def test_tables_without_a_row_are_read():
    empty = a_set(TRAINED, under("step_ll", "fgsm", [0.5] * 4), differences=[], leaking=[], replicates=[])
    study = a_study(empty | {f"trials/{SET}/transfer_methods": []}, robust={})
    for view in (kurakin.set_differences, kurakin.set_leaks, kurakin.fixed_eps, kurakin.deeper, kurakin.widths):
        assert view(study).empty
    assert kurakin.transfer_methods(study).empty
    assert len(kurakin.set_accuracy(study)) == 5


def test_the_largest_of_many_numbers_has_their_ends_at_once():
    many = [Estimate(value, value - 0.1, value + 0.1) for value in (0.0, 0.3, 0.25, -1.0)]
    wide = 0.1 * 2.497705 / 1.959964  # the normal quantile of 1 - 0.025 / 4
    found = largest(many)
    assert (found.value, found.low, found.high) == pytest.approx((0.3, 0.3 - wide, 0.3 + wide))
    found = smallest(many)
    assert (found.value, found.low, found.high) == pytest.approx((-1.0, -1.0 - wide, -1.0 + wide))
    assert not largest([*many, Estimate(-5.0)]).is_complete
    assert largest(many[:1]) == many[0]


def test_an_eps_stands_for_the_papers_by_its_share_of_the_largest():
    sizes = (9.5625, 19.125, 38.25, 76.5)
    study = a_study(a_set(TRAINED, [accuracy("step_ll", "step_ll", eps, 0.5) for eps in sizes]), robust={})
    assert list(kurakin.set_accuracy(study)["at"]) == [0.0, *EPS]


def test_the_spread_between_trainings_is_added_in_squares():
    tables = a_set(TRAINED, [accuracy("step_ll", "fgsm", 8.0, 0.45)], replicates=replicates(0.012, "fgsm"))
    clean, attacked = records(kurakin.set_accuracy(a_study(tables, robust={})))
    wide = math.hypot(0.005, 0.012)
    for row, value in ((clean, 0.9), (attacked, 0.45)):
        assert (row["top1_seeds_low"], row["top1_seeds_high"]) == pytest.approx((value - wide, value + wide))
    assert math.isnan(clean["ratio_seeds_low"])
    of_ratio = math.hypot(0.012 / 0.9, 0.45 * 0.012 / 0.9**2)  # of both accuracies
    assert attacked["ratio_seeds_high"] == pytest.approx(0.5 + math.hypot(0.005, of_ratio))


def test_a_net_trained_at_one_eps_is_compared_at_that_and_at_its_worst():
    own, random = records(kurakin.fixed_eps(a_study(fixed_eps(0.3, 0.1, 0.25, 0.01))))
    assert (own["what"], own["net"], own["eps"], own["gain"]) == ("own", "eps_8", 8.0, pytest.approx(0.2))
    scale = 2.393980 / 1.959964  # the least of three
    assert own["gain_low"] == pytest.approx(0.2 - math.hypot(0.01, 0.01 * scale))
    assert (random["what"], random["gain"]) == ("random", pytest.approx(0.15))
    scale = 2.497705 / 1.959964  # both are the least of four
    assert random["gain_low"] == pytest.approx(0.15 - math.hypot(0.01 * scale, 0.01 * scale))


def test_nets_with_another_law_of_random_eps_are_none_trained_at_one_eps():
    tables = fixed_eps(0.3, 0.1, 0.25, 0.01)
    *nets, last = tables[f"trials/{SET}/nets"]
    wider = last | {"eps_law": "|N(0, 4)| up to 8", "fixed_eps": None}
    assert kurakin.fixed_eps(a_study(tables | {f"trials/{SET}/nets": [*nets, wider]})).empty


def test_a_deeper_net_has_more_layers():
    (row,) = records(kurakin.deeper(a_study(deeper(-0.05, -0.01, 0.01))))
    assert (row["net"], row["gain"], row["gain_high"]) == ("deep", pytest.approx(0.04), pytest.approx(0.04 + 0.0141421))
    assert kurakin.deeper(a_study(deeper(-0.05, -0.01, 0.01, layers=2))).empty  # another width


def test_widths_are_compared_at_their_ends_and_the_optimum_within():
    found = kurakin.widths(a_study(widths((0.8, 0.85, 0.9), (0.7, 0.8, 0.9), (0.3, 0.5, 0.4), 0.01)))
    gains = {(row["what"], row["attack"], row["training"]): row["gain"] for row in records(found)}
    assert gains == {
        ("clean", "clean", "plain"): pytest.approx(0.1),
        ("clean", "clean", "adversarial"): pytest.approx(0.1),
        ("ratio", "step_ll", "plain"): pytest.approx(0.1),
        ("ratio", "step_ll", "adversarial"): pytest.approx(0.2),
        ("optimum", "step_ll", "plain"): pytest.approx(0.1),
        ("ratio", "iter_ll", "plain"): pytest.approx(0.0),
        ("ratio", "iter_ll", "adversarial"): pytest.approx(0.0),
        ("optimum", "iter_ll", "plain"): pytest.approx(0.0),
    }
    two = widths((0.8, 0.85, 0.9), (0.7, 0.8, 0.9), (0.3, 0.5, 0.4), 0.01)
    nets = [row for row in two[f"trials/{SET}/nets"] if row["width"] != 2.0]
    assert kurakin.widths(a_study(two | {f"trials/{SET}/nets": nets})).empty


@pytest.mark.parametrize(("plain", "wanted"), [((0.5, 0.4, 0.3), "fails"), ((0.3, 0.31, 0.3), "inconclusive")])
def test_without_an_optimum_within_the_claim_on_widths_does_not_hold(plain, wanted):
    assert analogue("K17", a_study(widths((0.8, 0.85, 0.9), (0.7, 0.8, 0.9), plain, 0.01), robust={})) == wanted


def test_the_largest_rise_is_that_of_one_method_between_neighbouring_eps():
    rows = [*under("step_ll", "fgsm", (0.5, 0.52, 0.3, 0.3)), *under("step_ll", "fast_linf", (0.6, 0.5, 0.57, 0.2))]
    rows += under("step_ll", "step_ll", (0.1, 0.9, 0.9, 0.9))  # which does not use the label
    (row,) = records(kurakin.rises(a_study(a_set(TRAINED, rows))))
    assert (row["attack"], row["eps"], row["gain"]) == ("fast_linf", 8.0, pytest.approx(0.07))
    scale = 2.638257 / 1.959964  # the largest of six
    assert row["gain_low"] == pytest.approx(0.07 - scale * math.hypot(0.005, 0.005))


def test_methods_are_compared_under_fgsm_and_those_that_use_the_label_under_step_ll():
    nets = [net("step_ll"), *(trained_on(name) for name in ("fgsm", "fast_l2", "fast_entropy", "pgd_training"))]
    rows = [accuracy(row["net"], "clean", 0.0, 0.9) for row in nets]
    for name, fgsm, step_ll in (("step_ll", 0.5, 0.7), ("fgsm", 0.99, 0.9), ("fast_l2", 0.8, 0.4)):
        rows += [*under(name, "fgsm", [fgsm] * 4), *under(name, "step_ll", [step_ll] * 4)]
    rows += under("fast_entropy", "fgsm", [0.45] * 4)
    tables = a_set(nets, rows, replicates=replicates(0.01, "fgsm", "step_ll"))
    found = records(kurakin.best_methods(a_study(tables)))
    told = [(row["method"], row["other"], row["attack"], round(row["gain"], 6)) for row in found]
    assert sorted(told) == [("step_ll", "fast_entropy", "fgsm", 0.05), ("step_ll", "fast_l2", "step_ll", 0.3)]
    (entropy,) = (row for row in found if row["other"] == "fast_entropy")
    assert entropy["gain_low"] == pytest.approx(0.05 - 2 * math.hypot(0.005, 0.01))  # of four accuracies


def test_methods_that_are_not_attacked_at_half_the_largest_eps_are_not_compared():
    nets = [net("step_ll"), trained_on("fast_entropy")]
    assert kurakin.best_methods(a_study(a_set(nets, [accuracy("step_ll", "fgsm", 16.0, 0.5)]))).empty


def test_parts_of_a_claim_are_judged_on_their_own():
    assert parts("K12", methods(0.3, 0.2, 0.5, 0.01)) == [
        ("gain under fgsm of eps = 8", "holds"),
        ("gain under fgsm of eps = 8", "holds"),
        ("gain under fgsm of eps = 8", "fails"),
        ("clean accuracy and that under fgsm of eps = 8 together, less those of fast_entropy", "holds"),
        ("clean accuracy and that under fgsm of eps = 8 together, less those of random_sign", "holds"),
    ]
    assert parts("K12", methods(-0.3, 0.0, 0.8, 0.01))[3][1] == "fails"
    smoothed = parts("K08", unregularised(-0.003, -0.05, 0.05, 0.002))
    assert [found for _, found in smoothed] == ["holds", "fails", "holds", "fails"]
    assert [found for _, found in parts("K15", leaks(1.05, 1.2, 1.2))] == ["holds", "fails", "fails"]


def test_labels_leak_at_the_papers_own_eps_alone():
    tables = leaks(1.05, 0.1, 0.9)
    others = [row | {"eps_law": "|N(0, 16)| up to 32"} for row in tables[f"trials/{SET}/nets"]]
    assert verdict("K15", a_study(tables | {f"trials/{SET}/nets": others}, robust={})) == "not run"


def maxout(over, half=0.01, dataset="mnist"):
    row = {"net": "net", "attack": "fgsm_clipped", "blind": "fgsm_predicted_clipped", "eps": 76.5, "n_images": 10000}
    row |= {"leaked": 79, "reversed": 48, "net_share": 0.0031, "net_low": 0.001, "net_high": 0.005}
    row |= {"among_clean_wrong": 79, "over_clean": over, "over_clean_low": over - half, "over_clean_high": over + half}
    law = {"arch": "maxout", "attack": "fgsm_clipped", "eps_law": "fixed 63.75", "fixed_eps": 63.75}
    return a_set([net("net", **law)], dataset=dataset, leaking=[row, row | {"blind": "step_ll_clipped"}])


@pytest.mark.parametrize(("over", "wanted"), [(-0.1, "holds"), (0.1, "fails"), (0.0, "inconclusive")])
def test_errors_under_attack_of_a_maxout_net_exceed_those_on_clean_images(over, wanted):
    assert verdict("K16", a_study(maxout(over), robust={})) == wanted
    assert analogue("K16", a_study(maxout(over, dataset="digits"), robust={})) == wanted
    found = JUDGES["K16"](a_study(maxout(over), robust={}))
    told = {part.quantity: part.estimate.value for part in found.parts if not part.verdict}
    assert told == {
        "labels leaked at eps = 76.5": 79,
        "labels reversed at eps = 76.5": 48,
        "labels leaked less reversed at eps = 76.5": 0.0031,
    }
    assert verdict("K10", a_study(maxout(over), robust={})) == "not run"  # it is trained on other examples


def test_the_best_methods_of_table_5_are_tied_by_its_own_intervals():
    """Step rnd. 76.5 % and step l.l. 76.2 % at eps = 8, of 50,000 images: 0.3 points are within 0.37 sqrt(2)."""
    found = JUDGES["K24"](a_study(robust={}))
    assert found.concluded["verdict"] == "holds"
    at = {(part.subject, part.quantity): part.estimate for part in found.parts}
    assert len(found.parts) == len(at) == 8
    tied = at["Table 5, eps = 8", "step rnd. less step l.l.: tied"]
    assert tied.value == pytest.approx(0.003)
    rnd, least = proportion(0.765, 50000), proportion(0.762, 50000)
    assert tied.low == pytest.approx(0.003 - math.hypot(0.765 - rnd.low, least.high - 0.762))
    assert at["Table 5, eps = 16", "FGSM less step rnd.: apart"].low > 0.1


def test_the_first_claim_speaks_of_eps_from_2_to_32():
    rows = [accuracy("plain", "fgsm", eps, 0.34) for eps in (1.0, 2.0, 32.0, 64.0)]
    study = a_study(a_set([net("plain", PLAIN)], rows), robust={})
    assert [part.quantity for part in JUDGES["K01"](study).parts] == [f"top-1 error at eps = {eps}" for eps in (2, 32)]


def test_an_unknown_spread_is_no_verdict_on_any_row():
    rows = [difference("step_ll", "plain", "clean", 0.0, 0.5, NAN)]
    (row,) = records(kurakin.set_differences(a_study(a_set([net("plain", PLAIN), net("step_ll")], differences=rows))))
    assert math.isnan(row["seeds_low"])
    assert row["varies_baseline"] == "adversarial"
