"""Sweeps in shards: the same bytes however many there are and whoever does them; a killed one goes on with the rest."""

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import make_images, make_net

from advlaw.attacks.settings import Grid, IterativeAttack, OneStepAttack, RelativeStep
from advlaw.core.dataset import Dataset, write_dataset
from advlaw.core.examples import Shown, read_examples
from advlaw.core.workers import Pool, Workers
from advlaw.evaluation import shards
from advlaw.evaluation.shards import Sharded, sweep_in_shards
from advlaw.evaluation.sweep import Randomness
from advlaw.evaluation.swept import swept
from advlaw.models.store import FINAL, Stored, load_net, save_model, stored

CPU = torch.device("cpu")
GRID = Grid(eps_min=0.5, eps_max=64.0, count=7)
ATTACKS = {
    "fgsm": ("one_step", OneStepAttack(direction="sign", clip=True)),
    "noise": ("one_step", OneStepAttack(direction="random_sign", clip=False)),
    "pgd": ("iterative", IterativeAttack(steps=2, step_size=RelativeStep(relative=0.6), clip=True, random_start=True)),
}


@pytest.fixture
def net(tmp_path, monkeypatch) -> tuple[Stored, Shown]:
    """A kept net and a data set of 50 images."""
    monkeypatch.chdir(tmp_path)
    torch.set_num_threads(1)
    model = make_net("cnn")
    spec = {"arch": "cnn", "image_shape": [1, 8, 8], "n_classes": 10, "channels": [6, 8], "dropout": 0.3}
    save_model(tmp_path / "net", spec, {FINAL: model.state_dict()}, None)
    pixels, splits = make_images(50).numpy().astype(np.uint8), dict.fromkeys(("train", "validation"), np.arange(0))
    path = tmp_path / "data.npz"
    write_dataset(path, Dataset(pixels, np.arange(50) % 10, {**splits, "test": np.arange(50)}))
    return stored(tmp_path / "net"), Shown(path, None)


def plan(net: tuple[Stored, Shown], attack: str) -> Sharded:
    family, settings = ATTACKS[attack]
    return Sharded(*net, "test", family, settings, GRID, Randomness(0, ("sweep", attack)), "cpu", False)


def pool(processes: int = 1) -> Pool:
    return Pool(Workers(backend="loky", processes=processes))


def assert_same(found: dict, expected: dict) -> None:
    assert list(found) == list(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, name)


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("size", [50, 20])
def test_shards_find_what_one_sweep_does(net, attack, size):
    one = plan(net, attack)
    test = read_examples(net[1].dataset, "test", CPU)
    model = load_net(net[0].spec, net[0].weights, CPU)
    whole = swept(model, test.images, test.labels, one.family, one.attack, GRID, one.randomness)
    with pool() as workers:
        found = sweep_in_shards(workers, one, 50, size, "sweep")
    exact = [name for name in whole if name not in ("threshold", "recovery", "clean_margin")]
    assert_same({name: found[name] for name in exact}, {name: whole[name] for name in exact})
    for name in whole.keys() - exact:  # a batch of other size may round in another way
        np.testing.assert_allclose(found[name], whole[name], rtol=1e-3)
    assert set(found) == set(whole)


def test_two_processes_leave_the_same_bytes_as_one(net, tmp_path, monkeypatch):
    one = plan(net, "fgsm")
    kept = []
    for processes in (1, 2):
        monkeypatch.setenv("DVC_ROOT", str(tmp_path / f"with_{processes}"))
        with pool(processes) as workers:
            sweep_in_shards(workers, one, 50, 13, "sweep")
        folder = tmp_path / f"with_{processes}" / ".ckpt/shards"
        kept.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert len(kept[0]) == 4
    assert kept[0] == kept[1]


def test_only_what_is_lacking_is_done_again(net, monkeypatch, capsys):
    one, done = plan(net, "fgsm"), []
    real = shards.sweep_shard
    monkeypatch.setattr(shards, "sweep_shard", lambda *item: done.append(item[1:]) or real(*item))
    with pool() as workers:
        whole = sweep_in_shards(workers, one, 50, 20, "sweep")
    (*_, last) = sorted(Path(".ckpt/shards").iterdir(), key=lambda path: path.stat().st_mtime)
    last.unlink()
    with pool() as workers:
        again = sweep_in_shards(workers, one, 50, 20, "sweep")
    assert done == [(0, 20), (20, 40), (40, 50), (40, 50)]
    assert "2 of 3 are there already" in capsys.readouterr().out
    assert_same(again, whole)


def test_a_shard_of_another_attack_net_or_grid_is_not_taken(net, tmp_path):
    with pool() as workers:
        for attack in ("fgsm", "noise"):
            sweep_in_shards(workers, plan(net, attack), 50, 50, "sweep")
        other = make_net("cnn", scale=2.0)
        save_model(tmp_path / "other", net[0].spec, {FINAL: other.state_dict()}, None)
        sweep_in_shards(workers, plan((stored(tmp_path / "other"), net[1]), "fgsm"), 50, 50, "sweep")
    assert len(list(Path(".ckpt/shards").iterdir())) == 3
