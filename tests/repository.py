"""A repository of its own with the small study, and what real DVC ran in it; and what this one has committed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path, PurePath

ROOT = Path(__file__).parents[1]

PARAMS = """\
study: small
root: .
params: params.yaml
seed: 0
threads: 2
device: cpu
portable: true
datasets:
- digits
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
robust_models:
  fc_robust:
    dataset: digits
    arch: fc
    widths:
    - 16
    epochs: 2
    learning_rate: 0.003
    adversarial:
      attack: iterative.pgd_clipped
      images: 64
      weight: 0.3
      eps:
        sigma: 8.0
        largest: 16.0
      probe_eps: 8.0
pretrained_models: {}
baselines:
  fc_robust: fc
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
    step_ll_clipped:
      direction: sign
      target: least_likely
      clip: true
  iterative:
    pgd:
      norm: linf
      steps: 3
      step_size:
        relative: 0.5
      target: true_label
      clip: false
    pgd_clipped:
      norm: linf
      steps: 2
      step_size:
        relative: 0.5
      target: true_label
      clip: true
  apgd:
    apgd_ce:
      loss: cross_entropy
      steps: 3
      clip: true
  query:
    square:
      queries: 4
      clip: true
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
workers:
  backend: loky
  processes: 2
trials:
  sampled:
    dataset: digits
    count: 3
    draw:
      fc_share: 0.5
      fc:
        hidden_layers: [1, 2]
        units: [8, 32]
      cnn:
        convolutions: [1, 2]
        filters: [2, 6]
        kernel_sizes: [3]
        dense_units: [8, 16]
        dropout: [0.0, 0.5]
    training:
      epochs: 3
      learning_rate: 0.003
      batch_size: 64
      watched: 0
    measure:
      attacks: [one_step.fgsm]
      reference_eps: [4.0]
  varied:
    dataset: digits
    base:
      arch: fc
      widths: [24]
      epochs: 3
      learning_rate: 0.003
      batch_size: 64
      watched: 0
      adversarial:
        attack: one_step.step_ll_clipped
        images: 32
        weight: 0.3
        eps: {sigma: 8.0, largest: 16.0}
        probe_eps: 8.0
    nets:
      plain: {adversarial: null}
      base: {baseline: plain}
      images_16: {adversarial: {images: 16}, baseline: plain}
      pgd: {adversarial: {attack: iterative.pgd_clipped}, baseline: plain}
      base_b: {seed: 1}
    measure:
      attacks: [one_step.step_ll_clipped, iterative.pgd_clipped]
      reference_eps: [8.0]
      grid: {eps_min: 4.0, eps_max: 16.0, count: 3}
      images: 60
worst_case:
  protocol:
    images: 20
    eps:
    - 8.0
    weak: iterative.pgd_clipped
    attacks:
    - apgd.apgd_ce
    - query.square
    transferred:
    - iterative.pgd_clipped
  nets:
    fc_robust:
      dataset: digits
      source: fc
    fc:
      dataset: digits
      source: fc_robust
"""


def environment() -> dict[str, str]:
    """A new user's, whose `python` and `dvc` are those that run the tests."""
    unset = ("PYTHONPATH", "ADVLAW_MIRROR", "DVC_ROOT", "PYTHONDONTWRITEBYTECODE")
    kept = {key: value for key, value in os.environ.items() if key not in unset}
    return {**kept, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"}


def committed_files(*patterns: str) -> list[str]:
    """The files of HEAD that match one of the patterns, from this repository's root."""
    listed = git_of_this_repository("ls-tree", "-r", "--name-only", "HEAD").splitlines()
    return [name for name in listed if any(PurePath(name).match(pattern) for pattern in patterns)]


def clone_committed(folder: Path) -> Path:
    """What HEAD holds, as a repository of its own in `folder`."""
    git_of_this_repository("clone", "-q", ".", str(folder))
    return folder


def git_of_this_repository(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{ROOT}: what is committed is tested: a git checkout is needed.\n{done.stderr.strip()}")
    return done.stdout


class Repository:
    """A git and DVC repository with this code and the small study."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)  # what another process began
        folder.mkdir()
        for name in ("src", "stages", "datasets", "claims"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "dvc.lock"))
        files = ("dvc.yaml", "requirements.txt", "benchmarks/results.json", ".gitignore", ".dvcignore")
        for name in (*files, ".dvc/config", ".dvc/.gitignore", ".dvc/plots"):
            (folder / name).parent.mkdir(exist_ok=True)
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, folder / name)
        (folder / "params.yaml").write_text(PARAMS, encoding="utf-8")
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.email", "test@example.org")
        self.git("config", "user.name", "test")
        self.commit("the small study")

    @classmethod
    def at(cls, folder: Path) -> "Repository":
        """One that is there already."""
        repository = object.__new__(cls)
        repository.folder = folder
        return repository

    @property
    def environment(self) -> dict[str, str]:
        return environment()

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
