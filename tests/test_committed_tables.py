"""What is told of every study follows from what is committed: no net is trained again, and no byte changes."""

import subprocess

import pytest
from repository import clone_committed, committed_files, environment, ran

pytestmark = pytest.mark.slow
TOLD = ("claims", "figures", "report")
STUDIES = [".", *(lock.removesuffix("/dvc.lock") for lock in committed_files("studies/*/dvc.lock"))]


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A fresh clone, whose cache is empty."""
    return clone_committed(tmp_path_factory.mktemp("clone") / "advlaw")


@pytest.mark.parametrize("pipeline", [*STUDIES, "summary"])
def test_a_fresh_clone_writes_claims_figures_and_report_from_committed_tables(clone, pipeline):
    stages = [f"{pipeline}/dvc.yaml:{stage}" for stage in TOLD if (pipeline, stage) != ("summary", "figures")]
    done = subprocess.run(
        ["dvc", "repro", "--force", "--single-item", *stages],
        cwd=clone,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert {stage.rpartition(":")[2] for stage in ran(done.stdout)} == {stage.rpartition(":")[2] for stage in stages}
    changed = subprocess.run(["git", "status", "--porcelain"], cwd=clone, capture_output=True, text=True, check=True)
    assert changed.stdout == ""
