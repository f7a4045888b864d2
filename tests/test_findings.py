"""The rules by which a part of a claim is judged, the verdict of several parts, and the words that tell them."""

import math

import pytest
from claim_tables import CLAIMS, frame

from advlaw.claims.finding import (
    AS_A_LAW,
    AS_PRINTED,
    STRAIGHT,
    VERDICTS,
    Estimate,
    Finding,
    Part,
    composite,
    difference,
    proportion,
)
from advlaw.claims.judge import counts
from advlaw.claims.rules import RULES, UNFIT, Fit, above, exponent, inside, n_settles, straight
from advlaw.claims.wording import displayed, in_symbols, sentence
from advlaw.tables import laws
from advlaw.tables.laws import BREAKS, FEW, REPAIRS


@pytest.mark.parametrize(
    ("verdicts", "wanted"),
    [
        (["holds", "holds"], "holds"),
        (["holds", "masked", "fails"], "fails"),
        (["holds", "masked", "inconclusive"], "masked"),
        (["holds", "inconclusive"], "inconclusive"),
        ([], "not run"),
    ],
)
def test_the_verdict_of_several_parts(verdicts, wanted):
    assert composite(verdicts) == wanted


def test_the_rules_of_one_part():
    assert inside(Estimate(0.5, 0.4, 0.6), (0.4, 0.6)) == "holds"
    no_gain = (-math.inf, 0.02)
    assert inside(Estimate(0.0, -0.021, 0.021), no_gain) == "inconclusive"
    assert inside(Estimate(-0.05, -0.06, -0.04), no_gain) == "holds"  # a loss is no gain
    assert inside(Estimate(0.05, 0.04, 0.06), no_gain) == "fails"
    assert above(Estimate(0.1, 0.0, 0.2), (0.0, math.inf)) == "inconclusive"  # zero is not excluded
    assert above(Estimate(math.nan), (0.0, math.inf)) == "inconclusive"
    assert RULES["equal"](Estimate(20.8, 20.8, 20.8), (20.8 - 1e-6, 20.8 + 1e-6), 1, Fit()) == ("holds", "")
    assert RULES["shown"](Estimate(1.0), (0.0, 0.0), 1, Fit()) == ("", "")


def test_an_exponent_holds_if_its_whole_interval_is_in_the_range():
    """Not if the estimate alone is, or nearly is, whatever the width of the interval."""
    assert exponent(Estimate(1.33, 1.25, 1.4), (0.9, 1.3))[0] == "inconclusive"
    assert exponent(Estimate(1.29, 1.2, 1.31), (0.9, 1.3))[0] == "inconclusive"
    assert exponent(Estimate(2.1, 1.8, 2.5), (1.8, 2.5))[0] == "holds"
    assert exponent(Estimate(2.0, math.nan, 2.1), (0.0, 1.0)) == ("inconclusive", "no end of its interval")


@pytest.mark.parametrize("rule", [inside, above, lambda *found: exponent(*found)[0]])
def test_one_of_many_fails_only_at_an_interval_for_all_of_them(rule):
    found, allowed = Estimate(0.8, 0.7, 0.89), (0.9, math.inf)
    assert [rule(found, allowed, n) for n in (1, 10)] == ["fails", "inconclusive"]
    assert rule(Estimate(0.8, 0.79, 0.81), allowed, 10) == "fails"


def test_intervals_for_many_numbers_are_bonferronis():
    wide = Estimate(1.0, 1.0 - 1.959964, 1.0 + 2 * 1.959964).adjusted(10)
    assert (1.0 - wide.low, wide.high - 1.0) == pytest.approx((2.807034, 2 * 2.807034))  # 99.5 % on both sides
    assert Estimate(1.0, 0.5, 2.0).adjusted(1) == Estimate(1.0, 0.5, 2.0)


HOLDING, FAILING, RANGE = Estimate(1.1, 1.0, 1.2), Estimate(1.7, 1.6, 1.8), (0.9, 1.3)


