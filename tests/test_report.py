"""Tables and the README: numbers that the pipeline wrote, the same again."""

import json
import re
import runpy
from pathlib import Path

import numpy as np
import pytest
from conftest import one_step
from repository import committed_files
from test_fitting import planted

from advlaw.claims.verdict import verdict
from advlaw.core.io import read_csv, read_tables, write_csv, write_json, write_text
from advlaw.evaluation.settings import Sweep
from advlaw.fitting.fit import Fitted
from advlaw.fitting.outcomes import outcomes
from advlaw.fitting.settings import Fit
from advlaw.papers.ranges import PAPER_RANGES
from advlaw.report.benchmarks import benchmarks_table
from advlaw.report.claims_tables import claims_table, least_squares_line
from advlaw.report.markdown import BLOCKS, filled, replace_block, shuffled_table, studies_table
from advlaw.report.trials_tables import differences_table
from advlaw.tables.curves import CurveTables, SweptCurve

ROOT = Path(__file__).parents[1]


@pytest.fixture
def tables(tmp_path):
    """The tables of a study with two curves whose laws are known."""
    settings = Fit(min_errors=10, max_error=0.1, bootstrap=200, confidence=0.95, headline=["net/fgsm"])
    row = {
        "model": "net",
        "arch": "fc",
        "labels": "original",
        "optimizer": "adam",
        "learning_rate": 0.1,
        "schedule": "constant",
        "snapshots": [],
        "dataset": "x",
        "n_pixels": 64,
        "n_parameters": 10,
        "epochs": 1,
        "defence": None,
        "entropy_weight": 0.0,
        "adversarial_images": 0.0,
        "overfitted_at": None,
        "device": "cpu",
        "train_accuracy": 1.0,
        "validation_accuracy": 0.95,
        "test_accuracy": 0.95,
    }
    made = CurveTables([row], settings)
    for name, attack, b in (("fgsm", one_step(), 1.0), ("step_ll", one_step(target="least_likely"), 2.0)):
        sample = outcomes(planted(np.random.default_rng(1), 5000, 0.02, b, repaired=0.0 if b == 1.0 else 0.3))
        sweep = Sweep(model="net", dataset="x", family="one_step", attacks=[name])
        made.add(
            SweptCurve("net", name, None, sweep, attack, {"n_zero_gradient": 0, "n_not_finite": 0}),
            Fitted(sample, settings, np.random.default_rng(0)),
        )
    made.write(tmp_path / "plots")
    return tmp_path


def test_no_table_holds_a_nan_or_more_digits_than_it_means(tables, committed):
    for path in [*(tables / "plots").glob("*.csv"), *(committed / "plots/digits").rglob("*.csv")]:
        text = path.read_text(encoding="utf-8")
        assert "nan" not in text, path
        assert not re.search(r"\d\.\d{12,}", text), path


def test_net_errors_decide_for_attacks_that_do_not_use_the_label(tables):
    reported = [row for row in read_csv(tables / "plots" / "exponents.csv") if row["is_reported"] == "true"]
    assert [(row["attack"], row["kind"]) for row in reported] == [("fgsm", "gross"), ("step_ll", "net")]


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


def test_tables_write_missing_numbers_as_empty_cells(tmp_path):
    write_csv(tmp_path / "x.csv", ["a", "b", "c"], [{"a": float("nan"), "b": None, "c": 1 / 3}])
    assert (tmp_path / "x.csv").read_text(encoding="utf-8") == "a,b,c\n,,0.3333333\n"
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "x.json", {"a": float("nan")})
    assert [path.name for path in tmp_path.iterdir()] == ["x.csv"]


PAGES = committed_files("README.md", "docs/*.md")


@pytest.mark.parametrize("page", PAGES)
def test_the_tables_of_a_page_are_the_pipeline_s(monkeypatch, committed, page):
    """If this fails: `make readme`, and commit the pages with the tables."""
    monkeypatch.chdir(committed)
    text = Path(page).read_text(encoding="utf-8")
    readme = runpy.run_path(str(ROOT / "stages" / "readme.py"))
    studies = readme["study_tables"]()
    shared = readme["shared_blocks"](studies)
    assert filled(text, studies) == text
    for name in shared:
        assert f"<!-- {name} -->" not in text or replace_block(text, name, shared[name]) == text
    known = {f"{name} {study}" for name in BLOCKS for study in studies} | {"studies", *shared}
    assert set(re.findall("<!-- ([^/].*?) -->", text)) <= known


