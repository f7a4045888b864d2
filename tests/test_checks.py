"""claims/checks.csv: how its rows are read and judged, and what a mistake in one is answered with."""

import csv
import math
import shutil

import pytest
from claim_laws import exponent, exponents, line, lines
from claim_tables import JUDGES, ROOT, a_study, defended, point

from advlaw.claims.checks import Check, judged, read_rows
from advlaw.claims.finding import Finding, difference, proportion
from advlaw.claims.judge import judge, read_judges
from advlaw.claims.printed import printed_parts, texts
from advlaw.claims.registry import ODD, VIEWS

COLUMNS = list(Check.model_fields)
ROW = {"claim": "C01", "view": "as_a_law", "rows": "attack == 'fgsm'", "subject": "{curve}", "quantity": "B"}
ROW |= {"value": "exponent", "n": "n_images", "rule": "inside", "low": "0.9", "high": "1.3", "missing": "no sweep"}
SECOND = ROW | {"missing": ""}
SHOWN = {"rule": "shown", "low": "", "high": ""}
STUDY = a_study(exponents(exponent("fgsm", 1.1, 0.1), exponent("l2", 1.6, 0.1)) | lines(line("fgsm", 1.0)))


@pytest.fixture
def folder(tmp_path):
    """A copy of claims/."""
    return shutil.copytree(ROOT / "claims", tmp_path / "claims")


