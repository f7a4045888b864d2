"""Sets of nets: drawn and varied, trained and measured net by net, kept results, backends, tables."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from raw_csv import read_csv

from advlaw.attacks.settings import Attacks, Grid, IterativeAttack, OneStepAttack, RelativeStep
from advlaw.core.code import sha256
from advlaw.core.dataset import Dataset, write_dataset
from advlaw.core.examples import read_examples
from advlaw.core.io import read_npz, write_npz
from advlaw.core.section import ParamsError, validate
from advlaw.evaluation.sweep import Randomness, sweep_one_step
from advlaw.fitting.settings import Fit
from advlaw.models.store import build, load_net
from advlaw.tables.trial import Estimates, unmeasured
from advlaw.tables.trials import write_differences, write_tables
from advlaw.trials import measure as measuring
from advlaw.trials import train as training
from advlaw.trials.measure import AttackPlan, gradient_norms, measure
from advlaw.trials.net import Trial
from advlaw.trials.plan import Measured, Setting
from advlaw.trials.sets import about, trials
from advlaw.trials.settings import TrialSet
from advlaw.trials.train import Recipe, result, train_trial

ROOT = Path(__file__).parents[1]
SHAPE = {"image_shape": [1, 8, 8], "n_classes": 10}
CPU = torch.device("cpu")
STEP_LL = {"direction": "sign", "target": "least_likely", "clip": True}
ATTACKS = Attacks.model_validate({"one_step": {"step_ll": STEP_LL}, "iterative": {}, "apgd": {}, "query": {}})
ADVERSARIAL = {
    "attack": "one_step.step_ll", "images": 16, "weight": 0.3, "eps": {"sigma": 8.0, "largest": 16.0}, "probe_eps": 8.0
}  # fmt: skip
BASE = {
    "arch": "fc", "widths": [30], "epochs": 3, "learning_rate": 0.01, "batch_size": 32, "watched": 0,
    "adversarial": ADVERSARIAL,
}  # fmt: skip
MEASURE = {"attacks": ["one_step.step_ll"], "reference_eps": [8.0]}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    """Ten noisy patterns on 8x8 pixels, 600 training and 400 validation and test images each."""
    rng = np.random.default_rng(0)
    labels = rng.integers(10, size=1400)
    patterns = rng.integers(40, 216, size=(10, 1, 8, 8))
    images = np.clip(patterns[labels] + rng.normal(0, 50, size=(1400, 1, 8, 8)), 0, 255).astype(np.uint8)
    splits = dict(zip(("train", "validation", "test"), np.split(np.arange(1400), (600, 1000)), strict=True))
    path = tmp_path_factory.mktemp("data") / "patterns.npz"
    write_dataset(path, Dataset(images, labels, splits))
    return path


@pytest.fixture(scope="module")
def recipe(dataset) -> Recipe:
    return Recipe(dataset, sha256(dataset), ATTACKS, "cpu", portable=True)


def varied(nets: dict, **base) -> TrialSet:
    values = {"dataset": "patterns", "base": {**BASE, **base}, "nets": nets, "measure": MEASURE}
    return validate(values, TrialSet, Path("params.yaml"), "trials.set")


def trial(entry: dict | None = None, **base) -> Trial:
    return trials("trials.set", varied({"net": entry or {}}, **base), seed=0)[0]


def weights(content: bytes) -> dict[str, torch.Tensor]:
    from safetensors.torch import load

    return load(content)


def test_an_entry_says_what_differs_from_the_base():
    nets = {
        "same": {},
        "plain": {"adversarial": None},
        "fewer": {"adversarial": {"images": 4}},
        "fixed": {"adversarial": {"eps": {"fixed": 4.0}}},
        "linear": {"arch": "linear"},
        "again": {"seed": 3, "epochs": 5},
    }
    found = varied(nets)
    said = {name: about(found, name)["differs"] for name in nets}
    assert said == {
        "same": "",
        "plain": "adversarial=null",
        "fewer": "adversarial.images=4",
        "fixed": 'adversarial.eps={"fixed": 4.0}',
        "linear": 'arch="linear"',
        "again": "epochs=5",
    }
    assert found.nets["fewer"].adversarial.weight == 0.3
    assert found.nets["linear"].architecture.model_dump() == {"arch": "linear"}
    assert found.nets["again"].seed == 3
    assert found.nets["plain"].adversarial is None


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"adversarial": {"images": 300}}, r"trials.set.nets.x: adversarial.images = 300: batch_size is 32"),
        ({"adversarial": {"imagess": 3}}, r"nets.x.adversarial: unknown key 'imagess'; did you mean 'images'"),
        ({"epohs": 3}, r"nets.x: unknown key 'epohs'; did you mean 'epochs'"),
        ({"epochs": 0}, r"nets.x.epochs = 0: should be greater than or equal to 1"),
        ({"arch": "cnn"}, r"nets.x.channels: missing key"),
        ({"dataset": "mnist"}, r"nets.x.dataset: leave it out here; it is that of the set"),
        ({"snapshot_epochs": [1]}, r"nets.x: snapshot_epochs = \[1\]: is not for nets of a set"),
        ({"labels": "shuffled"}, r"nets.x: labels = 'shuffled': is not for nets of a set; put the net under models"),
        (
            {"until_train_accuracy": 0.9, "watched": None},
            r"nets.x: until_train_accuracy = 0.9: is not for nets of a set",
        ),
        ({"baseline": "y"}, r"nets.x.baseline = 'y': must be another net of the set: z"),
        ({"baseline": "x"}, r"nets.x.baseline = 'x': must be another net of the set: z"),
        (3, r"nets.x = 3"),
    ],
)
def test_a_mistake_in_an_entry_is_named(entry, message):
    with pytest.raises(ParamsError, match=message):
        varied({"x": entry, "z": {}})


def test_a_mistake_in_the_base_is_said_once():
    with pytest.raises(ParamsError) as caught:
        varied({"x": {}, "z": {}}, epochs=-3)
    assert str(caught.value) == "params.yaml: trials.set.base.epochs = -3: should be greater than or equal to 1"


def test_parts_that_the_base_lacks_differ_in_what_is_said_of_them():
    found = varied({"x": {"adversarial": {**ADVERSARIAL, "delay": 0.5}}}, adversarial=None)
    assert found.differences("x").keys() == {f"adversarial.{key}" for key in (*ADVERSARIAL, "delay")}


def test_nets_of_a_varied_set_share_their_random_numbers_but_for_their_seed(recipe):
    """So that they differ in what their entries say; a net's name decides nothing."""
    nets = {net.name: net for net in trials("x", varied({"a": {}, "b": {}, "c": {"seed": 1}}), seed=0)}
    found = {name: train_trial(recipe, net) for name, net in nets.items()}
    first, second, other = (weights(found[name]) for name in "abc")
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["head.layer.weight"], other["head.layer.weight"])


