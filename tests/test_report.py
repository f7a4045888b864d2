"""Tables of the studies in README.md and docs/: made of committed tables alone, by the pipeline."""

import json
import re
import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from repository import committed_files
from small_tables import write_curve_tables

from advlaw.claims.rules import curve_verdict
from advlaw.core.io import write_json, write_text
from advlaw.core.tables import Tables, framed, read_tables, records, write_table
from advlaw.core.words import interval
from advlaw.papers.ranges import PAPER_RANGES
from advlaw.reference.keys import sections
from advlaw.report import claims
from advlaw.report.benchmarks import measured_on, times
from advlaw.report.headlines import HEADLINES, headlines, verdict_counts
from advlaw.report.pages import filled, replace_block, studies_grid
from advlaw.report.registry import TABLES
from advlaw.report.render import Marked, markdown

ROOT = Path(__file__).parents[1]


def grid(name, tables):
    """A table of the README by the name at its marker."""
    (found,) = (table for table in TABLES if table.name == name)
    return found.make(tables)


@pytest.fixture(scope="module")
def plots(tmp_path_factory):
    """The tables of a study with two curves whose laws are known."""
    folder = tmp_path_factory.mktemp("plots")
    write_curve_tables(folder)
    return folder


@pytest.fixture(scope="module")
def tables(plots):
    return read_tables(plots, "./", "laws/")


def test_no_table_holds_a_nan_or_more_digits_than_it_means(plots, committed):
    for path in [*plots.glob("*.csv"), *(committed / "plots/digits").rglob("*.csv")]:
        text = path.read_text(encoding="utf-8")
        assert "nan" not in text, path
        assert not re.search(r"\d\.0*[1-9]\d{11,}", text), path


def test_net_errors_decide_for_attacks_that_do_not_use_the_label(tables):
    laws = records(tables.rows("laws/exponents"))
    assert [(row["attack"], row["kind"]) for row in laws] == [("fgsm", "gross"), ("step_ll", "net")]


def test_accuracy_and_net_error_add_up_and_of_two_answers_both_are_in_the_top_five(tables):
    fgsm = tables.rows("error_curves", attack="fgsm")
    assert set(fgsm["top5_accuracy"]) == {1.0}
    assert (fgsm["accuracy"] + fgsm["net_error"]).tolist() == pytest.approx(
        len(fgsm) * [fgsm["clean_accuracy"].iloc[0]]
    )


def test_what_is_no_number_is_not_written_as_json(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "x.json", {"a": float("nan")})
    assert list(tmp_path.iterdir()) == []


PAGES = committed_files("README.md", "docs/*.md", "docs/*/*.md")


@pytest.mark.parametrize("page", PAGES)
def test_the_tables_of_a_page_are_the_pipeline_s(monkeypatch, committed, page):
    """If this fails: `make readme`, and commit the pages with the tables."""
    monkeypatch.chdir(committed)
    text = Path(page).read_text(encoding="utf-8")
    readme = runpy.run_path(str(ROOT / "stages" / "readme.py"))
    studies = readme["study_tables"]()
    shared = readme["shared_blocks"](studies)
    assert filled(text, studies, shared) == text
    names = [params.parent.name for params in Path("studies").glob("*/params.yaml")]
    known = {f"{table.name} {study}" for table in TABLES for study in ("digits", *names)} | {*shared}
    known |= {f"keys {section}" for section in sections()}  # see test_reference.py
    assert set(re.findall("<!-- ([^/].*?) -->", text)) <= known


def test_a_marker_without_its_end_or_twice_is_answered():
    for page in ("<!-- a -->", "<!-- /a -->", 2 * "<!-- a --><!-- /a -->"):
        with pytest.raises(ValueError, match="<!-- a --> and <!-- /a -->: the page must contain each once"):
            replace_block(page, "a", "text")


