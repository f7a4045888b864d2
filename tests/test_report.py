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

from advlaw.claims.finding import verdict
from advlaw.core.io import write_json, write_text
from advlaw.core.tables import Tables, framed, read_tables, records, write_table
from advlaw.papers.ranges import PAPER_RANGES
from advlaw.report import claims
from advlaw.report.benchmarks import measured_on, times
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
    return read_tables(plots, "./")


def test_no_table_holds_a_nan_or_more_digits_than_it_means(plots, committed):
    for path in [*plots.glob("*.csv"), *(committed / "plots/digits").rglob("*.csv")]:
        text = path.read_text(encoding="utf-8")
        assert "nan" not in text, path
        assert not re.search(r"\d\.\d{12,}", text), path


def test_net_errors_decide_for_attacks_that_do_not_use_the_label(tables):
    reported = records(tables.rows("exponents", is_reported=True))
    assert [(row["attack"], row["kind"]) for row in reported] == [("fgsm", "gross"), ("step_ll", "net")]


def test_accuracy_and_net_error_add_up_and_of_two_answers_both_are_in_the_top_five(tables):
    fgsm = tables.rows("error_curves", attack="fgsm")
    assert set(fgsm["top5_accuracy"]) == {1.0}
    assert (fgsm["accuracy"] + fgsm["net_error"]).tolist() == pytest.approx(
        len(fgsm) * [fgsm["clean_accuracy"].iloc[0]]
    )


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ((1.1, 1.0, 1.2), "holds"),
        ((1.33, 1.25, 1.41), "holds"),
        ((1.1, 0.7, 1.5), "inconclusive"),
        ((1.4, 1.28, 1.52), "inconclusive"),
        ((1.5, 1.31, 1.6), "fails"),
        ((0.7, 0.6, 0.85), "fails"),
    ],
)
def test_verdicts(numbers, expected):
    assert verdict(*numbers, PAPER_RANGES["fgsm"]) == expected


def test_what_is_no_number_is_not_written_as_json(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "x.json", {"a": float("nan")})
    assert list(tmp_path.iterdir()) == []


PAGES = committed_files("README.md", "docs/*.md")


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
    assert set(re.findall("<!-- ([^/].*?) -->", text)) <= known


def test_a_marker_without_its_end_or_twice_is_answered():
    for page in ("<!-- a -->", "<!-- /a -->", 2 * "<!-- a --><!-- /a -->"):
        with pytest.raises(ValueError, match="the page needs one <!-- a --> and one <!-- /a -->"):
            replace_block(page, "a", "text")


def test_a_study_whose_rerun_is_due_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = Tables({"exponents": framed([{"is_reported": True, "dataset": "mnist", "model": "fc"}])})
    assert markdown(studies_grid({"mnist": ("x", study)})).endswith(
        "| mnist | `x` | mnist | 1 | 1 | [plots/mnist](plots/mnist) |"
    )
    write_text(tmp_path / "studies/mnist/DUE", "New code.\n")
    assert markdown(studies_grid({"mnist": ("x", study)})).endswith(
        "| [plots/mnist](plots/mnist), [rerun due](studies/mnist/DUE) |"
    )


def test_a_study_that_was_not_run_says_so():
    (row,) = studies_grid({"fashion_mnist": ("make study STUDY=fashion_mnist", None)}).rows
    assert row[-1] == "not run here"


@pytest.mark.parametrize("label", [None, "shuffled"])
def test_a_line_has_the_reported_exponent_in_bold(tables, label):
    frames = {name: tables.rows(name).assign(labels=label or "original") for name in ("exponents", "models")}
    rows = grid("exponents", Tables(frames)).rows
    assert [row[2].text for row in rows] == ([] if label else ["fgsm", "step_ll"])
    for row, bold in zip(rows, (4, 5), strict=False):
        assert [isinstance(cell, Marked) for cell in row[4:7]] == [place == bold for place in (4, 5, 6)]
        assert row[7:] == (["0.9–1.3", "holds"] if bold == 4 else ["1.8–2.5", row[8]])


def test_nets_of_others_and_without_gaps_are_listed(tables):
    (model,) = records(tables.rows("models"))
    others = {"model": "zoo", "epochs": np.nan, "train_accuracy": np.nan, "overfitted_at": 3, "defence": "entropy"}
    gaps = tables.rows("logit_gaps")
    own, zoo = grid("models", Tables({"models": framed([model, {**model, **others}]), "logit_gaps": gaps})).rows
    assert own[:8] == ["net", "x", "fc", "10", "1", "–", "100.00%", "95.00%"]
    assert zoo[4:] == ["by others", "entropy; overfitted to its attack from epoch 3", "–", "95.00%", "–", "–"]
    assert re.fullmatch(r"\d\.\d\d \[\d\.\d\d, \d\.\d\d\]", own[8])


def test_shuffled_labels_are_shown_state_by_state(tables):
    """The same tables as if the net had been fitted to shuffled labels, with a snapshot at 99 %."""
    frames = {"models": tables.rows("models")}
    for name, end in (
        ("exponents", tables.rows("exponents", attack="fgsm")),
        ("logit_gaps", tables.rows("logit_gaps")),
    ):
        end = end.assign(labels="shuffled", split="train")
        of = {"curve": "net/fgsm@0.99"} if name == "exponents" else {}
        snapshot = end.assign(net="net@0.99", snapshot=0.99, epoch=3, train_accuracy=0.991, **of)
        frames[name] = pd.concat([snapshot, end])
    rows = grid("shuffled", Tables(frames)).rows
    assert [row[:5] for row in rows] == [
        ["x", "0.1, constant", "first 99 %", "3", "99.1 %"],
        ["x", "0.1, constant", "end", "1", "100 %"],
    ]


@pytest.mark.parametrize("page", PAGES)
def test_every_path_a_page_names_exists(committed, page):
    text = (committed / page).read_text(encoding="utf-8")
    for path in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (committed / page).parent.joinpath(path).exists(), path


def test_the_table_of_benchmarks_shows_medians_and_ranges():
    results = json.loads((ROOT / "benchmarks" / "results.json").read_text(encoding="utf-8"))
    line = {**results["lines"][0], "ratio": 2.5, "ratio_low": 2.0, "ratio_high": 3.0, "matmul_share": 0.876}
    (row,) = times({**results, "lines": [line]}).rows
    assert row[-2:] == [(Marked("2.50", "strong"), " [2.00, 3.00]"), "88 %"]
    none = {**line, "ratio": None, "matmul_share": None, "peer_seconds": None}
    assert times({**results, "lines": [none]}).rows[0][-3:] == ["–", "–", "–"]
    assert measured_on(results).startswith(f"Measured on {results['date']}: {results['processor']}, ")


def test_verdicts_by_least_squares_and_of_other_studies_are_told():
    row = {"claim": "C01", "statement": "s", "numbers": "n", "measured": "m", "study": "mnist", "reason": ""}
    row |= {"verdict": "scaled", "analogue": "fails", "least_squares": "holds"}
    told = [row | {"others": "cifar10: holds; digits: scaled (holds); zoo: fails"}]
    told.append(row | {"claim": "C02", "least_squares": "fails", "others": "digits: not run"})
    assert [line[-1] for line in claims.one_by_one(told).rows] == ["scaled: fails (holds on cifar10)", "scaled: fails"]
    line = claims.least_squares(told)
    assert line.endswith(": C01 holds instead of fails; the same verdict for C02.")
    assert claims.least_squares([]) == ""


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
