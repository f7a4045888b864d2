"""The two figures at the front of a report: all exponents as eps -> 0, and all claims that are judged by numbers."""

import math
import re
import xml.etree.ElementTree as ET

import pytest
from small_tables import as_read

from advlaw.core.tables import Tables
from advlaw.figures.forest_claims import FARTHEST, distance, numbers, with_intervals, worst
from advlaw.figures.registry import draw_all, figure_of

OPEN = {"allowed_low": math.nan, "allowed_high": math.nan}


def law(curve, value, low, high, **more):
    sweep, attack = curve.split("/")
    about = {"curve": curve, "sweep": sweep, "attack": attack, "dataset": "x", "labels": "original"}
    about |= {"kind": "net" if attack == "step_ll" else "gross", "n_errors": 900, "remark": ""}
    return about | {"exponent": value, "exponent_low": low, "exponent_high": high} | more


def shown(folder, name) -> list[str]:
    """The words of a drawn figure, in the order in which they were drawn."""
    root = ET.fromstring((folder / f"{name}.svg").read_text(encoding="utf-8"))
    return ["".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text")]


def test_every_curve_has_a_row_of_its_family_and_sets_of_nets_come_last(tmp_path):
    laws = [
        law("fc/fast_linf", 1.0, 0.8, 1.2),
        law("fc/fgsm", 1.04, 0.76, 1.37),
        law("fc/step_ll", 2.5, 1.9, None, n_errors=178),
        law("cnn/step_ll", None, None, None, n_errors=None, remark="too few errors"),
        law("wide/step_ll", 2.4, 1.9, 3.3, remark="repairs more at small eps"),
        law("fc_shuffled/fgsm", 12.0, 9.0, 15.0, labels="shuffled"),
    ]
    one = {"set": "sampled", "attack": "fgsm", "n_errors": 78908, "exponent": 1.0, "exponent_low": 0.97}
    pooled = [
        {**one, "nets": nets, "share": share, "n_nets": 100, "exponent_high": 1.03}
        for nets in ("all", "fc")
        for share in (0.1, 0.05)
    ]
    tables = Tables({"laws/exponents": as_read(tmp_path, laws), "laws/pooled": as_read(tmp_path, pooled)})
    assert draw_all(tables, [], tmp_path / "a") == ["forest_exponents"]
    words = shown(tmp_path / "a", "forest_exponents")
    names = [word for word in words if "/" in word or "sampled: " in word]
    assert names == [  # those with a range of the paper first
        *("fc/fgsm", "fc/fast_linf", "fc/step_ll", "cnn/step_ll", "wide/step_ll", "fc_shuffled/fgsm"),
        *("sampled: 100 nets, FGSM", "sampled: 100 fully connected, FGSM"),
    ]
    for text in ("1.04 [0.76, 1.37]", "2.50 [1.90, ∞]", "12.00 [9.00, 15.00]", "too few errors", "78,908"):
        assert text in words
    assert "repairs more at small ε" in words
    assert "2.40 [1.90, 3.30]" not in words
    assert sum("attacks that" in word or "shuffled labels" in word for word in words) == 3
    draw_all(tables, [], tmp_path / "b")
    for kind in ("svg", "png"):
        first, again = (tmp_path / folder / f"forest_exponents.{kind}" for folder in "ab")
        assert first.read_bytes() == again.read_bytes()


def test_a_study_without_laws_or_without_nets_together_is_drawn_without_them(tmp_path):
    alone = as_read(tmp_path, [law("fc/fgsm", 1.04, 0.76, 1.37)])
    assert draw_all(Tables({"laws/exponents": alone}), [], tmp_path) == ["forest_exponents"]
    assert not any("sets of nets" in word for word in shown(tmp_path, "forest_exponents"))


@pytest.mark.parametrize(
    ("numbers", "allowed", "expected"),
    [
        ((1.1, 1.0, 1.2), (0.9, 1.3), 2.0),
        ((1.0, 0.9, 1.4), (0.9, 1.4), 1.0),  # all of it just inside
        ((1.4, 1.3, 1.6), (0.9, 1.3), -1.0),  # just outside: the lower half counts
        ((0.8, 0.4, 1.0), (0.9, 1.3), -0.5),
        ((1.3, 1.0, 1.5), (0.9, 1.3), 0.0),
        ((0.5, 0.4, 0.7), (0.2, math.nan), 3.0),
        ((0.5, 0.4, 0.7), (math.nan, 0.4), -1.0),
        ((0.0, 0.0, 0.1), (0.0, math.nan), math.inf),
        ((0.0, 0.0, 0.1), (0.5, math.nan), -5.0),
    ],
)
def test_how_far_a_part_is_from_the_end_of_what_is_allowed(numbers, allowed, expected):
    columns = ("value", "low", "high", "allowed_low", "allowed_high")
    assert distance(dict(zip(columns, (*numbers, *allowed), strict=True))) == pytest.approx(expected)


def part(claim, subject, value, low, high, verdict, **more):
    about = {"claim": claim, "question": "", "subject": subject, "quantity": "exponent", "unit": "", "verdict": verdict}
    return about | {"value": value, "low": low, "high": high, "allowed_low": 0.9, "allowed_high": 1.3} | more


PARTS = [
    part("C01", "fc/fgsm", 1.1, 1.0, 1.2, "holds", question="as a law"),
    part("C01", "cnn/fgsm", 1.2, 0.8, 1.6, "inconclusive", question="as a law"),
    part("C01", "linear/fgsm", None, None, None, "inconclusive", question="as a law"),
    part("C01", "fc/fgsm", 5.0, 4.9, 5.1, "fails", question="as printed"),
    part("C02", "net", 0.02, 0.01, 0.04, "fails", unit="points", allowed_low=None, allowed_high=0.005),
    part("C02", "net", 0.5, 0.4, 0.6, "", unit="points"),  # shown and not judged
    part("C03", "net", 8, 8, 8, "holds", allowed_low=7.999, allowed_high=8.001),
    part("C03", "fc/fgsm", 1.1, 1.0, 1.2, "holds", question="as printed"),  # beside it, and not the claim
]
CLAIMS = [
    {"claim": "C01", "verdict": "inconclusive", "n_parts": 3},
    {"claim": "C02", "verdict": "scaled", "n_parts": 1},
    {"claim": "C03", "verdict": "holds", "n_parts": 1},
    {"claim": "C04", "verdict": "not run", "n_parts": 0},
]


@pytest.fixture
def judged(tmp_path):
    return Tables({"claim_parts": as_read(tmp_path, PARTS), "claims": as_read(tmp_path, CLAIMS)})


def test_the_worst_part_is_of_the_question_that_the_claim_asks(judged):
    parts = with_intervals(judged)
    assert parts["claim"].tolist() == ["C01", "C01", "C01", "C02"]
    assert parts["is_own"].tolist() == [True, True, False, True]
    assert worst(parts[parts["is_own"] & (parts["claim"] == "C01")])["subject"] == "cnn/fgsm"
    assert worst(parts[parts["claim"] == "C01"])["question"] == "as printed"
    with_mask = parts.assign(verdict=["masked", "inconclusive", "holds", "fails"])
    assert worst(with_mask[:3])["verdict"] == "masked"


def test_claims_are_drawn_with_their_worst_part_s_numbers(judged, tmp_path):
    assert draw_all(judged, [], tmp_path) == ["forest_claims"]
    words = shown(tmp_path, "forest_claims")
    assert [word for word in words if re.fullmatch(r"C\d\d( ≈)?", word)] == ["C01", "C02 ≈"]
    assert "1.20 [0.80, 1.60]; allowed 0.9 to 1.3" in words
    assert "2.0 [1.0, 4.0] points; allowed at most 0.5" in words
    assert "5.00 [4.90, 5.10]; allowed 0.9 to 1.3" not in words
    seen = figure_of("forest_claims").caption("forest_claims", judged).seen
    assert seen.endswith("Judged without an interval, and not here: C03 holds.")


def test_numbers_of_bounds_and_shares():
    share = part("C", "net", -0.00001, -0.5, 0.25, "holds", unit="percent", allowed_low=-1, allowed_high=math.nan)
    assert numbers(share) == "0.0 [-50.0, 25.0] %; allowed above -100"
    assert numbers(part("C", "net", -0.001, -0.5, 0.25, "holds")) == "0.00 [-0.50, 0.25]; allowed 0.9 to 1.3"


def test_without_an_interval_no_figure_of_claims_is_drawn(judged, tmp_path):
    settings = judged.rows("claim_parts", claim="C03")
    assert draw_all(Tables({**judged.frames, "claim_parts": settings}), [], tmp_path) == []
    assert FARTHEST > 1