def test_a_study_whose_rerun_is_due_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = Tables({"curves": framed([{"dataset": "mnist", "model": "fc"}])})
    assert markdown(studies_grid({"mnist": ("x", study)})).endswith(
        "| mnist | `x` | mnist | 1 | 1 | [plots/mnist](plots/mnist) |"
    )
    write_text(tmp_path / "studies/mnist/DUE", "New code.\n")
    assert markdown(studies_grid({"mnist": ("x", study)})).endswith(
        "| [plots/mnist](plots/mnist), [rerun due](studies/mnist/DUE) |"
    )


def test_a_study_that_was_not_run_says_so():
    (row,) = studies_grid({"fashion_mnist": ("x", None), "cifar10_gpu": ("y", None)}).rows
    assert (row[0], row[-1]) == ("fashion_mnist, cifar10_gpu", "not run here")


@pytest.mark.parametrize("label", [None, "shuffled"])
def test_a_line_has_the_law_in_bold_and_two_verdicts(tables, label):
    laws = tables.rows("laws/exponents").assign(labels=label or "original")
    laws.loc[laws["attack"] == "step_ll", "remark"] = "too few errors"
    rows = grid("exponents", Tables({**tables.frames, "laws/exponents": laws})).rows
    assert [row[2].text for row in rows] == ([] if label else ["fgsm", "step_ll"])
    if label:
        return
    (fgsm, step_ll), (law, _) = rows, records(laws)
    assert fgsm[3:5] == ["5,000", f"{law['n_errors']:,.0f}"]
    assert fgsm[5:8] == ["0.9–1.3", Marked(interval(law), "strong"), curve_verdict(law, PAPER_RANGES["fgsm"])]
    assert step_ll[5:8] == ["1.8–2.5", "no law: too few errors", "inconclusive"]
    for row, attack, kind in ((fgsm, "fgsm", "gross"), (step_ll, "step_ll", "net")):
        line, slope = (
            records(tables.rows("exponents", attack=attack, kind=errors, estimator=estimator))[0]
            for errors, estimator in (("net", "least_squares"), (kind, "mean_slope"))
        )
        assert row[8:] == [interval(line), curve_verdict(line, PAPER_RANGES[attack]), interval(slope)]


def test_every_range_is_shown_with_other_priors_and_without_a_bend(tables):
    made = grid("ranges", tables)
    assert made.heads[-4:] == ["10 %", "5 %", "2 %", "1 %"]
    fgsm, step_ll = made.rows
    law, blind = records(tables.rows("laws/exponents"))
    assert fgsm[1:3] == [Marked("net/fgsm", "code"), f"10 %, ε ≤ {law['e0']:.2g}"]
    assert fgsm[4:6] == [interval(law, "half_prior"), interval(law, "double_prior")]
    assert fgsm[7:9] == [interval(law, "factor_1"), interval(law)]
    assert step_ll[8:10] == ["–", interval(blind)]
    nothing = Tables({**tables.frames, "laws/ranges": tables.rows("laws/ranges", curve="net/fgsm")})
    assert len(grid("ranges", nothing).rows) == 1


def test_net_exponents_are_shown_in_two_factors(tables):
    ((*cells, total),) = grid("odds", tables).rows
    (blind,) = records(tables.rows("laws/exponents", attack="step_ll"))
    assert cells[2:6] == [Marked("step_ll", "code"), f"{blind['n_errors']:.0f}", *cells[4:6]]
    assert cells[4:6] == [interval(blind, "all_changes"), interval(blind, "sign_exponent")]
    assert total == "no law: breaks more at small ε"


def test_nets_together_are_a_line_each(tmp_path):
    row = {"set": "sampled", "nets": "all", "attack": "fgsm", "share": 0.1, "n_nets": 100, "n_errors": 78908}
    row |= {"exponent": 0.997, "exponent_low": 0.97, "exponent_high": 1.025, "p_one": 0.85, "p_equal": 0.99, "tau": 0.0}
    (line,) = grid("pooled", Tables({"laws/pooled": framed([row])})).rows
    law = Marked("1.00 [0.97, 1.02]", "strong")
    assert line == ["sampled", Marked("fgsm", "code"), "all", "100", "10 %", "78,908", law, "0.85", "0.99", "0"]