@pytest.mark.parametrize(
    ("fit", "holding", "failing", "remark"),
    [
        (Fit(), "holds", "fails", ""),
        (Fit(n_errors=200), "holds", "fails", ""),
        (Fit(n_errors=199), "inconclusive", "fails", "fewer than 200 events"),
        (Fit(n_errors=39), "inconclusive", "inconclusive", "fewer than 40 events"),
        (Fit(n_errors=math.nan), "inconclusive", "inconclusive", "fewer than 40 events"),
        (Fit(remark=UNFIT), "inconclusive", "fails", UNFIT),
        (Fit(remark=REPAIRS), "inconclusive", "inconclusive", REPAIRS),
        (Fit(remark=BREAKS), "inconclusive", "inconclusive", BREAKS),
        (Fit(remark=FEW), "inconclusive", "inconclusive", FEW),
    ],
)
def test_an_exponent_has_no_verdict_that_its_fit_does_not_carry(fit, holding, failing, remark):
    assert exponent(HOLDING, RANGE, fit=fit) == (holding, remark)
    assert exponent(FAILING, RANGE, fit=fit) == (failing, remark)


def test_a_verdict_that_another_prior_turns_is_none():
    same, other = Estimate(1.15, 1.05, 1.25), Estimate(1.15, 0.85, 1.45)
    assert exponent(HOLDING, RANGE, fit=Fit(others=(same, same)))[0] == "holds"
    assert exponent(HOLDING, RANGE, fit=Fit(others=(same, other))) == ("inconclusive", "another prior says otherwise")
    assert exponent(FAILING, RANGE, fit=Fit(others=(other,)))[0] == "inconclusive"


def test_remarks_are_those_that_the_table_of_laws_has():
    assert UNFIT == laws.UNFIT


@pytest.mark.parametrize(
    ("p_straight", "half", "n_together", "wanted"),
    [
        (0.5, 0.1, 1, "holds"),
        (0.5, 0.2, 1, "inconclusive"),  # it may bend more
        (0.04, 0.1, 1, "inconclusive"),
        (5e-4, 0.1, 1, "fails"),
        (5e-4, 0.1, 10, "inconclusive"),
        (5e-5, 0.1, 10, "fails"),
        (math.nan, 0.1, 1, "inconclusive"),
    ],
)
def test_a_curve_is_straight_if_no_test_and_no_bend_says_otherwise(p_straight, half, n_together, wanted):
    fit = Fit(n_errors=900, p_straight=p_straight)
    assert straight(Estimate(0.0, -half, half), (-0.15, 0.15), n_together, fit) == wanted


def test_a_curve_of_few_errors_is_not_known_to_be_straight():
    assert straight(Estimate(0, -0.1, 0.1), (-0.15, 0.15), 1, Fit(n_errors=100, p_straight=0.5)) == "inconclusive"


def test_an_open_exponent_is_settled_by_images_that_shrink_its_interval_into_the_range():
    found = Estimate(1.1, 0.7, 1.5, 10000)
    assert n_settles(found, (0.9, 1.3)) == pytest.approx(10000 * 2 ** (1 / 0.35), abs=1)  # a half-width of 0.2 for 0.4
    assert n_settles(found, (0.9, math.inf)) == n_settles(found, (0.9, 1.3))
    assert n_settles(Estimate(1.0, 0.7, 1.3, 10000), (0.9, 1.3)) == pytest.approx(10000 * 3 ** (1 / 0.35), abs=1)
    assert n_settles(found, (0.6, 1.6)) is None  # it fits already
    for outside in ((1.2, 1.3), (1.1, 1.3), (1.0999, 1.3)):  # or so near the end that no data set would do
        assert n_settles(found, outside) is None
    assert n_settles(Estimate(1.1, 0.7, 1.5), (0.9, 1.3)) is None
    assert n_settles(Estimate(1.1, math.nan, 1.5, 10000), (0.9, 1.3)) is None


def test_a_finding_says_why_it_was_not_judged_or_what_to_know():
    judged = (Part("a", "b", Estimate(1.0), verdict="fails"), Part("a", "c", Estimate(1.0)))
    found = Finding(judged, "no net").concluded
    beside = {"as_a_law": "", "as_printed": "", "straight": ""}
    assert found == {"verdict": "fails", "analogue": "", **beside, "n_parts": 1, "reason": ""}
    assert Finding((), "no net").concluded["reason"] == "no net"
    assert Finding((), "no net", is_analogue=True).concluded["verdict"] == "not run"
    assert Finding(judged, "no net", remark="in L2").concluded["reason"] == "in L2"
    scaled = Finding(judged, "no net", is_analogue=True).concluded
    assert (scaled["verdict"], scaled["analogue"]) == ("scaled", "fails")
    assert "smaller nets" in scaled["reason"]


