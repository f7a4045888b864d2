"""The pipeline through real DVC: what was killed, forced, copied or left out ends in the same bytes."""

import shutil
import subprocess
import time

import psutil
import pytest
from repository import Repository, ran
from ruamel.yaml import YAML

pytestmark = pytest.mark.slow


def test_an_experiment_elsewhere_runs_its_own_code_and_by_force_to_the_same_bytes(repository):
    """Every stage anew in a folder of another name, where nothing is kept: what it writes is its inputs' alone."""
    before = outs(repository.text("dvc.lock"))
    shutil.rmtree(repository.folder / ".ckpt")
    repository.change('print(f"{path}: {len(', 'print(f"changed {path}: {len(', "stages/check.py")
    repository.change("def load_study(", "print('from', __file__)\n\n\ndef load_study(", "src/advlaw/config/study.py")
    output = repository.dvc("exp", "run", "--temp", "--force", "--name", "again")
    (origin,) = [line for line in output.splitlines() if line.startswith("from ")]
    assert str(repository.folder / "src") not in origin
    assert "/.dvc/tmp/exps/" in origin
    assert ran(output) | {"check"} == {*before, "dataset@digits"}
    assert "are there already" not in output
    (found,) = repository.git("for-each-ref", "--format=%(refname)", "refs/exps/**/again").split()
    assert outs(repository.git("show", f"{found}:dvc.lock")) == before
    assert repository.git("diff", "--name-only").split() == ["src/advlaw/config/study.py", "stages/check.py"]


def outs(lock: str) -> dict[str, list]:
    """The files that each stage wrote, with their hashes."""
    return {name: entry["outs"] for name, entry in YAML(typ="safe").load(lock)["stages"].items()}


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
