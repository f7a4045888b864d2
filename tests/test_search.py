"""A search: what its children depend on, how it goes on after a kill, and what becomes of its winner."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from searches import ADVERSARIAL, ATTACKS, VALUES, settings

from advlaw.core.code import sha256
from advlaw.core.dataset import Dataset, read_dataset, write_dataset
from advlaw.core.workers import Pool, Workers
from advlaw.models.cell_graph import canonical, parse
from advlaw.search import rounds
from advlaw.search.child import Child, ChildPlan, path_of, split, train_child
from advlaw.search.enlarged import enlarge, winner
from advlaw.search.rewards import REWARDS, reward
from advlaw.search.rounds import Running, best, searched
from advlaw.search.settings import Searches, Space
from advlaw.search.space import cell_of, sizes, uniform
from advlaw.trials.train import Recipe

WORKERS = Workers(backend="loky", processes=1)
CELL = "0 identity + 1 conv_1x1"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    """Three noisy patterns on 8x8 pixels: 80 training, 30 validation and 40 test images."""
    rng = np.random.default_rng(0)
    labels = np.arange(150) % 3
    patterns = rng.integers(40, 216, size=(3, 1, 8, 8))
    images = np.clip(patterns[labels] + rng.normal(0, 60, size=(150, 1, 8, 8)), 0, 255).astype(np.uint8)
    splits = {"train": np.arange(80), "validation": np.arange(80, 110), "test": np.arange(110, 150)}
    path = tmp_path_factory.mktemp("data") / "patterns.npz"
    write_dataset(path, Dataset(images, labels, splits))
    return path


@pytest.fixture
def plan(dataset, monkeypatch, tmp_path) -> ChildPlan:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    measured = settings().measured
    return ChildPlan(dataset, sha256(dataset), 60, 50, ATTACKS, measured, seed=0, device="cpu", portable=True)


def running(plan: ChildPlan, pool: Pool, name: str = "step_ll", **change) -> Running:
    whole = settings(**change)
    return Running(name, whole, whole.searches[name], plan, pool)


def child(cell: str = CELL, name: str = "step_ll", seed: int = 0) -> Child:
    whole = settings()
    return Child(cell, whole.child_of(whole.searches[name], cell), seed)


def test_children_are_fitted_to_the_first_images_and_measured_on_others(dataset):
    data = read_dataset(dataset)
    fitted, held_out = split(data, 60, 50, torch.device("cpu"))
    assert torch.equal(fitted.images[:], torch.from_numpy(data.images[np.arange(60)]).float())
    wanted = [*range(80, 110), *range(60, 80)]  # all of the validation split, then the last to train
    assert torch.equal(held_out.images[:], torch.from_numpy(data.images[np.array(wanted)]).float())
    assert torch.equal(held_out.labels, torch.from_numpy(data.labels[wanted]))
    some, few = split(data, None, 20, torch.device("cpu"))
    assert (len(some.labels), len(few.labels)) == (80, 20)
    with pytest.raises(ValueError, match=r"search.images = 61 and held_out = 50: the data set has 80 training and 30"):
        split(data, 61, 50, torch.device("cpu"))


def test_a_child_is_what_its_entry_cell_seed_and_data_make_it(plan):
    again = train_child(plan, child())
    assert train_child(plan, child()) == again
    found = json.loads(again)
    assert found["diverged"] is False
    assert found["test_clean_accuracy"] is None
    assert 50 * found["clean_accuracy"] == pytest.approx(round(50 * found["clean_accuracy"]))
    first = path_of(child(), plan)
    others = [
        path_of(child(seed=1), plan),
        path_of(child(name="clean"), plan),
        path_of(child("0 identity + 1 conv_3x3"), plan),
        path_of(child(), replace(plan, images=59)),
        path_of(child(), replace(plan, on_test=True)),
        path_of(child(), replace(plan, seed=1)),
        path_of(child(), replace(plan, measured=plan.measured.model_copy(update={"eps": 9.0}))),
    ]
    assert len({first, *others}) == 1 + len(others)


def test_on_test_images_it_is_measured_if_asked_and_is_otherwise_the_same(plan):
    here, there = (json.loads(train_child(replace(plan, on_test=on), child())) for on in (False, True))
    assert {name: there[name] for name in here if not name.startswith("test_")} == {
        name: value for name, value in here.items() if not name.startswith("test_")
    }
    assert 40 * there["test_clean_accuracy"] == pytest.approx(round(40 * there["test_clean_accuracy"]))


def test_a_child_that_diverges_is_a_row_and_its_reward_is_0(plan):
    whole = settings(child={**VALUES["child"], "learning_rate": 1e30, "optimizer": "sgd"})
    found = json.loads(train_child(plan, Child(CELL, whole.child_of(whole.searches["step_ll"], CELL))))
    assert found["diverged"] is True
    assert found["adversarial_accuracy"] is None
    assert found["n_parameters"] > 0
    assert {name: reward(name, found) for name in REWARDS} == dict.fromkeys(REWARDS, 0.0)


def test_every_reward_of_the_params_is_computed():
    literal = Searches.model_fields["searches"].annotation.__args__[1].model_fields["reward"].annotation
    assert set(literal.__args__) == REWARDS.keys()
    measured = {"diverged": False, "clean_accuracy": 0.75, "adversarial_accuracy": 0.5}
    assert reward("adversarial", measured) == 0.5
    assert reward("clean", measured) == 0.75


def test_a_search_has_the_children_of_its_params_in_order(plan):
    with Pool(WORKERS) as pool:
        found = searched(running(plan, pool))
    arms = [(row["arm"], row["round"], row["index"]) for row in found["children"]]
    assert arms == [
        ("controller", 0, 0), ("controller", 0, 1), ("controller", 1, 2), ("controller", 1, 3),
        ("random", 0, 0), ("random", 0, 1), ("random", 0, 2),
    ]  # fmt: skip
    assert [row["n_children"] for row in found["rounds"]] == [2, 2]
    assert all(row["reward"] == row["adversarial_accuracy"] for row in found["children"])
    assert all(canonical(parse(row["cell"])).code == row["cell"] for row in found["children"])
    roles = [(row["role"], row["rank"], row["child_seed"]) for row in found["repeated"]]
    assert roles == [
        ("best of controller", 0, 1), ("best of controller", 0, 2), ("best of random", 0, 1), ("best of random", 0, 2),
        ("unchosen", 0, 1), ("unchosen", 0, 2), ("unchosen", 1, 1), ("unchosen", 1, 2),
    ]  # fmt: skip
    own = [row["cell"] for row in found["repeated"][:2]]
    controllers = [row for row in found["children"] if row["arm"] == "controller"]
    assert set(own) == {max(controllers, key=lambda row: row["reward"])["cell"]}
    assert all(row["test_adversarial_accuracy"] is not None for row in found["repeated"])


def test_a_killed_search_goes_on_with_the_children_it_lacks_and_finds_the_same(plan, monkeypatch):
    calls: list[str] = []

    def counted(plan: ChildPlan, one: Child) -> bytes:
        calls.append(one.cell)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return train_child(plan, one)

    monkeypatch.setattr(rounds, "train_child", counted)
    with Pool(WORKERS) as pool, pytest.raises(KeyboardInterrupt):
        searched(running(plan, pool))
    assert len(calls) == 5
    with Pool(WORKERS) as pool:
        after = searched(running(plan, pool))
    n_kept = len(calls)
    monkeypatch.setenv("DVC_ROOT", str(Path(plan.dataset).parent / "afresh"))
    with Pool(WORKERS) as pool:
        assert searched(running(plan, pool)) == after
    assert len(calls) - n_kept == n_kept - 1  # as many anew as both runs had together, but for the one that was killed


def test_more_children_are_the_same_and_further_ones(plan):
    one = {"adversarial": ADVERSARIAL, "reward": "adversarial"}
    with Pool(WORKERS) as pool:
        few = searched(
            running(plan, pool, searches={**VALUES["searches"], "step_ll": {**one, "children": 2, "random": 2}})
        )
        many = searched(running(plan, pool))
    for arm in ("controller", "random"):
        cells = [[row["cell"] for row in found["children"] if row["arm"] == arm] for found in (few, many)]
        assert cells[1][: len(cells[0])] == cells[0]


def test_a_cell_that_several_searches_draw_is_trained_once(plan, monkeypatch):
    calls: list[str] = []

    def counted(plan: ChildPlan, one: Child) -> bytes:
        calls.append(one.cell)
        return train_child(plan, one)

    monkeypatch.setattr(rounds, "train_child", counted)
    with Pool(WORKERS) as pool:
        first = running(plan, pool)
        found = first.trained([CELL, CELL], [0], plan, "twice")
        assert found[0] == found[1]
        other = settings(searches={**VALUES["searches"], "again": VALUES["searches"]["step_ll"]})
        assert Running("again", other, other.searches["again"], plan, pool).trained([CELL], [0], plan, "x") == found[:1]
    assert calls == [CELL]


def test_random_cells_are_uniform_over_the_decisions():
    space = Space(blocks=3, operations=["identity", "conv_1x1", "max_3x3"], combine=["add"])
    assert sizes(space) == [2, 2, 3, 3, 1, 3, 3, 3, 3, 1, 4, 4, 3, 3, 1]
    drawn = uniform(space, 3000, np.random.default_rng(0))
    assert (drawn[:50] == uniform(space, 50, np.random.default_rng(0))).all()
    for column, size in zip(drawn.T, sizes(space), strict=True):
        counts = np.bincount(column, minlength=size)
        assert len(counts) == size
        assert ((counts - 3000 / size) ** 2 / (3000 / size)).sum() < 21  # chi-square of 3: p = 1e-4
    assert canonical(parse(cell_of(space, drawn[0]))).code == cell_of(space, drawn[0])


def test_the_best_are_those_of_the_highest_rewards_each_once():
    rows = [{"cell": cell, "reward": got, "arm": "random"} for cell, got in (("a", 1), ("b", 3), ("b", 3), ("c", 3))]
    assert best(rows, 2) == ["b", "c"]
    assert best([], 2) == []
    assert winner([*rows, {"cell": "d", "reward": 9, "arm": "controller"}], "random") == "b"


def test_the_winner_is_enlarged_with_every_set_and_the_best_on_validation_images_is_kept(plan):
    recipe = Recipe(plan.dataset, plan.data, ATTACKS, "cpu", portable=True)
    children = [
        {"cell": CELL, "reward": 1.0, "arm": "controller"},
        {"cell": "1 identity + 1 identity", "reward": 2.0, "arm": "random"},
    ]
    with Pool(WORKERS) as pool:
        kept = {
            name: enlarge(name, settings(), children, recipe, 0, pool) for name in ("clean", "robust", "copy", "whole")
        }
    assert [kept[name].cell for name in kept] == [CELL, CELL, CELL, "1 identity + 1 identity"]
    for name, found in kept.items():
        assert [tried["values"] for tried in found.sets] == [{"learning_rate": 0.003}, {"learning_rate": 0.03}]
        kind = "clean_accuracy" if name == "clean" else "adversarial_accuracy"
        (chosen,) = (tried for tried in found.sets if tried["is_chosen"])
        assert chosen[kind] == max(tried[kind] for tried in found.sets)
        assert found.row["learning_rate"] == chosen["values"]["learning_rate"]
        assert found.spec["filters"] == 4
    assert kept["clean"].row["adversarial_images"] == 0
    assert kept["robust"].row["adversarial_images"] == 0.5
    assert kept["whole"].row["adversarial_images"] == 1
    assert kept["copy"].path != kept["robust"].path