@pytest.mark.parametrize(("asked", "wanted"), [(AS_A_LAW, "holds"), (AS_PRINTED, "fails"), ("", "not run")])
def test_a_claims_verdict_is_that_on_its_own_question_and_others_stand_beside(asked, wanted):
    verdicts = {AS_A_LAW: "holds", AS_PRINTED: "fails", STRAIGHT: "inconclusive"}
    parts = [Part("a", "b", Estimate(1.0), verdict=verdict, question=name) for name, verdict in verdicts.items()]
    found = Finding(tuple(parts), "no net", question=asked).concluded
    assert (found["verdict"], found["n_parts"]) == (wanted, 1 if asked else 0)
    assert [found[name] for name in ("as_a_law", "as_printed", "straight")] == list(verdicts.values())
    found = Finding((*parts, Part("a", "accuracy", Estimate(1.0), verdict="fails")), "no net", question=asked)
    assert found.concluded["verdict"] == "fails"  # a number that is no curve's counts always


def test_intervals_of_differences():
    # Newcombe (1998), Table II, method 10: 56/70 - 48/80
    found = difference(proportion(56 / 70, 70), proportion(48 / 80, 80))
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def part(subject, value, half, allowed=(None, None), verdict="", unit="", quantity="gain", n=None, **more):
    row = {"claim": "C01", "subject": subject, "quantity": quantity, "value": value, "low": value - half}
    row |= {"high": value + half, "n": n, "allowed_low": allowed[0], "allowed_high": allowed[1]}
    row |= {"verdict": verdict, "unit": unit, "question": "", "n_together": 1, "n_settles": None, "p_value": None}
    return row | {"remark": ""} | more


def told(*parts):
    return sentence(frame(parts).to_dict("records"))


def test_the_sentence_names_numbers_intervals_and_counts():
    one = part("fc", 0.025, 0.006, (-0.02, 0.02), "inconclusive", "points")
    assert told(one) == "fc, gain (allowed: -2.0 to 2.0 points): 2.5 points [1.9, 3.1]"
    nets = [
        part(name, b, 0.1, (0.9, 1.3), found, quantity="B") for name, b, found in (("a", 1, "holds"), ("b", 2, "fails"))
    ]
    assert told(*nets) == "B (allowed: 0.90 to 1.30): 1 holds, 1 fails; from 1 (a) to 2 (b)"
    twice = [part(name, 8.0, 0.0, (7.999999, 8.000001), "holds") for name in ("a", "b")]
    assert told(*twice, nets[0]) == (
        "gain (allowed: 8): 2 hold; 8; a, B (allowed: 0.90 to 1.30): 1 [0.90, 1.10]"
    )  # fmt: skip
    open_ends = [part("a", 0.0015, 0.0, (None, 0.02), "holds", "percent"), part("b", math.nan, 0, (0.5, None), "holds")]
    assert told(*open_ends) == (
        "a, gain (allowed: at most 2.0 %): 0.2 %; b, gain (allowed: above 0.50): too few errors"
    )  # fmt: skip
    assert told(part("a", 0.123, 0.01)) == "a, gain: 0.12 [0.11, 0.13]"
    narrow = part("a", 0.99, 0.005, (0.985, 0.995), "holds", quantity="B")
    assert told(narrow) == "a, B (allowed: 0.985 to 0.995): 0.99 [0.98, 0.99]"


def test_the_sentence_says_how_many_images_would_settle_what_is_open_and_how_straight_lines_fit():
    nets = [part(name, b, 0.1, n_settles=n) for name, b, n in (("a", 1, 36900), ("b", 2, 512345), ("c", 3, None))]
    assert told(nets[0]) == "a, gain: 1 [0.90, 1.10], which about 37,000 images would settle"
    assert told(*nets) == "gain: from 1 (a) to 3 (c), 2 of which about 37,000 to 510,000 images would settle"
    bends = [part(name, b, 0.1, p_value=p) for name, b, p in (("a", 1, 0.2), ("b", 2, 6.49e-6))]
    assert told(*bends) == "gain: from 1 (a) to 2 (b), p ≥ 6e-06"
    assert told(bends[0]) == "a, gain: 1 [0.90, 1.10], p = 0.2"
    assert told(part("a", math.nan, 0.1, p_value=3e-15)) == "a, gain: p = 3e-15"
    assert told(part("a", 1, 0.1, remark=UNFIT)) == "a, gain: 1 [0.90, 1.10], the fit is rejected"
    assert told(part("a", math.nan, 0.1, remark=FEW)) == "a, gain: too few errors"


