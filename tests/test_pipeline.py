"""The pipeline through real DVC, on a small study in a repository of its own: what reruns, and what bad input costs."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow

PARAMS = """\
study: small
root: .
params: params.yaml
seed: 0
threads: 2
device: cpu
attack:
  eps_min: 0.1
  eps_max: 16.0
  count: 12
models:
  linear:
    dataset: digits
    arch: linear
    epochs: 3    # kept by -S
    learning_rate: 0.003
  fc:
    dataset: digits
    arch: fc
    widths:
    - 16
    epochs: 3
    learning_rate: 0.003
attacks:
  one_step:
    fgsm:
      direction: sign
      target: true_label
      clip: false
    fgsm_predicted:
      direction: sign
      target: predicted_label
      clip: false
  iterative:
    pgd:
      norm: linf
      steps: 3
      step_size:
        relative: 0.5
      target: true_label
      clip: false
sweeps:
  linear:
    model: linear
    dataset: digits
    family: one_step
    attacks:
    - fgsm
  fc:
    model: fc
    dataset: digits
    family: one_step
    attacks:
    - fgsm
  fc_pgd:
    model: fc
    dataset: digits
    family: iterative
    attacks:
    - pgd
fit:
  min_errors: 3
  max_error: 0.3
  bootstrap: 100
  confidence: 0.95
  headline:
  - fc/fgsm
response:
  rays:
    eps_min: 0.5
    eps_max: 64.0
    count: 8
    followed: 2
    residual: 20
  nets:
    fc:
      dataset: digits
      attacks:
      - fgsm
      - fgsm_predicted
theory:
  cut_offs:
  - 0.2
  compared:
  - fc
order_statistics:
  laws:
  - uniform
  classes: 10
  samples: 20000
  cut_offs:
  - 0.1
