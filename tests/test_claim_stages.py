"""The claims of the committed studies, the two stages that judge them, and the summary over studies."""

import json
import runpy
import sys

import pytest
from claim_tables import CASES, CLAIMS, ROOT, STUDIES, a_study

from advlaw.claims.finding import VERDICTS
from advlaw.claims.registry import CLAIM_COLUMNS, PART_COLUMNS, judge, summary
from advlaw.claims.study import read_evidence
from advlaw.claims.summary import summarise
from advlaw.core.io import read_csv, write_csv


@pytest.mark.parametrize("name", STUDIES)
def test_committed_studies_have_a_verdict_for_every_claim(committed, name):
    study = read_evidence(committed / STUDIES[name], committed / "plots", ROOT / "claims")
    rows, parts = judge(study, CLAIMS)
    assert [row["claim"] for row in rows] == [claim["id"] for claim in CLAIMS]
    for row in rows:
        assert row["verdict"] in VERDICTS
        assert bool(row["analogue"]) == (row["verdict"] == "scaled")
        assert row["reason"] or row["verdict"] not in ("scaled", "not run")
        assert row["measured"] or row["verdict"] == "not run"
    assert {part["claim"] for part in parts} <= {row["claim"] for row in rows}
    numbers = summary(study, rows)
    assert sum(numbers["claims"].values()) == len(CLAIMS)
    assert numbers["exponent"].keys() == set(study.headline)


def run_stage(monkeypatch, folder, stage, *arguments):
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", [stage, *arguments])
    runpy.run_path(str(ROOT / "stages" / stage), run_name="__main__")


@pytest.fixture
def repository_of_tables(committed, tmp_path):
    """What the stages read: params, claims and the committed tables of two studies."""
    for name in ("claims", "plots"):
        (tmp_path / name).mkdir()
    for file in (ROOT / "claims").glob("*.csv"):
        (tmp_path / "claims" / file.name).write_bytes(file.read_bytes())
    for name in ("digits", "cifar10"):
        (tmp_path / "plots" / name).symlink_to(tmp_path / f"tables_{name}")
        for file in (committed / "plots" / name).rglob("*.csv"):
            copy = tmp_path / f"tables_{name}" / file.relative_to(committed / "plots" / name)
            copy.parent.mkdir(parents=True, exist_ok=True)
            if not file.name.startswith("claim"):
                copy.write_bytes(file.read_bytes())
        params = tmp_path / STUDIES[name]
        params.parent.mkdir(parents=True, exist_ok=True)
        params.write_bytes((committed / STUDIES[name]).read_bytes())
    return tmp_path


def test_the_stages_write_the_same_bytes_again(committed, repository_of_tables, monkeypatch, capsys):
    folder = repository_of_tables
    written = []
    for _ in range(2):
        for name in ("digits", "cifar10"):
            run_stage(monkeypatch, folder, "claims.py", "--params", STUDIES[name])
        run_stage(monkeypatch, folder, "summary.py")
        files = [f"plots/{name}/claims.csv" for name in ("digits", "cifar10", "summary")]
        files += ["plots/digits/claim_parts.csv", "metrics/digits/summary.json", "metrics/summary/summary.json"]
        written.append([(folder / file).read_bytes() for file in files])
    assert written[0] == written[1]
    assert "66 claims, from digits, cifar10" in capsys.readouterr().out
    rows = read_csv(folder / "plots" / "digits" / "claims.csv")
    assert tuple(rows[0]) == CLAIM_COLUMNS
    assert tuple(read_csv(folder / "plots" / "digits" / "claim_parts.csv")[0]) == PART_COLUMNS
    found = json.loads((folder / "metrics" / "digits" / "summary.json").read_text())
    assert found["claims"] == {name: sum(row["verdict"] == name for row in rows) for name in VERDICTS}
    models = read_csv(committed / "plots/digits/models.csv")
    accuracies = {row["model"]: float(row["test_accuracy"]) for row in models}
    assert found["test_accuracy"] == pytest.approx(accuracies, abs=1e-6)


def test_a_missing_table_is_named(repository_of_tables, monkeypatch):
    (repository_of_tables / "plots" / "digits" / "models.csv").unlink()
    with pytest.raises(SystemExit, match=r"models\.csv: no such file"):
        run_stage(monkeypatch, repository_of_tables, "claims.py", "--params", "params.yaml")


def test_a_summary_of_nothing_says_what_to_do(repository_of_tables, monkeypatch):
    with pytest.raises(SystemExit, match="run the claims stage"):
        run_stage(monkeypatch, repository_of_tables, "summary.py")


def verdict_rows(verdict, analogue=""):
    row = dict.fromkeys(CLAIM_COLUMNS, "") | {"claim": "C12", "verdict": verdict, "analogue": analogue}
    return [row]


def test_the_summary_takes_the_direct_verdict_then_the_best_study():
    claims = [{"id": "C12", "best_on": "cifar10"}]
    tables = {"digits": verdict_rows("not run"), "mnist": verdict_rows("scaled", "fails"), "zoo": verdict_rows("holds")}
    (row,) = summarise(tables, claims)
    assert (row["study"], row["verdict"], row["others"]) == ("zoo", "holds", "mnist: scaled (fails); digits: not run")
    (row,) = summarise({**tables, "mnist": verdict_rows("fails"), "cifar10": verdict_rows("inconclusive")}, claims)
    assert (row["study"], row["others"]) == ("cifar10", "mnist: fails; zoo: holds; digits: not run")
    with pytest.raises(ValueError, match="C12 is missing"):
        summarise({"mnist": []}, claims)


def test_tables_of_claims_can_be_written_and_read(tmp_path):
    rows, parts = judge(a_study(CASES["C01"][0]), CLAIMS[:1])
    write_csv(tmp_path / "parts.csv", PART_COLUMNS, parts)
    back = read_csv(tmp_path / "parts.csv")
    assert [row["allowed_high"] for row in back] == ["1.3", "1.3"]
    assert rows[0]["n_parts"] == len(back) == 2
