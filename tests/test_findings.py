"""The rules by which a part of a claim is judged, the verdict of several parts, and the sentence that tells them."""

import math

import pytest

from advlaw.claims.finding import (
    Estimate,
    Part,
    above,
    composite,
    difference,
    equal,
    exponent_in,
    inside,
    no_gain,
    proportion,
)
from advlaw.claims.power_laws import quantile
from advlaw.claims.wording import sentence


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
    assert exponent_in("", "", Estimate(1.33, 1.25, 1.4), (0.9, 1.3)).verdict == "holds"  # the range widened by 0.05
    assert exponent_in("", "", Estimate(1.1, 0.9, 1.3), (0.9, 1.3)).verdict == "inconclusive"  # too wide an interval
    assert inside("", "", Estimate(0.5, 0.4, 0.6), (0.4, 0.6)).verdict == "holds"
    assert no_gain("", "", Estimate(0.0, -0.021, 0.021)).verdict == "inconclusive"
    assert no_gain("", "", Estimate(-0.05, -0.06, -0.04)).verdict == "holds"  # a loss is no gain
    assert no_gain("", "", Estimate(0.05, 0.04, 0.06)).verdict == "fails"
    assert above("", "", Estimate(0.1, 0.0, 0.2)).verdict == "inconclusive"  # zero is not excluded
    assert above("", "", Estimate(math.nan)).verdict == "inconclusive"
    assert equal("", "", 20.8, 16 + 0.3 * 16).verdict == "holds"


def test_intervals_of_differences_and_quantiles():
    # Newcombe (1998), Table II, method 10: 56/70 - 48/80
    found = difference(proportion(56 / 70, 70), proportion(48 / 80, 80))
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    middle = quantile([float(i) for i in range(100)], 0.5)
    assert (middle.value, middle.low, middle.high) == (49.0, 39.0, 60.0)  # the 40th and 61st value
    edge = quantile([1.0, 2.0, 3.0], 0.05)
    assert (edge.low, edge.value) == (1.0, 1.0)


def test_the_sentence_names_numbers_intervals_and_counts():
    one = Part("fc", "gain", Estimate(0.025, 0.02, 0.031), (-0.02, 0.02), "inconclusive", "points")
    assert sentence([one]) == "fc, gain (allowed: -2.0 to 2.0 points): 2.5 points [2.0, 3.1]"
    nets = [
        exponent_in(name, "exponent", Estimate(b, b - 0.1, b + 0.1), (0.9, 1.3)) for name, b in (("a", 1), ("b", 2))
    ]
    assert sentence(nets) == "exponent (allowed: 0.90 to 1.30): 1 holds, 1 fails; from 1 (a) to 2 (b)"
