"""A repository with a few tables of one study, and the stage that compares them."""

import importlib.util
import json
import subprocess
from pathlib import Path
from typing import Any

from raw_csv import write_csv
from repository import ROOT

EXPONENT_COLUMNS = (
    "curve",
    "kind",
    "estimator",
    "exponent",
    "exponent_low",
    "exponent_high",
    "n_errors",
)
CURVE = dict(zip(EXPONENT_COLUMNS, ("fc/fgsm", "gross", "mean_slope", 1.2, 1.0, 1.5, 90), strict=True))
CLAIM = {"claim": "C01", "verdict": "holds", "analogue": "", "measured": "from 1.1 to 1.2"}
MODEL = {"model": "fc", "dataset": "digits", "test_accuracy": 0.9, "learning_rate": 0.001}
DATASETS = "seed: 0\ndatasets:\n  digits:\n    source: digits\n    train: 1077\n    validation: 180\n    test: 540\n"


def load_stage() -> Any:
    spec = importlib.util.spec_from_file_location("compare_stage", ROOT / "stages/compare.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


stage = load_stage()
compare = stage.compare


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.email=test@example.org", "-c", "user.name=test"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def write(folder: Path, name: str, *rows: dict[str, Any]) -> None:
    """A table of the small study."""
    write_csv(folder / f"plots/small/{name}.csv", list(rows[0]), rows)


def make_tree(folder: Path) -> Path:
    """Its tables, committed."""
    (folder / "datasets").mkdir(parents=True)
    (folder / "datasets/params.yaml").write_text(DATASETS, encoding="utf-8")
    write(folder, "exponents", CURVE, {**CURVE, "curve": "fc/l2"})
    write(folder, "claims", CLAIM)
    write(folder, "models", MODEL)
    (folder / "plots/small/figure.svg").write_text("<svg/>", encoding="utf-8")
    summary = {"claims": {"holds": 1}, "test_accuracy": {"fc": 0.9}}
    (folder / "metrics/small").mkdir(parents=True)
    (folder / "metrics/small/summary.json").write_text(json.dumps(summary), encoding="utf-8")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "tables")
    return folder
