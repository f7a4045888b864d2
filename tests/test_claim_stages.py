"""The claims of the committed studies, the two stages that judge them, and the summary over studies."""

import json
import math
import runpy
import sys

import pytest
from claim_laws import exponent, exponents
from claim_tables import CLAIMS, JUDGES, ROOT, STUDIES, a_study, frame, model

from advlaw.claims.finding import QUESTIONS, VERDICTS, column
from advlaw.claims.judge import judge, summary
from advlaw.claims.printed import printed_parts
from advlaw.claims.study import read_evidence
from advlaw.claims.summary import summarise
from advlaw.claims.wording import displayed
from advlaw.core.tables import read_table, records

CLAIM_COLUMNS = ["claim", "verdict", "analogue", "as_a_law", "as_printed", "straight", "n_parts", "reason"]
PART_COLUMNS = ["claim", "question", "subject", "quantity", "value", "low", "high", "n", "allowed_low", "allowed_high"]
PART_COLUMNS += ["verdict", "n_together", "n_settles", "p_value", "unit", "remark"]
ASKED = {"C13": "as printed", "C14": "as printed"}  # of the visible range; others are asked as laws


@pytest.mark.parametrize("name", STUDIES)
def test_committed_studies_have_a_verdict_for_every_claim(committed, name):
    study = read_evidence(committed / STUDIES[name], committed / "plots")
    rows, parts = judge(study, JUDGES, printed_parts(ROOT / "claims"))
    assert [row["claim"] for row in rows] == list(CLAIMS["id"])
    for row in displayed(frame(rows), frame(parts), CLAIMS):
        assert bool(row["analogue"]) == (row["verdict"] == "scaled")
        assert row["reason"] or row["verdict"] not in ("scaled", "not run")
        assert row["measured"] or row["verdict"] == "not run"
        counted = ("", ASKED.get(row["claim"], "as a law"))
        assert len([part for part in row["parts"] if part["verdict"] and part["question"] in counted]) == row["n_parts"]
        assert {part["question"] for part in row["parts"] if part["verdict"]} - {""} == {
            question for question in QUESTIONS if row[column(question)]
        }
    numbers = summary(study, rows)
    assert sum(numbers["claims"].values()) == len(CLAIMS)
    assert numbers["exponent"].keys() == set(study.headline)


def ends(*numbers):
    return dict(zip(("B", "low", "high"), numbers, strict=True))


def test_a_studys_few_numbers_are_its_verdicts_its_headline_exponents_and_their_nets_accuracies():
    curves = [exponent("fgsm", 1.26505), exponent("l2", math.nan, sweep="cnn"), exponent("l2", 1.0, sweep="linear")]
    models = [model("fc", 0.9685185), model("cnn"), model("linear")]
    study = a_study(exponents(*curves) | {"models": models}, headline=["cnn/l2", "fc/fgsm", "fc/pgd"])
    rows, _ = judge(study, {"C01": JUDGES["C01"]}, {})
    assert summary(study, rows) == {
        "claims": dict.fromkeys(VERDICTS, 0) | {"inconclusive": 1},
        "exponent": {"fc/fgsm": ends(1.2651, 1.2151, 1.3151), "cnn/l2": ends(None, None, None)},
        "test_accuracy": {"fc": 0.968519, "cnn": 0.98},  # rounded half up, as more digits would say
    }


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
    rows = read_table(folder / "plots" / "digits" / "claims.csv")
    assert list(rows) == CLAIM_COLUMNS
    assert list(read_table(folder / "plots" / "digits" / "claim_parts.csv")) == PART_COLUMNS
    assert list(read_table(folder / "plots" / "summary" / "claims.csv")) == [*CLAIM_COLUMNS, "study", "others"]
    found = json.loads((folder / "metrics" / "digits" / "summary.json").read_text())
    assert found["claims"] == {name: sum(rows["verdict"] == name) for name in VERDICTS}
    models = {row["model"]: row["test_accuracy"] for row in records(read_table(committed / "plots/digits/models.csv"))}
    assert found["test_accuracy"] == {name: pytest.approx(models[name], abs=1e-6) for name in found["test_accuracy"]}
    n_exponents = sum(map(len, found["exponent"].values()))
    assert len(found["claims"]) + len(found["test_accuracy"]) + n_exponents <= 20


def test_a_missing_table_is_named(repository_of_tables, monkeypatch):
    (repository_of_tables / "plots" / "digits" / "models.csv").unlink()
    with pytest.raises(SystemExit, match=r"models\.csv: no such file"):
        run_stage(monkeypatch, repository_of_tables, "claims.py", "--params", "params.yaml")


def test_a_summary_of_nothing_says_what_to_do(repository_of_tables, monkeypatch):
    with pytest.raises(SystemExit, match="run a study first"):
        run_stage(monkeypatch, repository_of_tables, "summary.py")


def verdict_rows(verdict, analogue=""):
    return frame([dict.fromkeys(CLAIM_COLUMNS, "") | {"claim": "C12", "verdict": verdict, "analogue": analogue}])


def test_the_summary_takes_the_direct_verdict_then_the_best_study():
    claims = frame([{"id": "C12", "best_on": "cifar10"}])
    tables = {"digits": verdict_rows("not run"), "mnist": verdict_rows("scaled", "fails"), "zoo": verdict_rows("holds")}
    (row,) = summarise(tables, claims)
    assert (row["study"], row["verdict"], row["others"]) == ("zoo", "holds", "mnist: scaled (fails); digits: not run")
    (row,) = summarise({**tables, "mnist": verdict_rows("fails"), "cifar10": verdict_rows("inconclusive")}, claims)
    assert (row["study"], row["others"]) == ("cifar10", "mnist: fails; zoo: holds; digits: not run")
    with pytest.raises(ValueError, match=r"plots/mnist/claims.csv: C12 is missing; run the study's claims stage"):
        summarise({"mnist": verdict_rows("holds").assign(claim="C11")}, claims)
