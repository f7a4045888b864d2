"""A claim's line in the report: the part by which it stands or falls, and its interval against what is allowed."""

import math
import re

import pytest

from advlaw.claims.finding import composite
from advlaw.claims.worst import distance, own_parts, worst
from advlaw.core.tables import groups, read_table, records
from advlaw.report.intervals import WIDTH, drawn, line

NAN = math.nan


@pytest.mark.parametrize(
    ("numbers", "allowed", "expected"),
    [
        ((1.1, 1.0, 1.2), (0.9, 1.3), 2.0),
        ((1.0, 0.9, 1.4), (0.9, 1.4), 1.0),  # all of it just inside
        ((1.4, 1.3, 1.6), (0.9, 1.3), -1.0),  # just outside: the lower half counts
        ((0.8, 0.4, 1.0), (0.9, 1.3), -0.5),
        ((1.3, 1.0, 1.5), (0.9, 1.3), 0.0),
        ((0.5, 0.4, 0.7), (0.2, NAN), 3.0),
        ((0.5, 0.4, 0.7), (NAN, 0.4), -1.0),
        ((0.0, 0.0, 0.1), (0.0, NAN), math.inf),
        ((0.0, 0.0, 0.1), (0.5, NAN), -5.0),
        ((0.5, NAN, NAN), (0.2, NAN), math.inf),  # without an interval
        ((0.1, NAN, NAN), (0.2, NAN), -math.inf),
        ((NAN, NAN, NAN), (0.2, NAN), math.inf),
    ],
)
def test_how_far_a_part_is_from_the_end_of_what_is_allowed(numbers, allowed, expected):
    columns = ("value", "low", "high", "allowed_low", "allowed_high")
    assert distance(dict(zip(columns, (*numbers, *allowed), strict=True))) == pytest.approx(expected)


def part(subject, value, low, high, verdict, **more):
    about = {"question": "", "subject": subject, "quantity": "exponent", "unit": "", "verdict": verdict, "remark": ""}
    about |= {"value": value, "low": low, "high": high, "allowed_low": 0.9, "allowed_high": 1.3, "p_value": NAN}
    return about | more


PARTS = [
    part("fc/fgsm", 1.1, 1.0, 1.2, "holds", question="as a law"),
    part("cnn/fgsm", 1.2, 0.8, 1.6, "inconclusive", question="as a law"),
    part("linear/fgsm", NAN, NAN, NAN, "inconclusive", question="as a law"),
    part("shown alone", 9.0, 8.0, 10.0, "", question="as a law"),
    part("fc/fgsm", 5.0, 4.9, 5.1, "fails", question="as printed"),
]


def test_the_worst_part_is_of_the_question_that_the_claim_asks():
    own = own_parts(PARTS)
    assert [one["subject"] for one in own] == ["fc/fgsm", "cnn/fgsm", "linear/fgsm"]
    assert worst(own)["subject"] == "cnn/fgsm"
    assert worst([*own, part("net", 1.1, 1.0, 1.2, "masked")])["verdict"] == "masked"
    assert worst([part("a", 0.5, NAN, NAN, "fails"), part("b", 0.3, NAN, NAN, "fails")])["subject"] == "b"


@pytest.mark.parametrize("study", ["digits", "mnist", "cifar10"])
def test_own_parts_have_the_claim_s_verdict(committed, study):
    """Of every claim of the committed studies, or its analogue's."""
    judged = {row["claim"]: row for row in records(read_table(committed / f"plots/{study}/claims.csv"))}
    for claim, parts in groups(read_table(committed / f"plots/{study}/claim_parts.csv"), "claim"):
        found = judged[claim]
        verdicts = [one["verdict"] for one in own_parts(records(parts))]
        assert composite(verdicts) == (found["analogue"] or found["verdict"]), claim
        assert len(verdicts) == found["n_parts"]


def test_a_line_has_its_worst_part_s_number_and_range():
    shown = line({"found": PARTS})
    assert (shown["number"], shown["allowed"]) == ("1.20 [0.80, 1.60]", "0.90 to 1.30")
    assert shown["about"] == "worst of 3: cnn/fgsm, exponent"
    assert 'role="img" aria-label="1.20 [0.80, 1.60]; allowed: 0.90 to 1.30"' in shown["interval"]
    assert line({"found": PARTS[3:4]}) == {"number": "", "about": "", "allowed": "", "interval": ""}
    alone = line({"found": [part("net", NAN, NAN, NAN, "inconclusive", remark="too steep")]})
    assert (alone["number"], alone["about"], alone["interval"]) == ("too few errors", "net, too steep, exponent", "")


def places(svg, pattern):
    return [tuple(map(float, found)) for found in re.findall(pattern, svg)]


def test_the_drawing_is_to_scale_and_open_ranges_end_at_its_edge():
    svg = drawn(PARTS[1], own_parts(PARTS))
    ((low, high),) = places(svg, r'class="bar" d="M([\d.]+) 9H([\d.]+)"')
    ((left, width),) = places(svg, r'class="band" x="([\d.]+)" y="1" width="([\d.]+)"')
    assert width / (high - low) == pytest.approx(0.4 / 0.8, abs=0.01)
    assert (left - low) / (high - low) == pytest.approx(0.1 / 0.8, abs=0.01)
    assert svg.count("other") == 1  # the one with a number
    bound = drawn(part("net", 0.5, 0.4, 0.6, "fails", allowed_high=NAN), [])
    ((left, width),) = places(bound, r'class="band" x="([\d.]+)" y="1" width="([\d.]+)"')
    assert left + width == pytest.approx(WIDTH, abs=0.1)
    setting = drawn(part("net", 8.0, 8.0, 8.0, "holds", allowed_low=8.0, allowed_high=8.0), [])
    assert "bar" not in setting
    assert f'cx="{WIDTH / 2:.1f}"' in setting
