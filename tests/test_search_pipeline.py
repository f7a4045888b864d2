"""Searches through real DVC and the real libraries of every backend: what is trained anew, and to which bytes."""

import json
import random
import shutil

import pytest
from repository import Repository, ran

pytestmark = pytest.mark.slow
STAGES = ("search", "enlarge", "search_tables")
PLACES = ("data/small/search", "plots/small/search", "models/small/cell_step_ll")


def outputs(repository: Repository) -> dict[str, bytes]:
    """What the searches, the enlarged net and the tables are."""
    files = [path for place in PLACES for path in (repository.folder / place).rglob("*") if path.is_file()]
    return {path.relative_to(repository.folder).as_posix(): path.read_bytes() for path in files}


def cells(repository: Repository, arm: str) -> list[str]:
    found = json.loads(repository.text("data/small/search/children/step_ll.json"))
    return [child["cell"] for child in found["children"] if child["arm"] == arm]


def test_more_children_train_the_further_ones_alone_and_an_enlarged_net_leaves_the_search_alone(repository):
    before = cells(repository, "controller")
    output = repository.dvc("exp", "run", "-S", "search.searches.step_ll.children=6", "search")
    assert ran(output) >= {"search@step_ll"}
    for number in (1, 2):
        assert f"step_ll: controller 0, round {number}: 2 of 2 are there already" in output
    assert "step_ll: random: 3 of 3 are there already" in output
    after = cells(repository, "controller")
    assert (len(after), after[: len(before)]) == (6, before)
    again = ran(repository.dvc("exp", "run", "-S", "search.enlarged.net.filters=6", "search", "enlarge"))
    assert "enlarge@cell_step_ll" in again
    assert "search@step_ll" not in again


@pytest.mark.parametrize("backend", ["loky", "ray", "dask"])
def test_every_backend_trains_the_same_children_though_a_worker_is_killed(repository, backend):
    expected = outputs(repository)
    shutil.rmtree(repository.folder / ".ckpt")
    repository.change("backend: loky\n  processes: 1", f"backend: {backend}\n  processes: 2")
    line = "    device = configure(1, plan.device, plan.portable)\n"
    was_killed = repository.kill_a_worker("src/advlaw/search/child.py", line)
    output = repository.dvc("repro", "--single-item", "search@step_ll", "enlarge@cell_step_ll")
    assert ran(output) == {"search@step_ll", "enlarge@cell_step_ll"}
    assert "are there already" not in output
    assert was_killed.exists()
    assert (": a worker was killed; others go on" in output) == (backend == "loky")  # see LOST
    assert outputs(repository) == expected


def test_a_search_killed_twice_ends_in_the_same_bytes(repository):
    repository.change("weight: 0.3\n        eps: {fixed: 16.0}", "weight: 0.4\n        eps: {fixed: 16.0}")
    repository.change("processes: 1", "processes: 2")
    shutil.rmtree(repository.folder / ".ckpt", ignore_errors=True)
    whole = Repository.at(repository.folder.parent / "whole")
    shutil.copytree(repository.folder, whole.folder, symlinks=True)
    whole.dvc("repro", *STAGES)

    moments = sorted(random.Random().sample(range(1, 10), 2))  # each run of this test tries others
    print("killed with so many children kept:", moments)
    for n_kept in moments:
        repository.kill_when(n_kept, ".ckpt/children/*", "search")
    assert "are there already" in repository.dvc("repro", *STAGES)
    assert outputs(repository) == outputs(whole)
    assert repository.text("dvc.lock") == whole.text("dvc.lock")