def test_nets_of_others_and_without_gaps_are_listed(tables):
    (model,) = records(tables.rows("models"))
    others = {"model": "zoo", "epochs": np.nan, "train_accuracy": np.nan, "overfitted_at": 3, "defence": "entropy"}
    gaps = tables.rows("logit_gaps")
    own, zoo = grid("models", Tables({"models": framed([model, {**model, **others}]), "logit_gaps": gaps})).rows
    assert own[:8] == ["net", "x", "fc", "10", "1", "–", "100.00%", "95.00%"]
    assert zoo[4:] == ["by others", "entropy; overfitted to its attack from epoch 3", "–", "95.00%", "–", "–"]
    assert re.fullmatch(r"\d\.\d\d \[\d\.\d\d, \d\.\d\d\]", own[8])


@pytest.fixture
def shuffled(tables):
    """The same tables as if the net had been fitted to shuffled labels, with a snapshot at 99 %."""
    frames = {"models": tables.rows("models")}
    for name in ("exponents", "laws/exponents", "logit_gaps"):
        rows = tables.rows(name) if name == "logit_gaps" else tables.rows(name, attack="fgsm")
        end = rows.assign(labels="shuffled", split="train")
        of = {} if name == "logit_gaps" else {"curve": "net/fgsm@0.99"}
        snapshot = end.assign(net="net@0.99", snapshot=0.99, epoch=3, train_accuracy=0.991, **of)
        frames[name] = pd.concat([snapshot, end])
    return frames


def test_shuffled_labels_are_shown_state_by_state(shuffled):
    rows = grid("shuffled", Tables(shuffled)).rows
    assert [row[:4] for row in rows] == [
        ["x", "0.1, constant", "first 99 %, epoch 3", "99.1 %"],
        ["x", "0.1, constant", "end, epoch 1", "100 %"],
    ]
    assert {row[7] for row in rows} == {"yes"}


@pytest.mark.parametrize(("remark", "told"), [("hangs on the prior", "no: hangs on the prior"), ("", "yes")])
def test_a_state_without_a_law_says_why(shuffled, remark, told):
    laws = shuffled["laws/exponents"].assign(exponent=1.1, exponent_low=0.9, exponent_high=1.3, remark=remark)
    for row in grid("shuffled", Tables({**shuffled, "laws/exponents": laws})).rows:
        assert row[7] == told
        assert isinstance(row[4], str) == bool(remark)  # else it is marked


@pytest.mark.parametrize("page", PAGES)
def test_every_path_a_page_names_exists(committed, page):
    text = (committed / page).read_text(encoding="utf-8")
    for path in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (committed / page).parent.joinpath(path).exists(), path


def test_readme_is_two_screens():
    content = (ROOT / "README.md").read_bytes()
    assert len(content.splitlines()) <= 160
    assert len(content) <= 10_000


def test_a_headline_has_the_number_and_the_verdict_of_its_tables(committed, monkeypatch):
    monkeypatch.chdir(committed)
    studies = runpy.run_path(str(ROOT / "stages" / "readme.py"))["study_tables"]()
    grid = headlines(studies)
    assert len(grid.rows) == len(HEADLINES) == 9
    (law,) = records(studies["digits"].rows("laws/exponents", curve="many_fc/fgsm"))
    (row,) = (row for row in grid.rows if "200,000" in row[0])
    assert row[2:4] == [f"B = {interval(law)}", "holds" if law["exponent_low"] > 0.9 else "inconclusive"]
    assert [row[0] for row in headlines({"digits": studies["digits"]}).rows] == [row[0]]