def judged(**cells):
    row = {"claim": "C01", "verdict": "fails", "analogue": "", "as_a_law": "fails", "as_printed": "holds"}
    return frame([row | {"straight": "", "n_parts": 1, "reason": ""} | cells])


def test_words_are_made_when_claims_are_displayed():
    parts = [part("a", 1.27, 0.33, (0.9, 1.3), "holds", n=10000), part("b", math.nan, 0, (0.5, None))]
    (row,) = displayed(judged(), frame(parts), CLAIMS)
    assert (row["claim"], row["paper"], row["where"], row["study"], row["others"]) == (
        "C01",
        "cubuk2017",
        "Sec. 1",
        "",
        "",
    )
    assert row["measured"].startswith("a, gain (allowed: 0.90 to 1.30): 1.27 [0.94, 1.60]")
    assert row["answers"] == "as a law: fails; as printed: holds"
    shown = [{name: one[name] for name in ("shown", "allowed", "n_shown", "verdict")} for one in row["parts"]]
    assert shown == [
        {"shown": "1.27 [0.94, 1.6]", "allowed": "0.9 to 1.3", "n_shown": "10,000", "verdict": "holds"},
        {"shown": "–", "allowed": "≥ 0.5", "n_shown": "–", "verdict": ""},
    ]
    parts = [one | {"study": study} for one, study in zip(parts, ("mnist", "digits"), strict=True)]
    (row,) = displayed(judged(study="mnist", others="digits: holds"), frame(parts), CLAIMS)
    assert (row["others"], [one["subject"] for one in row["parts"]]) == ("digits: holds", ["a"])
    (row,) = displayed(judged(claim="C02"), frame(parts), CLAIMS)
    assert (row["measured"], row["parts"]) == ("", [])
    with pytest.raises(ValueError, match=r"C01: verdict = 'maybe': must be one of holds, fails"):
        displayed(judged(verdict="maybe"), frame(parts), CLAIMS)


def test_a_part_is_displayed_with_the_interval_of_many_and_the_images_that_would_settle_it():
    many = {"n_together": 10, "n_settles": 36900, "p_value": 6.49e-6, "question": AS_A_LAW, "remark": UNFIT}
    (row,) = displayed(judged(), frame([part("a", 1.0, 0.2, verdict="inconclusive", **many)]), CLAIMS)
    (found,) = row["parts"]
    assert (found["shown"], found["adjusted"]) == ("1 [0.8, 1.2], p = 6e-06", "[0.714, 1.29]")
    assert (found["settles"], found["question"], found["remark"]) == ("about 37,000 images", "as a law", UNFIT)
    (row,) = displayed(judged(), frame([part("a", 1.0, 0.2)]), CLAIMS)
    assert (row["parts"][0]["adjusted"], row["parts"][0]["settles"]) == ("", "")


def test_what_tables_spell_in_ascii_is_read_in_symbols():
    assert in_symbols("exponent as eps -> 0, eps = 8, A eps^B") == "exponent as ε → 0, ε = 8, A ε^B"
    assert in_symbols("eps_linear/eps_hat, Delta_1j +-0.1, lambda=3") == "ε_linear/ε̂, Δ_1j ±0.1, λ=3"
    assert in_symbols("steps, my_eps, deps") == "steps, my_eps, deps"
    (row,) = displayed(judged(reason="as eps -> 0"), frame([part("a", 1.0, 0.2, quantity="error at eps = 8")]), CLAIMS)
    assert (row["reason"], row["parts"][0]["quantity"]) == ("as ε → 0", "error at ε = 8")
    assert row["measured"].startswith("a, error at ε = 8: ")


def test_verdicts_are_counted_in_their_order():
    rows = [{"verdict": "fails"}, {"verdict": "not run"}, {"verdict": "fails"}]
    assert list(counts(rows).items())[1] == ("fails", 2)
    assert list(counts(rows)) == list(VERDICTS)
