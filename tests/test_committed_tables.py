"""What is told of every study follows from what is committed: no net is trained again, and no byte changes."""

import subprocess

import pytest
from repository import ROOT, environment, ran

pytestmark = pytest.mark.slow
TOLD = ("claims", "figures", "report")
STUDIES = [".", *(path.parent.relative_to(ROOT).as_posix() for path in sorted(ROOT.glob("studies/*/dvc.lock")))]


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A fresh clone, whose cache is empty."""
    folder = tmp_path_factory.mktemp("clone") / "advlaw"
    subprocess.run(["git", "clone", "-q", ROOT, folder], check=True)
    return folder


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
