"""The pipeline through real DVC: what was killed, forced, copied or left out ends in the same bytes."""

import shutil
import subprocess
import time

import psutil
import pytest
from repository import Repository

pytestmark = pytest.mark.slow


def test_running_again_by_force_gives_the_same_lock(repository):
    before = {name: repository.text(name) for name in ("dvc.lock", "datasets/dvc.lock")}
    repository.dvc("repro", "--force")
    assert {name: repository.text(name) for name in before} == before
    assert repository.git("status", "--porcelain") == ""


def test_experiments_in_a_snapshot_import_the_snapshot_s_code(repository):
    repository.change('print(f"{path}: {len(', 'print(f"changed {path}: {len(', "stages/check.py")
    repository.change("def load_study(", "print('from', __file__)\n\n\ndef load_study(", "src/advlaw/config/study.py")
    output = repository.dvc("exp", "run", "--temp", "-S", "fit.bootstrap=120")
    (origin,) = [line for line in output.splitlines() if line.startswith("from ")]
    assert str(repository.folder / "src") not in origin
    assert "/.dvc/tmp/exps/" in origin


def test_a_training_killed_in_the_middle_resumes_to_the_same_bytes(repository):
    repository.change("widths:\n    - 16\n    epochs: 3", "widths:\n    - 64\n    - 64\n    epochs: 1500")
    shutil.copytree(repository.folder, repository.folder.parent / "whole", symlinks=True)
    whole = Repository.at(repository.folder.parent / "whole")
    whole.dvc("repro", "train@fc")

    command = ["dvc", "repro", "train@fc"]
    running = subprocess.Popen(
        command,
        cwd=repository.folder,
        env=repository.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    checkpoints = repository.folder / ".ckpt"
    deadline = time.monotonic() + 600
    while not list(checkpoints.glob("*/state.pt")) and time.monotonic() < deadline:
        assert running.poll() is None, "the training ended before it could be killed"
        time.sleep(0.05)
    family = [psutil.Process(running.pid), *psutil.Process(running.pid).children(recursive=True)]
    assert any("stages/train.py" in " ".join(process.cmdline()) for process in family)
    for process in family:
        process.kill()
    running.wait()
    psutil.wait_procs(family[1:])
    assert list(checkpoints.glob("*/state.pt"))

    assert "going on after epoch" in repository.dvc("repro", "train@fc")
    for name in ("models/small/fc/weights.safetensors", "models/small/fc/row.json", "plots/small/training/fc.csv"):
        assert (repository.folder / name).read_bytes() == (whole.folder / name).read_bytes(), name
    assert repository.text("dvc.lock") == whole.text("dvc.lock")
    assert not list(checkpoints.glob("*/state.pt"))
