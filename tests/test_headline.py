"""What `make repro` and `make study` print last: read from what the study wrote, however long ago that was."""

import os
import re
import runpy
import subprocess

import pytest
from raw_csv import read_csv
from repository import ROOT

from advlaw.core.section import read_yaml
from advlaw.core.words import law


def printed(params: str, capsys, monkeypatch, started: float = 0.0) -> list[str]:
    monkeypatch.setattr("sys.argv", ["headline.py", "--params", params, "--started", str(started)])
    monkeypatch.setattr("time.time", lambda: 312.4)
    runpy.run_path(str(ROOT / "stages/headline.py"), run_name="__main__")
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("params", ["params.yaml", "studies/mnist/params.yaml"])
def test_the_numbers_are_those_of_the_study_s_files(committed, monkeypatch, capsys, params):
    monkeypatch.chdir(committed)
    study = read_yaml(committed / params)
    blank, name, *curves, claims, report, took, following = printed(params, capsys, monkeypatch)
    assert (blank, name, took) == ("", study["study"], "took: 5 min 12 s")
    plots = committed / "plots" / study["study"]
    accuracies = {row["model"]: float(row["test_accuracy"]) for row in read_csv(plots / "models.csv")}
    rows = {row["curve"]: row for row in read_csv(plots / "laws/exponents.csv")}
    assert sorted(line.split(":")[0].strip() for line in curves) == sorted(study["fit"]["headline"])
    for line in curves:
        curve = line.split(":")[0].strip()
        ends = {key: float(value or "nan") for key, value in rows[curve].items() if key.startswith("exponent")}
        assert f"B = {law({**ends, 'remark': ''})} as ε -> 0" in line
        assert line.endswith(f"clean accuracy {accuracies[curve.split('/')[0]]:.1%}")
    verdicts = [row["verdict"] for row in read_csv(plots / "claims.csv")]
    assert claims.startswith(f"  {len(verdicts)} claims: {verdicts.count('holds')} hold, ")
    assert sum(int(count) for count in re.findall(r"(\d+) [a-z]", claims.split(":")[1])) == len(verdicts)
    assert (committed / report.removeprefix("report: ")).is_file()
    where = "" if params == "params.yaml" else f"{params}:"
    assert f"dvc exp run -S {where}attack.eps_max={study['attack']['eps_max'] / 2:g}" in following


def test_a_curve_without_a_law_and_a_run_of_seconds_are_said(committed, tmp_path, monkeypatch, capsys):
    for name in ("params.yaml", "metrics/digits/summary.json", "plots/digits/curves.csv", "plots/digits/models.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text((committed / name).read_text("utf-8"), encoding="utf-8")
    (tmp_path / "plots/digits/laws").mkdir()
    text = (committed / "plots/digits/laws/exponents.csv").read_text("utf-8")
    header, *lines = text.splitlines()
    lines = [line + "too few errors" if line.startswith("fc/fgsm,") else line for line in lines]
    (tmp_path / "plots/digits/laws/exponents.csv").write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    shown = printed("params.yaml", capsys, monkeypatch, started=302.0)
    assert "took: 10 s" in shown
    assert any(line.startswith("  fc/fgsm: no law: too few errors, clean accuracy ") for line in shown)


@pytest.mark.parametrize(
    ("target", "params"), [(["repro"], "params.yaml"), (["study", "STUDY=mnist"], "studies/mnist/params.yaml")]
)
def test_it_is_the_last_that_make_runs_for_a_study(target, params):
    own = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}  # of `make test`
    command = ["make", "--dry-run", *target]
    shown = subprocess.run(command, cwd=ROOT, env=own, capture_output=True, text=True, check=True).stdout
    *_, study, last = shown.splitlines()
    assert study.startswith("dvc repro")
    assert re.fullmatch(rf"python stages/headline\.py --params {params} --started \d{{10}}", last)
