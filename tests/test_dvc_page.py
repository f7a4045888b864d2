"""docs/dvc.md, by real DVC on the small study: shared results, an experiment undone and repeated, branches merged."""

import shlex
from pathlib import Path

import pytest
from repository import Repository, ran
from test_pipeline import MEASURED, REST, SWEEPS, TABLES

pytestmark = pytest.mark.slow
PAGE = (Path(__file__).parents[1] / "docs" / "dvc.md").read_text(encoding="utf-8")
EXPERIMENT = "dvc exp run -S attack.eps_max=32"
REPEATED = "dvc exp run --pull -S attack.eps_max=32"
SHARE = ("dvc remote add -d shared ../advlaw-results", 'git commit -am "A remote for results"', "dvc push --run-cache")
UNDO = ("touch params.yaml", "git restore -SW params.yaml dvc.lock metrics plots", "dvc checkout --force dvc.yaml")
MERGE = ("git checkout --ours dvc.lock metrics plots", "dvc repro", "git add -A", 'git commit -m "Merge longer"')


def follow(repository: Repository, *commands: str) -> str:
    """Runs commands of the page; what they print."""
    for command in commands:
        assert f"\n$ {command}\n" in PAGE or f"`{command}`" in PAGE, f"docs/dvc.md does not say {command!r}"
    return "".join(repository.run(*shlex.split(command)) for command in commands)


def cloned(repository: Repository, name: str) -> Repository:
    folder = repository.folder.parent / name
    repository.git("clone", "-q", ".", str(folder))
    return Repository.at(folder)


def test_a_clone_takes_all_results_from_a_folder_and_runs_nothing(repository):
    follow(repository, *SHARE)
    second = cloned(repository, "second")
    assert not (second.folder / "models").exists()
    assert ran(follow(second, "dvc repro --pull")) == set()
    assert second.git("status", "--porcelain") == ""
    weights = "models/small/fc/weights.safetensors"
    assert (second.folder / weights).read_bytes() == (repository.folder / weights).read_bytes()
    third = cloned(repository, "third")
    follow(third, "dvc pull --with-deps dvc.yaml")
    assert ran(third.dvc("repro")) == set()


def test_an_experiment_is_repeated_in_a_clone_without_a_training_or_a_sweep_and_undone(repository):
    assert ran(follow(repository, EXPERIMENT)) >= SWEEPS
    follow(repository, *SHARE[:1])
    repository.git("commit", "-q", "-m", "a remote", "--", ".dvc/config")
    follow(repository, *SHARE[2:])
    second = cloned(repository, "second")
    assert ran(follow(second, REPEATED)) == REST | TABLES - {"trials_tables@varied"}
    for name in ("plots/small/exponents.csv", "metrics/small/summary.json", "dvc.lock"):
        assert second.text(name) == repository.text(name)
    follow(repository, *UNDO)
    assert repository.git("status", "--porcelain") == ""
    assert ran(repository.dvc("repro")) == set()


def test_two_branches_that_trained_different_nets_are_merged_without_training(repository):
    repository.git("checkout", "-q", "-b", "longer")
    repository.change("epochs: 3    # kept by -S", "epochs: 5    # kept by -S")
    assert "train@linear" in ran(repository.dvc("repro"))
    repository.commit("linear: 5 epochs")
    repository.git("checkout", "-q", "main")
    repository.change("    - 16\n    epochs: 3", "    - 100\n    epochs: 3")  # another length: git sees it
    assert "train@fc" in ran(repository.dvc("repro"))
    repository.commit("fc: 100 units")
    assert "CONFLICT" in repository.run("git", "merge", "longer", fails=True)
    found = ran(follow(repository, *MERGE))
    assert found & REST == REST
    assert not found & (SWEEPS | MEASURED)
    assert not [name for name in found if name.startswith("train")]
    assert repository.git("status", "--porcelain") == ""
    assert ran(repository.dvc("repro")) == set()