def test_a_study_whose_rerun_is_due_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    row = {"is_reported": "true", "labels": "original", "dataset": "mnist", "model": "fc"}
    assert studies_table({"mnist": ("x", [row])}).endswith("| [plots/mnist](plots/mnist) |")
    write_text(tmp_path / "studies/mnist/DUE", "New code.\n")
    assert studies_table({"mnist": ("x", [row])}).endswith(
        "| [plots/mnist](plots/mnist), [rerun due](studies/mnist/DUE) |"
    )


def test_a_study_that_was_not_run_says_so():
    table = studies_table({"fashion_mnist": ("make study STUDY=fashion_mnist", None)})
    assert "not run here" in table.splitlines()[-1]


@pytest.fixture
def shuffled(tables):
    """The same tables as if the net had been fitted to shuffled labels, with a snapshot at 99 %."""
    names = ("exponents", "logit_gaps", "models", "logit_gap_distribution", "error_curves")
    made = {name: read_csv(tables / "plots" / f"{name}.csv") for name in names}
    for rows in made.values():
        for row in rows:
            row |= {"labels": "shuffled", "split": "train"}
    for name in ("exponents", "logit_gaps", "logit_gap_distribution", "error_curves"):
        old = [row for row in made[name] if row.get("attack", "fgsm") == "fgsm"]
        snapshot = {"snapshot": "0.99", "epoch": "3", "train_accuracy": "0.991"}
        made[name] = [
            {**row, **snapshot, **({"curve": "net/fgsm@0.99"} if "curve" in row else {})} for row in old
        ] + old
    return made


def test_shuffled_labels_are_shown_state_by_state(shuffled):
    table = shuffled_table(shuffled["exponents"], shuffled["logit_gaps"], shuffled["models"]).splitlines()
    assert [line.split(" | ")[2] for line in table[2:]] == ["first 99 %", "end"]
    assert "99.1 %" in table[2]


@pytest.mark.parametrize("page", PAGES)
def test_every_path_a_page_names_exists(committed, page):
    text = (committed / page).read_text(encoding="utf-8")
    for path in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (committed / page).parent.joinpath(path).exists(), path


def test_the_table_of_benchmarks_shows_medians_and_ranges():
    results = json.loads((ROOT / "benchmarks" / "results.json").read_text(encoding="utf-8"))
    line = {**results["lines"][0], "ratio": 2.5, "ratio_low": 2.0, "ratio_high": 3.0, "matmul_share": 0.876}
    assert benchmarks_table({**results, "lines": [line]}).endswith("| **2.50** [2.00, 3.00] | 88 % |")


def test_verdicts_by_least_squares_and_of_other_studies_are_told():
    row = {"claim": "C01", "statement": "s", "numbers": "n", "measured": "m", "study": "mnist", "reason": ""}
    row |= {"verdict": "scaled", "analogue": "fails", "least_squares": "holds"}
    claims = [row | {"others": "cifar10: holds; digits: scaled (holds); zoo: fails"}]
    claims.append(row | {"claim": "C02", "least_squares": "fails", "others": "digits: not run"})
    assert claims_table(claims).splitlines()[2].endswith("| scaled: fails (holds on cifar10) |")
    assert claims_table(claims).splitlines()[3].endswith("| scaled: fails |")
    line = least_squares_line(claims)
    assert line.endswith(": C01 holds instead of fails; the same verdict for C02.")
    assert least_squares_line([]) == ""


def test_sets_are_told_apart_and_a_removed_one_is_not_told(tmp_path):
    row = {"net": "a", "baseline": "b", "attack": "pgd", "grid_eps": 8, "difference": 0.1, "difference_low": 0.05}
    for name in ("one", "two", "removed"):
        rows = [{**row, "difference_high": 0.2 if name == "one" else 0.3}]
        write_csv(tmp_path / "trials" / name / "differences.csv", list(rows[0]), rows)
    sets = [{"set": name, "kind": "varied"} for name in ("two", "one")]
    write_csv(tmp_path / "trials" / "sets.csv", ("set", "kind"), sets)
    tables = read_tables(tmp_path, "trials")
    assert set(tables) == {"trials/sets", "trials/one/differences", "trials/two/differences"}
    lines = differences_table(tables).splitlines()
    assert lines[2:] == [
        "| two | a | b | `pgd` | +10.0 [+5.0, +30.0] |",
        "| one | a | b | `pgd` | +10.0 [+5.0, +20.0] |",
    ]