def write(folder, *rows, name="checks.csv", columns=COLUMNS):
    with (folder / name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def found(folder, *rows, study=STUDY):
    """What these rows of claim C01 find."""
    write(folder, *rows)
    return judged(read_rows(folder)["C01"], study)


def numbers(part):
    return part.estimate.value, part.estimate.low, part.estimate.high, part.estimate.n


def test_a_claim_is_added_by_a_row(folder):
    with (folder / "claims.csv").open("a", encoding="utf-8") as file:
        file.write("C99,cubuk2017,a new claim,B above 0.9,Sec. 9,exponents,E,mnist\n")
    with pytest.raises(ValueError, match=r"claims/claims.csv: C99: nothing judges it; add a row to claims/checks.csv"):
        read_judges(folder)
    write(folder, *texts(folder / "checks.csv"), ROW | {"claim": "C99", "rule": "above", "high": ""})
    rows, parts = judge(STUDY, read_judges(folder), {})
    assert rows[-1] == {
        "claim": "C99", "verdict": "holds", "analogue": "", "as_a_law": "", "as_printed": "", "straight": "",
        "n_parts": 1, "reason": "",
    }  # fmt: skip
    assert parts[-1] == {
        "claim": "C99", "question": "", "subject": "fc/fgsm", "quantity": "B", "value": 1.1, "low": 1.0,
        "high": pytest.approx(1.2), "n": 10000, "allowed_low": 0.9, "allowed_high": None, "verdict": "holds",
        "n_together": 1, "n_settles": None, "p_value": pytest.approx(math.nan, nan_ok=True), "unit": "", "remark": "",
    }  # fmt: skip


def test_an_odd_claim_is_added_by_a_function(folder, monkeypatch):
    assert ODD.keys() == JUDGES.keys() - read_rows(folder).keys()
    write(folder, *(row for row in texts(folder / "checks.csv") if row["claim"] != "C01"))
    monkeypatch.setitem(ODD, "C01", lambda study: Finding((), "odd"))
    assert read_judges(folder)["C01"](STUDY).missing == "odd"


def test_a_row_without_a_view_is_of_a_claim_that_cannot_be_judged_yet(folder):
    nothing = found(folder, {"claim": "C01", "missing": "needs a bigger machine"}).concluded
    assert (nothing["verdict"], nothing["reason"]) == ("not run", "needs a bigger machine")
    assert len(found(folder, {"claim": "C01", "missing": "no sweep"}, SECOND).parts) == 1


def test_a_range_is_widened_by_its_tolerance(folder):
    """Counted once: the interval ends at 1.0 and 1.2."""
    for tolerance, wanted in (("0.11", "holds"), ("0.09", "inconclusive")):
        cells = {"low": "1.1", "high": "1.1", "tolerance": tolerance, "rule": "exponent"}
        (part,) = found(folder, ROW | cells).parts
        assert part.allowed == pytest.approx((1.1 - float(tolerance), 1.1 + float(tolerance)))
        assert part.verdict == wanted


def test_a_number_may_have_other_ends_than_its_own_or_none(folder):
    (part,) = found(folder, ROW | {"ends": "exponent_low n_images"}).parts
    assert numbers(part) == (1.1, 1.0, 10000, 10000)
    (part,) = found(folder, ROW | SHOWN | {"ends": "none"}).parts
    assert math.isnan(part.estimate.low)
    (part,) = found(folder, ROW | {"rule": "equal", "low": "1.1", "high": "1.1", "tolerance": "1e-6"}).parts
    assert (numbers(part)[:3], part.verdict) == ((1.1, 1.1, 1.1), "holds")
    (part,) = found(folder, ROW | {"value": "train_accuracy", "ends": "share", "unit": "percent"}).parts
    wilson = proportion(1.0, 10000)
    assert (part.estimate, part.unit, part.verdict) == (wilson, "percent", "holds")


def test_what_the_baseline_has_is_subtracted(folder):
    cells = {"view": "nets", "rows": "adds == 'entropy'", "subject": "{net} beside {baseline}"}
    cells |= {"value": "test_accuracy", "ends": "share", "minus": "baseline"} | SHOWN
    study = a_study(
        defended((0.1, 0.1), "holds", net={"test_accuracy": 0.9}) | exponents(exponent("l2", 1, sweep="net"))
    )
    (part,) = found(folder, ROW | cells, study=study).parts
    assert part.subject == "net beside base"
    assert part.estimate == difference(proportion(0.9, 10000), proportion(0.98, 10000))


def test_the_point_of_a_curve_nearest_to_an_eps_is_judged(folder):
    rows = [point(f"{net}/fgsm", eps, 0.5) for net in ("a", "b") for eps in (7.0, 15.0, 18.0)]
    cells = {
        "view": "errors",
        "rows": "",
        "at": "eps=16",
        "value": "error",
        "ends": "share",
        "quantity": "at {eps:.0f}",
    }
    parts = found(folder, ROW | cells, study=a_study({"error_curves": rows})).parts
    assert [(part.subject, part.quantity) for part in parts] == [("a/fgsm", "at 15"), ("b/fgsm", "at 15")]


def test_the_question_of_the_first_row_is_the_claims_and_others_are_told_apart(folder):
    law = {"question": "as a law", "rule": "exponent"}
    printed = {"view": "as_printed", "question": "as printed", "low": "1.2"}
    concluded = found(folder, ROW | law, SECOND | printed).concluded
    assert (concluded["verdict"], concluded["as_a_law"], concluded["as_printed"]) == ("holds", "holds", "fails")
    concluded = found(folder, ROW | printed, SECOND | law).concluded
    assert (concluded["verdict"], concluded["as_a_law"], concluded["n_parts"]) == ("fails", "holds", 1)


def test_numbers_on_one_question_of_a_claim_are_judged_together(folder):
    law, printed = {"rows": "", "question": "as a law"}, {"view": "as_printed", "question": "as printed"}
    parts = found(folder, ROW | law | {"rule": "exponent"}, SECOND | law | SHOWN, SECOND | printed).parts
    assert [(part.question, part.n_together, bool(part.verdict)) for part in parts] == [
        ("as a law", 2, True), ("as a law", 1, False), ("as a law", 2, True), ("as a law", 1, False),
        ("as printed", 1, True),
    ]  # fmt: skip


def test_images_that_would_settle_a_number_are_told_of_exponents_as_laws(folder):
    law = ROW | {"rule": "exponent", "low": "1.05", "high": "1.15", "question": "as a law"}
    (part,) = found(folder, law).parts
    assert (part.verdict, part.n_settles) == ("inconclusive", pytest.approx(10000 * 2 ** (1 / 0.35), abs=1))
    printed = law | {"view": "as_printed", "question": "as printed", "low": "0.97", "high": "1.03"}
    for cells in (law | {"rule": "inside"}, law | {"n": ""}, printed):
        (part,) = found(folder, cells).parts
        assert (part.verdict, part.n_settles) == ("inconclusive", None)


def test_a_verdict_may_stand_in_the_view(folder):
    cells = {"view": "gains", "rows": "", "subject": "{net}", "value": "weak_gain", "rule": "told"}
    (part,) = found(folder, ROW | cells, study=a_study(defended((0.1, -0.1), "masked"))).parts
    assert part.verdict == "masked"


def test_rows_of_one_view_go_through_it_together(folder):
    both = found(folder, ROW | {"rows": ""}, SECOND | {"rows": "", "quantity": "again"}).parts
    assert [(part.subject, part.quantity) for part in both] == [
        ("fc/fgsm", "B"), ("fc/fgsm", "again"), ("fc/l2", "B"), ("fc/l2", "again"),
    ]  # fmt: skip


def test_rows_that_a_claim_is_about_count_alone_and_others_are_an_analogue(folder):
    here = found(folder, ROW | {"rows": "", "about": "attack == 'l2'", "remark": "so it is"}, SECOND)
    assert [part.subject for part in here.parts] == ["fc/l2"]
    assert (here.is_analogue, here.concluded["reason"]) == (False, "so it is")
    there = found(folder, ROW | {"about": "dataset == 'imagenet'", "remark": "so it is", "analogue": "small"}, SECOND)
    assert (there.is_analogue, there.concluded["reason"], len(there.parts)) == (True, "small", 2)
    assert not found(folder, ROW | {"rows": "attack == 'pgd'", "about": "attack == 'l2'"}).is_analogue


def test_a_remark_says_why_what_is_shown_is_not_judged(folder):
    remarked = ROW | SHOWN | {"remark": "only drawn"}
    assert found(folder, remarked).concluded["reason"] == "only drawn"
    assert found(folder, remarked | {"rows": "attack == 'pgd'"}).concluded["reason"] == "no sweep"


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (
            {"rule": "insde"},
            r"C01.*rule = 'insde': must be one of exponent, straight, inside, above, equal, shown or told",
        ),
        ({"view": "judgd"}, r"C01.*view = 'judgd': must be one of .*as_a_law.*, or a table: error_curves.*theory/"),
        ({"low": "0,9"}, r"C01.low = '0,9': should be a valid number"),
        ({"unit": "%"}, r"C01.unit = '%': should be 'percent', 'points'"),
        ({"question": "why"}, r"C01.question = 'why': should be 'as a law', 'as printed'"),
        ({"at": "eps 16"}, r"C01.at = 'eps 16'"),
        ({"ends": "low"}, r"C01.ends = 'low'"),
        ({"rule": "above"}, r"C01.*rule = 'above': above needs low alone, shown neither low nor high, the others"),
        ({"rule": "shown"}, r"C01.*rule = 'shown': above needs low alone"),
        ({"low": "", "high": ""}, r"C01.*rule = 'inside': .* the others one or both"),
        ({"quantity": ""}, r"C01.*give view, value, subject, quantity and rule, or leave all of them empty"),
        ({"missing": ""}, r"C01: its first row lacks `missing`, what a study needs"),
        ({"claim": ""}, r"claims/checks.csv: claim: missing key"),
        ({"rows": "attack = 'fgsm'"}, r"C01: rows = \"attack = 'fgsm'\": .*; as_a_law has curve, model"),
        ({"rows": "atack == 'fgsm'"}, r"C01: rows = .*'atack' is not defined; as_a_law has curve, model"),
        ({"rows": "n_images"}, r"C01: rows = 'n_images': "),
        ({"about": "size > 1"}, r"C01: about = 'size > 1': .*'size' is not defined"),
        ({"value": "exponnt"}, r"C01: no column 'exponnt'; as_a_law has curve, model"),
        ({"subject": "{nett}"}, r"C01: no column 'nett'; as_a_law has"),
        ({"minus": "baseline"}, r"C01: no column 'exponent_baseline'; as_a_law has"),
        ({"rule": "told"}, r"C01: no column 'verdict'; as_a_law has"),
        ({"at": "eps=16"}, r"C01: no column 'eps'; as_a_law has"),
    ],
)
def test_a_mistake_in_a_row_is_named(folder, cells, message):
    with pytest.raises(ValueError, match=message) as error:
        found(folder, ROW | cells)
    assert str(error.value).startswith("claims/checks.csv: ")