@pytest.mark.parametrize("entry", [{}, {"arch": "cnn", "channels": [6, 8], "dropout": 0.3, "adversarial": None}])
def test_training_learns_and_gives_the_same_bytes_again(recipe, tmp_path, entry):
    net = trial(entry, epochs=5)
    content = train_trial(recipe, net)
    assert train_trial(recipe, net) == content
    path = tmp_path / "net"
    path.write_bytes(content)
    found = result(path)
    assert not found["diverged"]
    assert found["defence"] == ("step_ll" if net.net.adversarial else None)
    model = load_net(net.net.architecture.spec([1, 8, 8], 10), path, CPU)
    test = read_examples(recipe.dataset, "test", CPU)
    share = (model(test.images[:]).argmax(dim=1) == test.labels).double().mean()
    assert share > 0.5  # 0.1 by chance
    assert abs(found["validation_accuracy"] - share) < 0.15


def test_a_net_that_diverges_has_a_row_that_says_so(recipe, tmp_path):
    path = tmp_path / "net"
    path.write_bytes(train_trial(recipe, trial({"optimizer": "sgd", "learning_rate": 1e30})))
    found = result(path)
    assert found["diverged"]
    assert "trials.set.nets.net" in found["why"]


HARDER = ATTACKS.model_copy(update={"one_step": {"step_ll": OneStepAttack(**STEP_LL, gradient="naive")}})


@pytest.mark.parametrize(
    "entry",
    [{"seed": 1}, {"epochs": 4}, {"adversarial": {"images": 8}}, {"adversarial": None}, {"widths": [31]}],
)
def test_a_net_s_key_changes_with_its_entry(recipe, entry):
    assert training.path_of(trial(entry), recipe) != training.path_of(trial(), recipe)


