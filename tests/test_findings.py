"""The rules by which a part of a claim is judged, the verdict of several parts, and the words that tell them."""

import math

import pytest
from claim_tables import CLAIMS, frame

from advlaw.claims.curves import quantile
from advlaw.claims.finding import (
    RULES,
    VERDICTS,
    Estimate,
    Finding,
    Part,
    above,
    composite,
    difference,
    exponent,
    inside,
    proportion,
    verdict,
)
from advlaw.claims.judge import counts
from advlaw.claims.wording import displayed, sentence


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
    assert verdict(1.33, 1.25, 1.4, (0.9, 1.3)) == "holds"  # the range widened by 0.05
    assert exponent(Estimate(1.33, 1.25, 1.4), (0.9, 1.3)) == "holds"
    assert exponent(Estimate(1.1, 0.9, 1.3), (0.9, 1.3)) == "inconclusive"  # too wide an interval
    assert exponent(Estimate(2.0, math.nan, 2.1), (0.0, 1.0)) == "inconclusive"  # too few errors for one
    assert inside(Estimate(0.5, 0.4, 0.6), (0.4, 0.6)) == "holds"
    no_gain = (-math.inf, 0.02)
    assert inside(Estimate(0.0, -0.021, 0.021), no_gain) == "inconclusive"
    assert inside(Estimate(-0.05, -0.06, -0.04), no_gain) == "holds"  # a loss is no gain
    assert inside(Estimate(0.05, 0.04, 0.06), no_gain) == "fails"
    assert above(Estimate(0.1, 0.0, 0.2), (0.0, math.inf)) == "inconclusive"  # zero is not excluded
    assert above(Estimate(math.nan), (0.0, math.inf)) == "inconclusive"
    assert RULES["equal"](Estimate(20.8, 20.8, 20.8), (20.8 - 1e-6, 20.8 + 1e-6)) == "holds"
    assert RULES["shown"](Estimate(1.0), (0.0, 0.0)) == ""


def test_a_finding_says_why_it_was_not_judged_or_what_to_know():
    judged = (Part("a", "b", Estimate(1.0), verdict="fails"), Part("a", "c", Estimate(1.0), least_squares="holds"))
    found = Finding(judged, "no net").concluded
    assert found == {"verdict": "fails", "analogue": "", "least_squares": "holds", "n_parts": 1, "reason": ""}
    assert Finding((), "no net").concluded["reason"] == "no net"
    assert Finding((), "no net", is_analogue=True).concluded["verdict"] == "not run"
    assert Finding(judged, "no net", remark="in L2").concluded["reason"] == "in L2"
    scaled = Finding(judged, "no net", is_analogue=True).concluded
    assert (scaled["verdict"], scaled["analogue"]) == ("scaled", "fails")
    assert "smaller nets" in scaled["reason"]


def test_intervals_of_differences_and_quantiles():
    # Newcombe (1998), Table II, method 10: 56/70 - 48/80
    found = difference(proportion(56 / 70, 70), proportion(48 / 80, 80))
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    middle = quantile([float(i) for i in range(100)], 0.5)
    assert (middle.value, middle.low, middle.high) == (49.0, 39.0, 60.0)  # the 40th and 61st value
    edge = quantile([1.0, 2.0, 3.0, math.nan], 0.05)
    assert (edge.low, edge.value, edge.n) == (1.0, 1.0, 3)


def part(subject, value, half, allowed=(None, None), verdict="", unit="", quantity="gain", n=None):
    row = {"claim": "C01", "subject": subject, "quantity": quantity, "value": value, "low": value - half}
    row |= {"high": value + half, "n": n, "allowed_low": allowed[0], "allowed_high": allowed[1]}
    return row | {"verdict": verdict, "least_squares": "", "unit": unit}


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


def judged(**cells):
    row = {"claim": "C01", "verdict": "fails", "analogue": "", "least_squares": "", "n_parts": 1, "reason": ""}
    return frame([row | cells])


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


def test_verdicts_are_counted_in_their_order():
    rows = [{"verdict": "fails"}, {"verdict": "not run"}, {"verdict": "fails"}]
    assert list(counts(rows).items())[1] == ("fails", 2)
    assert list(counts(rows)) == list(VERDICTS)