"""


class Repository:
    """A git and DVC repository with this code and the small study."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("src", "stages", "datasets"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "dvc.lock"))
        for name in ("dvc.yaml", ".gitignore", ".dvcignore", ".dvc/config", ".dvc/.gitignore", ".dvc/plots"):
            (folder / name).parent.mkdir(exist_ok=True)
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, folder / name)
        (folder / "params.yaml").write_text(PARAMS, encoding="utf-8")
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.email", "test@example.org")
        self.git("config", "user.name", "test")
        self.commit("the small study")

    @property
    def environment(self) -> dict[str, str]:
        unset = ("PYTHONPATH", "ADVLAW_MIRROR", "DVC_ROOT", "PYTHONDONTWRITEBYTECODE")
        kept = {key: value for key, value in os.environ.items() if key not in unset}
        return {**kept, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"}

    def run(self, *command: str, fails: bool = False) -> str:
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        output = done.stdout + done.stderr
        assert (done.returncode != 0) == fails, output
        return output

    def git(self, *arguments: str) -> str:
        return self.run("git", *arguments)

    def dvc(self, *arguments: str, fails: bool = False) -> str:
        return self.run("dvc", *arguments, fails=fails)

    def commit(self, message: str) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)

    def change(self, old: str, new: str, file: str = "params.yaml") -> None:
        path = self.folder / file
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def text(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")


def ran(output: str) -> set[str]:
    """The stages that were run, but for the check of the params."""
    lines = [line.removeprefix("Running stage '") for line in output.splitlines() if line.startswith("Running stage '")]
    return {line.split("'")[0].removeprefix("datasets/dvc.yaml:") for line in lines} - {"check"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A repository in which the small study has been run and committed."""
    repository = Repository(tmp_path_factory.mktemp("finished"))
    repository.dvc("repro")
    repository.commit("results")
    return repository


@pytest.fixture
def repository(finished, tmp_path):
    """A copy of the finished repository, cache and all."""
    shutil.copytree(finished.folder, tmp_path / "copy", symlinks=True)
    copy = object.__new__(Repository)
    copy.folder = tmp_path / "copy"
    return copy


SWEEPS = {"sweep@linear", "sweep@fc", "sweep@fc_pgd"}
REST = {"fit", "figures"}


def test_nothing_reruns_when_nothing_changed_and_the_tree_is_clean(finished):
    finished.dvc("repro")
    start = time.monotonic()
    assert ran(finished.dvc("repro")) == set()
    assert time.monotonic() - start < 15  # 3 s on a quiet machine: `make bench` measures it
    assert finished.git("status", "--porcelain") == ""


def test_eps_max_reruns_no_training_and_changes_one_line(repository):
    output = repository.dvc("exp", "run", "-S", "attack.eps_max=32")
    assert ran(output) == SWEEPS | REST
    changed = [line for line in repository.git("diff", "HEAD", "--", "params.yaml").splitlines() if line[:1] in "+-"]
    assert [line for line in changed if not line.startswith(("+++", "---"))] == ["-  eps_max: 16.0", "+  eps_max: 32"]
    assert "# kept by -S" in repository.text("params.yaml")
    assert "32" in repository.dvc("exp", "show", "--csv")


def test_pgd_steps_rerun_iterative_sweeps_alone(repository):
    repository.change("steps: 3", "steps: 4")
    assert ran(repository.dvc("repro")) == {"sweep@fc_pgd"} | REST


def test_one_model_reruns_its_own_chain_alone(repository):
    repository.change("epochs: 3    # kept by -S", "epochs: 4")
    assert ran(repository.dvc("repro")) == {"train@linear", "sweep@linear"} | REST


@pytest.mark.parametrize(
    ("old", "new", "file", "expected"),
    [
        ("Row = dict[str, Any]\n", "Row = dict[str, Any]  # changed\n", "src/advlaw/theory/predictions.py", {"theory"}),
        ("  - 0.2\n", "  - 0.3\n", "params.yaml", {"theory"}),
        ("eps_max: 64.0", "eps_max: 32.0", "params.yaml", {"response@fc", "theory"}),
        ("samples: 20000", "samples: 30000", "params.yaml", {"order_statistics"}),
    ],
)
def test_theory_reruns_no_training_and_no_sweep(repository, old, new, file, expected):
    repository.change(old, new, file)
    found = ran(repository.dvc("repro"))
    assert expected <= found <= expected | {"figures"}


def test_a_new_model_needs_no_code(repository):
    entry = (
        "  wide:\n    dataset: digits\n    arch: fc\n    widths:\n    - 32\n    epochs: 2\n    learning_rate: 0.003\n"
    )
    sweep = "  wide:\n    model: wide\n    dataset: digits\n    family: one_step\n    attacks:\n    - fgsm\n"
    repository.change("attacks:\n  one_step", entry + "attacks:\n  one_step")
    repository.change("fit:\n", sweep + "fit:\n")
    assert ran(repository.dvc("repro")) == {"train@wide", "sweep@wide"} | REST
    assert "wide/fgsm" in repository.text("plots/small/exponents.csv")


def test_a_net_is_attacked_as_it_was_at_several_training_accuracies(repository):
    repository.change("    epochs: 3    # kept by -S\n", "    epochs: 9\n    snapshots:\n    - 0.3\n    - 0.6\n")
    repository.change("  fc:\n    model: fc\n", "  fc:\n    model: fc\n    split: train\n")
    repository.change("    attacks:\n    - fgsm\n", "    attacks:\n    - fgsm\n    snapshots:\n    - 0.3\n    - 0.6\n")
    assert ran(repository.dvc("repro")) == {"train@linear", "sweep@linear", "sweep@fc"} | REST
    nets = [line.split(",")[0] for line in repository.text("plots/small/logit_gaps.csv").splitlines()]
    assert nets == ["net", "linear@0.3", "linear@0.6", "linear", "fc", "fc"]  # fc on training and on test images
    assert "linear/fgsm@0.3" in repository.text("plots/small/exponents.csv")
    repository.change("    - 0.6\n", "    - 0.7\n")  # of the model, not of its sweep
    assert "sweeps.linear.snapshots = 0.6: not among models.linear.snapshots: [0.3, 0.7]" in repository.dvc(
        "repro", fails=True
    )


def test_an_empty_section_switches_its_stages_off(repository):
    text = repository.text("params.yaml")
    start, end = text.index("sweeps:\n"), text.index("fit:\n")
    (repository.folder / "params.yaml").write_text(text[:start] + "sweeps: {}\n" + text[end:], encoding="utf-8")
    repository.change("  headline:\n  - fc/fgsm", "  headline: []")
    repository.change("  compared:\n  - fc", "  compared: []")
    text = repository.text("params.yaml")
    start, end = text.index("  nets:\n"), text.index("theory:\n")
    (repository.folder / "params.yaml").write_text(text[:start] + "  nets: {}\n" + text[end:], encoding="utf-8")
    assert ran(repository.dvc("repro")) == REST | {"theory"}
    assert repository.text("plots/small/error_curves.csv").count("\n") == 1
    assert not (repository.folder / "plots" / "small" / "theory" / "curves.csv").exists()
    repository.dvc("plots", "show")


def test_metrics_of_two_branches_are_compared(repository):
    repository.git("checkout", "-q", "-b", "longer")
    repository.change("epochs: 3    # kept by -S", "epochs: 6")
    repository.dvc("repro")
    repository.commit("longer training")
    table = json.loads(repository.dvc("metrics", "diff", "main", "longer", "--json"))
    (found,) = table.values()
    assert set(found) == {"test_accuracy.linear"}
    before, after = found["test_accuracy.linear"]["old"], found["test_accuracy.linear"]["new"]
    assert found["test_accuracy.linear"]["diff"] == pytest.approx(after - before)
    assert after != before
    plots = repository.dvc("plots", "diff", "main", "longer")
    assert "index.html" in plots


def test_running_again_by_force_gives_the_same_lock(repository):
    before = {name: repository.text(name) for name in ("dvc.lock", "datasets/dvc.lock")}
    repository.dvc("repro", "--force")
    assert {name: repository.text(name) for name in before} == before
    assert repository.git("status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("epochs: 3    # kept by -S", "epoch: 3", "models.linear: unknown key 'epoch'; did you mean 'epochs'?"),
        ("eps_min: 0.1", "eps_min: 20.0", "attack: eps_min = 20 must be below eps_max = 16"),
        ("model: linear", "model: vgg", "sweeps.linear.model = 'vgg': not among the models: fc, linear"),
    ],
)
def test_bad_params_stop_before_any_stage_and_lose_nothing(repository, old, new, message):
    repository.change(old, new)
    output = repository.dvc("repro", fails=True)
    assert f"error: params.yaml: {message}" in output
    assert "Traceback" not in output
    assert ran(output) == set()
    repository.change(new, old)
    assert ran(repository.dvc("repro")) == set()
    assert repository.git("status", "--porcelain") == ""


def test_a_wrong_type_on_the_command_line_stops_before_any_stage(repository):
    output = repository.dvc("exp", "run", "--temp", "-S", "attack.eps_max=abc", fails=True)
    assert "attack.eps_max = 'abc': should be a valid number" in output
    assert ran(output) == set()
    assert repository.git("status", "--porcelain") == ""
    assert ran(repository.dvc("repro")) == set()


def test_experiments_in_a_snapshot_import_the_snapshot_s_code(repository):
    repository.change('print(f"{path}: {len(', 'print(f"changed {path}: {len(', "stages/check.py")
    repository.change("def load_study(", "print('from', __file__)\n\n\ndef load_study(", "src/advlaw/config/study.py")
    output = repository.dvc("exp", "run", "--temp", "-S", "fit.bootstrap=120")
    (origin,) = [line for line in output.splitlines() if line.startswith("from ")]
    assert str(repository.folder / "src") not in origin
    assert "/.dvc/tmp/exps/" in origin


@pytest.mark.parametrize(
    ("mirror", "message"),
    [("nowhere", "no such folder"), ("mirror", "train-images-idx3-ubyte.gz: contents are not mnist/train-images")],
)
def test_a_bad_mirror_is_a_clear_error_and_leaves_nothing(repository, monkeypatch, mirror, message):
    folder = repository.folder.parent / "mirror" / "mnist"
    folder.mkdir(parents=True)
    (folder / "train-images-idx3-ubyte.gz").write_bytes(b"corrupt")
    wanted = repository.folder.parent / mirror
    repository.change("dataset: digits", "dataset: mnist")
    repository.change("model: linear\n    dataset: digits", "model: linear\n    dataset: mnist")
    monkeypatch.setattr(Repository, "environment", {**repository.environment, "ADVLAW_MIRROR": str(wanted)})
    output = repository.dvc("repro", fails=True)
    assert f"error: ADVLAW_MIRROR = {wanted}" in output or f"error: {wanted}/mnist/" in output
    assert message in output
    assert "Traceback" not in output
    assert not list((repository.folder / "data").rglob("*mnist*"))
    repository.git("checkout", "--", "params.yaml")
    assert ran(repository.dvc("repro")) == set()


def test_a_training_killed_in_the_middle_resumes_to_the_same_bytes(repository):
    repository.change("widths:\n    - 16\n    epochs: 3", "widths:\n    - 64\n    - 64\n    epochs: 1500")
    shutil.copytree(repository.folder, repository.folder.parent / "whole", symlinks=True)
    whole = object.__new__(Repository)
    whole.folder = repository.folder.parent / "whole"
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
    deadline = time.monotonic() + 120
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
    assert not list(checkpoints.iterdir())
