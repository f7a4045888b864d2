"""Sets of nets through real DVC and the real libraries of every backend: what is trained anew, and to which bytes."""

import random
import shutil

import pytest
from repository import Repository, ran

from advlaw.core.workers import Pool, Workers

pytestmark = pytest.mark.slow
STAGES = ("trials_train", "trials_measure", "trials_tables")
PLACES = ("plots/small/trials", "data/small/trials")
OTHER_BASE = (
    "        weight: 0.3\n        eps: {sigma",
    "        weight: 0.4\n        eps: {sigma",
)  # of the varied set
SAMPLED, VARIED = ({f"{stage}@{name}" for stage in STAGES} for name in ("sampled", "varied"))


def outputs(repository: Repository) -> dict[str, bytes]:
    """Every net, file of outcomes and table of all sets."""
    files = [path for place in PLACES for path in (repository.folder / place).rglob("*") if path.is_file()]
    return {path.relative_to(repository.folder).as_posix(): path.read_bytes() for path in files}


def stage(repository: Repository, name: str, trials: str) -> str:
    """What one stage says, without DVC."""
    command = ("env", "PYTHONPATH=src", "python", f"stages/{name}.py", trials, "--params", "params.yaml")
    return repository.run(*command)


def nets(repository: Repository, name: str) -> dict[str, bytes]:
    folder = repository.folder / "data/small/trials" / name / "nets"
    return {path.stem: path.read_bytes() for path in folder.glob("*.safetensors")}


def test_more_nets_train_the_further_ones_alone(repository):
    few = nets(repository, "sampled")
    repository.change("count: 3", "count: 5")
    output = repository.dvc("repro", *STAGES)
    assert ran(output) == SAMPLED
    for what in ("train nets", "attack nets", "estimate"):
        assert f"{what}: 3 of 5 are there already" in output
    many = nets(repository, "sampled")
    assert (len(few), len(many)) == (3, 5)
    assert many.items() >= few.items()


def test_setting_one_entry_trains_one_net_and_keeps_the_others_lines(repository):
    before, text = nets(repository, "varied"), repository.text("params.yaml")
    output = repository.dvc("exp", "run", "-S", "trials.varied.nets.images_16.adversarial.images=24", *STAGES)
    assert ran(output) == VARIED
    for what in ("train nets", "attack nets", "estimate"):
        assert f"{what}: 4 of 5 are there already" in output
    after = nets(repository, "varied")
    assert {name for name in before if after[name] != before[name]} == {"images_16"}
    changed = list(zip(text.splitlines(), repository.text("params.yaml").splitlines(), strict=True))
    assert [new for old, new in changed if old != new] == [
        "      images_16: {adversarial: {images: 24}, baseline: plain}"
    ]


def test_a_change_of_the_base_trains_all_that_do_not_override_it(repository):
    before = nets(repository, "varied")
    repository.change(*OTHER_BASE)
    assert "train nets: 1 of 5 are there already" in stage(repository, "trials_train", "varied")  # that without attacks
    after = nets(repository, "varied")
    assert {name for name in before if after[name] == before[name]} == {"plain"}


def test_a_new_attack_and_a_new_grid_train_no_net_and_another_headline_estimates_nothing(repository):
    repository.change("  - fc/fgsm\n", "  - linear/fgsm\n")
    assert "estimate: 3 of 3 are there already" in stage(repository, "trials_tables", "sampled")
    repository.change("      - one_step.fgsm\n", "      - one_step.fgsm_predicted\n")
    repository.change("count: 12", "count: 14")
    train, measure, tables = (stage(repository, name, "sampled") for name in STAGES)
    assert "train nets: 3 of 3 are there already" in train
    assert "are there already" not in measure + tables
    assert b",fgsm_predicted," in outputs(repository)["plots/small/trials/sampled/nets.csv"]
    assert outputs(repository)["plots/small/trials/sampled/curves.csv"].count(b"\n") == 1 + 3 * 14


@pytest.mark.parametrize("backend", ["loky", "ray", "dask"])
def test_every_backend_gives_the_same_bytes_though_a_worker_is_killed(repository, backend):
    expected = outputs(repository)
    shutil.rmtree(repository.folder / ".ckpt")
    repository.change("backend: loky\n  processes: 1", f"backend: {backend}\n  processes: 2")
    line = "    device = configure(1, recipe.device, recipe.portable)\n"
    was_killed = repository.kill_a_worker("src/advlaw/trials/train.py", line)
    output = repository.dvc("repro", "--single-item", *(f"{name}@varied" for name in STAGES))
    assert ran(output) == VARIED
    assert "are there already" not in output
    assert was_killed.exists()
    assert ("train nets: a worker was killed; others go on" in output) == (backend == "loky")  # see LOST
    assert outputs(repository) == expected


def test_a_run_killed_twice_ends_in_the_same_bytes(repository):
    repository.change("count: 3", "count: 8")
    repository.change(*OTHER_BASE)
    repository.change("processes: 1", "processes: 2")
    shutil.rmtree(repository.folder / ".ckpt", ignore_errors=True)
    whole = Repository.at(repository.folder.parent / "whole")
    shutil.copytree(repository.folder, whole.folder, symlinks=True)
    whole.dvc("repro", *STAGES)

    moments = sorted(random.Random().sample(range(1, 37), 2))  # each run of this test tries others
    print("killed with so many results kept:", moments)
    for n_kept in moments:
        repository.kill_when(n_kept, ".ckpt/*/*", *STAGES)  # of 39 results
    output = repository.dvc("repro", *STAGES)
    assert "are there already" in output
    assert outputs(repository) == outputs(whole)
    assert repository.text("dvc.lock") == whole.text("dvc.lock")


@pytest.mark.filterwarnings("ignore")
def test_a_dask_worker_of_several_threads_is_refused(monkeypatch, tmp_path):
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, protocol="tcp", dashboard_address=":0"
    ) as cluster:
        monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", cluster.scheduler_address)
        with (
            Pool(Workers(backend="dask", processes=2)) as pool,
            pytest.raises(ValueError, match="a worker has several threads"),
        ):
            pool.fan_out(str.encode, [("a",)], [tmp_path / "a"], "count")
    assert not (tmp_path / "a").exists()