@pytest.mark.parametrize("change", [{"data": "other"}, {"attacks": HARDER}, {"device": "cuda"}, {"portable": False}])
def test_a_net_s_key_changes_with_what_its_set_shares(recipe, change):
    assert training.path_of(trial(), replace(recipe, **change)) != training.path_of(trial(), recipe)


def test_a_net_s_key_changes_with_nothing_else(recipe, monkeypatch):
    nets = trials("trials.set", varied({"a": {"baseline": "b"}, "b": {}}), seed=0)
    assert len({training.path_of(net, recipe) for net in nets}) == 1  # a name, a baseline
    plain = trial({"adversarial": None})
    assert training.path_of(plain, replace(recipe, attacks=HARDER)) == training.path_of(plain, recipe)
    first = training.path_of(plain, recipe), training.path_of(trial(), recipe)
    known = training.code_sha256
    monkeypatch.setattr(training, "code_sha256", lambda *names: known(*names) + "x" * (training.DEFENCE in names))
    assert training.path_of(plain, recipe) == first[0]
    assert training.path_of(trial(), recipe) != first[1]  # an attack's code is that of adversarial nets alone


@pytest.fixture(scope="module")
def plan(dataset) -> AttackPlan:
    l2 = OneStepAttack(direction="l2", target="true_label", clip=False)
    pgd = IterativeAttack(norm="linf", steps=3, step_size=RelativeStep(relative=0.5), target="true_label", clip=True)
    grid = Grid(eps_min=0.5, eps_max=64.0, count=12)
    setting = Setting(dataset, sha256(dataset), 0, "cpu", portable=True)
    return AttackPlan(setting, {"one_step.l2": l2, "iterative.pgd": pgd}, grid, None)


def estimates(plan: AttackPlan) -> Estimates:
    fit = Fit(min_errors=5, max_error=0.5, bootstrap=100, confidence=0.95, headline=[])
    return Estimates(plan.attacks, 64, (4.0, 16.0), fit, 0)


@pytest.fixture(scope="module")
def plain(recipe, tmp_path_factory) -> Measured:
    path = tmp_path_factory.mktemp("nets") / "net"
    net = trial({"adversarial": None})
    path.write_bytes(train_trial(recipe, net))
    return Measured("net", net.net.architecture.spec([1, 8, 8], 10), path)


def test_what_is_measured_of_a_net_is_what_a_sweep_of_it_gives(plan, plain, tmp_path):
    content = measure(plan, plain)
    assert measure(plan, plain) == content
    path = tmp_path / "outcomes.npz"
    path.write_bytes(content)
    model, test = load_net(plain.spec, plain.path, CPU), read_examples(plan.setting.dataset, "test", CPU)
    eps = np.geomspace(0.5, 64.0, 12) * 8  # of 64 pixels in L2
    l2 = plan.attacks["one_step.l2"]
    arrays = sweep_one_step(model, test.images, test.labels, l2, eps, Randomness(0, ("x",)))
    kept = read_npz(path)
    for name, values in arrays.items():
        np.testing.assert_array_equal(kept[f"one_step.l2/{name}"], values)
    assert kept["iterative.pgd/bracket"].shape == (400, 2)

    straight, iterative = json.loads(estimates(plan).of("net", path))
    right = arrays["clean_prediction"] == arrays["label"]
    net_error = right.mean() - (arrays["prediction"] == arrays["label"]).mean(axis=1)
    assert [point["net_error"] for point in straight["curve"]] == pytest.approx(net_error)
    assert [point["grid_eps"] for point in straight["curve"]] == pytest.approx(eps / 8)
    values = straight["row"]
    assert values["error_at_4"] == (arrays["threshold"] <= 32).mean()
    assert values["test_accuracy"] == right.mean()
    assert 0 < values["net_exponent_low"] < values["net_exponent"] < values["net_exponent_high"]
    assert iterative["row"]["net_exponent"] is None  # it clips
    brackets = kept["iterative.pgd/bracket"]
    reached = np.geomspace(0.5, 64.0, 12)[np.geomspace(0.5, 64.0, 12) <= 16][-1]
    assert iterative["row"]["error_at_16"] == (brackets[:, 1] <= reached * (1 + 1e-9)).mean()