def test_verdicts_are_counted_in_a_sentence():
    verdicts = ["holds", "holds", "fails", "fails", "not run", "not run"]
    claims = ("C01", "K24", "C02", "C03", "C04", "C05")
    sentence = verdict_counts({"claim": claim, "verdict": told} for claim, told in zip(claims, verdicts, strict=True))
    counts = "2 hold (1 of them about trained nets), 2 fail and 2 were not run"
    assert sentence == f"Over all studies, of the papers' 6 claims {counts}."


def test_the_table_of_benchmarks_shows_medians_and_ranges():
    results = json.loads((ROOT / "benchmarks" / "results.json").read_text(encoding="utf-8"))
    line = {**results["lines"][0], "ratio": 2.5, "ratio_low": 2.0, "ratio_high": 3.0, "matmul_share": 0.876}
    line |= {"bandwidth_share": 0.4}
    (row,) = times({**results, "lines": [line]}).rows
    assert row[-2:] == [(Marked("2.50", "strong"), " [2.00, 3.00]"), "88 % of matmul"]
    assert times({**results, "lines": [{**line, "bandwidth_share": 1.02}]}).rows[0][-1] == "102 % of memory"
    none = {**line, "ratio": None, "matmul_share": None, "bandwidth_share": None, "peer_seconds": None}
    assert times({**results, "lines": [none]}).rows[0][-3:] == ["–", "–", "–"]
    assert measured_on(results).startswith(f"Measured on {results['date']}: {results['processor']}, ")


def test_questions_about_curves_have_their_verdicts_side_by_side():
    row = {"claim": "C01", "statement": "s", "numbers": "n", "measured": "m", "study": "mnist", "reason": ""}
    row |= {"verdict": "scaled", "analogue": "fails", "as_a_law": "fails", "as_printed": "holds", "straight": ""}
    row |= {"answers": "as a law: fails; as printed: holds", "others": "cifar10: holds; digits: scaled (holds)"}
    none = {"answers": "", "as_a_law": "", "as_printed": "", "others": "digits: not run; zoo: fails"}
    told = [row, row | none | {"claim": "C15", "verdict": "holds", "analogue": ""}]
    lines = claims.one_by_one(told).rows
    assert [line[-1] for line in lines] == ["scaled: fails (holds on cifar10)", "holds (fails on zoo)"]
    assert claims.questions(told).rows == [["C01", "s", "n", "mnist", "fails", "holds", "–"]]
    assert claims.questions(told).heads[4:] == ["as a law", "as printed", "straight"]


def test_claims_are_counted_and_those_not_run_are_listed_by_reason():
    assert claims.counts({"mnist": ["holds", "not run", "holds"]}).rows == [["mnist", "2", *"0000", "1"]]
    rows = [{"claim": name, "verdict": "not run", "reason": reason} for name, reason in (("C1", "a"), ("C2", "b"))]
    assert claims.one_by_one(rows).rows == []
    assert claims.not_run([*rows, {**rows[0], "claim": "C3"}]) == "Not run: C1, C3 (a); C2 (b)."
    assert claims.not_run([]) == ""


def test_sets_are_told_apart_and_a_removed_one_is_not_told(tmp_path):
    row = {"net": "a", "baseline": "b", "attack": "pgd", "grid_eps": 8, "difference": 0.1, "difference_low": 0.05}
    for name in ("one", "two", "removed"):
        rows = [{**row, "difference_high": 0.2 if name == "one" else 0.3}]
        write_table(tmp_path / "trials" / name / "differences.csv", rows)
    write_table(tmp_path / "trials" / "sets.csv", [{"set": name, "kind": "varied"} for name in ("two", "one")])
    tables = read_tables(tmp_path, "trials/")
    assert set(tables.frames) == {"trials/sets", "trials/one/differences", "trials/two/differences"}
    lines = markdown(grid("differences", tables)).splitlines()
    assert lines[2:] == [
        "| two | a | b | `pgd` | +10.0 [+5.0, +30.0] |",
        "| one | a | b | `pgd` | +10.0 [+5.0, +20.0] |",
    ]
