"""Populations through real DVC and the real libraries of every backend: what is trained anew, and to which bytes."""

import random
import shutil
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from repository import Repository, ran

from advlaw.trials.settings import Workers
from advlaw.trials.workers import fan_out

pytestmark = pytest.mark.slow
STAGES = ("population_train", "population_sweep")
TABLES = ("nets.csv", "curves.csv", "exponents.csv")


def tables(repository: Repository) -> dict[str, bytes]:
    return {name: (repository.folder / "plots/small/population" / name).read_bytes() for name in TABLES}


def nets(repository: Repository) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (repository.folder / "data/small/population").iterdir()}


def test_more_nets_train_the_further_ones_alone(repository):
    few = nets(repository)
    repository.change("nets: 3", "nets: 5")
    output = repository.dvc("repro", *STAGES)
    assert ran(output) == set(STAGES)
    assert "train nets: 3 of 5 are there already" in output
    assert "attack nets: 3 of 5 are there already" in output
    many = nets(repository)
    assert (len(few), len(many)) == (4, 6)
    assert all(many[name] == content for name, content in few.items() if name != "nets.json")


def test_a_new_attack_and_a_new_grid_train_no_net(repository):
    repository.change(
        "population_sweep:\n  attacks:\n  - fgsm\n", "population_sweep:\n  attacks:\n  - fgsm_predicted\n"
    )
    repository.change("count: 12", "count: 14")
    assert ran(repository.dvc("repro", *STAGES)) == {"population_sweep"}
    assert b",fgsm_predicted," in tables(repository)["nets.csv"]
    assert tables(repository)["curves.csv"].count(b"\n") == 1 + 3 * 14


def test_another_headline_attacks_no_net_again(repository):
    repository.change("  - fc/fgsm\n", "  - linear/fgsm\n")
    assert "attack nets: 3 of 3 are there already" in repository.dvc("repro", "population_sweep")


@pytest.mark.parametrize("backend", ["ray", "dask"])
def test_every_backend_gives_the_same_bytes(repository, backend):
    expected = nets(repository)
    shutil.rmtree(repository.folder / ".ckpt")
    repository.change("backend: loky", f"backend: {backend}")
    command = ("env", "PYTHONPATH=src", "python", "stages/population_train.py", "--params", "params.yaml")
    assert "are there already" not in repository.run(*command)
    assert nets(repository) == expected


def test_a_run_killed_three_times_ends_in_the_same_tables(repository):
    repository.change("nets: 3", "nets: 12")
    shutil.rmtree(repository.folder / ".ckpt", ignore_errors=True)
    whole = Repository.at(repository.folder.parent / "whole")
    shutil.copytree(repository.folder, whole.folder, symlinks=True)
    whole.dvc("repro", *STAGES)

    moments = sorted(random.Random().sample(range(1, 23), 3))  # each run of this test tries others
    print("killed with so many results kept:", moments)
    for n_kept in moments:
        kill_when(repository, n_kept)
    output = repository.dvc("repro", *STAGES)
    assert "are there already" in output
    assert tables(repository) == tables(whole)
    assert nets(repository) == nets(whole)
    assert repository.text("dvc.lock") == whole.text("dvc.lock")


def kill_when(repository: Repository, n_kept: int) -> None:
    """Run both stages and kill all their processes with SIGKILL when so many results, of 24, are kept."""
    running = subprocess.Popen(
        ["dvc", "repro", *STAGES],
        cwd=repository.folder,
        env=repository.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 600
    while kept(repository.folder) < n_kept and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert running.poll() is None, "the run ended before it could be killed"
    family = [psutil.Process(running.pid), *psutil.Process(running.pid).children(recursive=True)]
    for process in family:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    running.wait()
    psutil.wait_procs(family[1:])


def kept(folder: Path) -> int:
    return sum(not path.name.startswith(".") for path in folder.glob(".ckpt/*/*"))


@pytest.mark.filterwarnings("ignore")
def test_a_dask_worker_of_several_threads_is_refused(monkeypatch, tmp_path):
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, protocol="tcp", dashboard_address=":0"
    ) as cluster:
        monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", cluster.scheduler_address)
        with pytest.raises(ValueError, match="a worker has several threads"):
            fan_out(str.encode, [("a",)], [tmp_path / "a"], Workers(backend="dask", processes=2), "count")
    assert not (tmp_path / "a").exists()