def test_outcomes_have_a_key_of_all_that_decides_them_and_of_no_name(plan, plain, tmp_path):
    first = measuring.path_of(plain, plan)
    others = [
        {"images": 100},
        *({"setting": replace(plan.setting, **c)} for c in ({"seed": 1}, {"data": "other"}, {"portable": False})),
        {"grid": Grid(eps_min=0.5, eps_max=64.0, count=13)},
        {"attacks": {"one_step.l2": plan.attacks["one_step.l2"]}},
    ]
    assert first not in {measuring.path_of(plain, replace(plan, **change)) for change in others}
    again = tmp_path / "again"
    again.write_bytes(plain.path.read_bytes())
    assert measuring.path_of(Measured("other", plain.spec, again), plan) == first
    again.write_bytes(b"other weights")
    assert measuring.path_of(Measured("net", plain.spec, again), plan) != first


def test_only_the_first_images_are_measured_where_so_many_are_asked_for(plan, plain, tmp_path):
    path = tmp_path / "outcomes.npz"
    path.write_bytes(measure(replace(plan, images=50), plain))
    assert read_npz(path)["one_step.l2/label"].shape == (50,)


def test_gradient_norms_of_a_linear_net_are_those_of_its_weights():
    """For two classes the gradient over 1 - p_y is the difference of their weights, whatever the image."""
    net = build({"arch": "linear", "image_shape": [1, 8, 8], "n_classes": 2})
    net.head.std.fill_(50.0)
    images = torch.rand(30, 1, 8, 8) * 255
    found = gradient_norms(net.requires_grad_(False), images, torch.randint(2, (30,)))
    difference = (net.head.layer.weight[1] - net.head.layer.weight[0]) / 50
    np.testing.assert_allclose(found["gradient_l1"], float(difference.abs().sum()), rtol=1e-5)
    np.testing.assert_allclose(found["gradient_l2"], float(difference.norm()), rtol=1e-5)


def test_a_diverged_net_has_rows_that_say_no_more_than_that(plan, tmp_path):
    net = {"net": "a", "spec": {"arch": "fc", "widths": [8], **SHAPE}, "n_parameters": 1, "flops": 1, "diverged": True}
    rows = write_tables(tmp_path, [net], {"a": unmeasured(plan.attacks)}, (4.0,), varied=False)
    assert [row["attack"] for row in rows] == ["l2", "pgd"]
    written = read_csv(tmp_path / "nets.csv")
    assert [(row["net"], row["diverged"], row["test_accuracy"]) for row in written] == [("a", "true", "")] * 2


def test_a_net_of_which_no_image_is_judged_has_rows_that_say_so(plan, plain, tmp_path):
    path = tmp_path / "outcomes.npz"
    path.write_bytes(measure(replace(plan, images=20), plain))
    arrays = read_npz(path)
    arrays["one_step.l2/not_finite"][:] = True
    write_npz(path, arrays)
    straight, iterative = json.loads(estimates(plan).of("net", path))
    assert straight["row"].items() >= {"attack": "l2", "n_images": 0, "n_not_finite": 20}.items()
    assert iterative["row"]["n_images"] == 20


def test_differences_are_paired_over_the_same_images(plan, plain, recipe, tmp_path):
    defended = trial()
    path = tmp_path / "defended"
    path.write_bytes(train_trial(recipe, defended))
    paths = {name: tmp_path / f"{name}.npz" for name in ("plain", "defended")}
    paths["plain"].write_bytes(measure(plan, plain))
    paths["defended"].write_bytes(measure(plan, Measured("defended", plain.spec, path)))
    nets = [{"net": "plain", "baseline": None}, {"net": "defended", "baseline": "plain"}]
    write_differences(tmp_path, nets, paths, ["iterative.pgd"], 0.95)
    rows = read_csv(tmp_path / "differences.csv")
    assert len(rows) == 13  # clean, and twelve sizes
    kept = {name: read_npz(file) for name, file in paths.items()}
    right = {
        name: (arrays["iterative.pgd/prediction"] == arrays["iterative.pgd/label"]) for name, arrays in kept.items()
    }
    for row, ours, theirs in zip(rows[1:], right["defended"], right["plain"], strict=True):
        assert float(row["difference"]) == pytest.approx(ours.mean() - theirs.mean(), abs=1e-7)
        assert float(row["difference_low"]) <= float(row["difference"]) <= float(row["difference_high"])