def test_what_is_said_of_a_claim_is_said_in_its_first_row(folder):
    with pytest.raises(ValueError, match=r"C01: move missing, about, remark, analogue to the claim's first row"):
        found(folder, ROW, ROW)


def test_columns_that_are_none_and_cells_without_a_column_are_named(folder):
    write(folder, ROW | {"rul": "inside"}, columns=[*COLUMNS, "rul"])
    with pytest.raises(ValueError, match=r"claims/checks.csv: C01: unknown key 'rul'; did you mean 'rule'"):
        read_rows(folder)
    write(folder)
    with (folder / "checks.csv").open("a", encoding="utf-8") as file:
        file.write("C01" + "," * len(COLUMNS) + "a comma too many\n")
    with pytest.raises(ValueError, match=r"claims/checks.csv: C01: unknown key 'a cell too many'"):
        read_rows(folder)


def test_a_check_of_no_claim_or_beside_a_function_is_named(folder, monkeypatch):
    rows = texts(folder / "checks.csv")
    write(folder, *rows, ROW | {"claim": "C98"})
    with pytest.raises(ValueError, match=r"claims/checks.csv: C98: no such claim in claims/claims.csv; add it there"):
        read_judges(folder)
    write(folder, *rows, ROW | {"claim": "C15"})
    with pytest.raises(
        ValueError, match=r"claims/checks.csv: C15: the function plateau judges it too; remove one of the two"
    ):
        read_judges(folder)
    write(folder, *rows)
    monkeypatch.setitem(ODD, "C98", ODD["C15"])
    with pytest.raises(ValueError, match="C98: no such claim"):
        read_judges(folder)


def test_a_printed_number_that_the_paper_has_not_is_named(folder):
    row = {"claim": "K11", "place": "Table 1", "quantity": "accuracy", "cell": "K-T1-none", "minus": "", "n": "50000"}
    write(folder, row, name="printed.csv", columns=list(row))
    with pytest.raises(
        ValueError, match=r"printed.csv: K11: 'K-T1-none': no such id in claims/kurakin_tables.csv; correct it"
    ):
        printed_parts(folder)


def test_tables_that_rows_name_are_there_in_some_committed_study(committed):
    """What a study lacks is not run there: no check would tell a table that has no such name in any of them."""
    named = {row["view"] for row in texts(ROOT / "claims" / "checks.csv")} - {"", *VIEWS}
    for view in named:
        assert list((committed / "plots").glob(f"*/{view}.csv")), view
