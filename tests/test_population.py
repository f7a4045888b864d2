"""Populations: sampling, training alone and together, the cache of nets, backends, tables."""

import json
import math
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from advlaw.trials.stacked import MAX_PADDING, groups, largest_spec, train_group
from ruamel.yaml import YAML

from advlaw.attacks.settings import Grid, OneStepAttack
from advlaw.core.io import read_csv
from advlaw.data.dataset import Dataset, write_dataset
from advlaw.evaluation.sweep import Randomness, sweep_one_step
from advlaw.fitting.settings import Fit
from advlaw.models.sampling import net_name, sampled_architecture
from advlaw.models.store import build
from advlaw.tables.trials import distributions, write_tables
from advlaw.trials import stacked as together
from advlaw.trials.measure import Protocol, Trained, columns, gradient_norms, measured
from advlaw.trials.settings import Architectures, PopulationTraining, Workers
from advlaw.trials.train import Recipe, Sampled, examples, flops, n_parameters, result, train_alone, trained
from advlaw.trials.workers import cache_path, code_sha256, fan_out, keep

ROOT = Path(__file__).parents[1]
SHAPE = {"image_shape": [1, 8, 8], "n_classes": 10}
CPU = torch.device("cpu")


def architectures(study: str = "params.yaml") -> Architectures:
    params = YAML(typ="safe", pure=True).load((ROOT / study).read_text(encoding="utf-8"))
    return Architectures(**params["population"]["architectures"])


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """Ten noisy patterns on 8x8 pixels, 600 training and 400 validation and test images each."""
    rng = np.random.default_rng(0)
    labels = rng.integers(10, size=1400)
    patterns = rng.integers(40, 216, size=(10, 1, 8, 8))
    images = np.clip(patterns[labels] + rng.normal(0, 50, size=(1400, 1, 8, 8)), 0, 255).astype(np.uint8)
    splits = dict(zip(("train", "validation", "test"), np.split(np.arange(1400), (600, 1000)), strict=True))
    path = tmp_path_factory.mktemp("data") / "patterns.npz"
    write_dataset(path, Dataset(images, labels, splits))
    return Recipe(path, PopulationTraining(epochs=5, learning_rate=0.01, batch_size=32), seed=0, portable=True)


def fc(name: str, *widths: int) -> Sampled:
    return Sampled(name, {"arch": "fc", "widths": list(widths), **SHAPE})


def cnn(name: str, channels: list[int], dense_units: int, dropout: float = 0.0) -> Sampled:
    sizes = {"channels": channels, "kernel_sizes": [3] * len(channels), "dense_units": dense_units}
    return Sampled(name, {"arch": "cnn", **sizes, "dropout": dropout, **SHAPE})


def weights(content: bytes) -> dict[str, torch.Tensor]:
    from safetensors.torch import load

    return load(content)


def test_a_net_depends_on_the_seed_and_its_index_alone():
    ranges = architectures()
    first = [sampled_architecture(ranges, 0, index) for index in range(20)]
    assert [sampled_architecture(ranges, 0, index) for index in reversed(range(20))] == first[::-1]
    assert sampled_architecture(ranges, 1, 3) != first[3]


def test_sampled_sizes_are_those_of_the_paper_and_log_uniform():
    ranges = architectures("studies/mnist/params.yaml")
    specs = [sampled_architecture(ranges, 0, index) for index in range(4000)]
    nets = {arch: [spec for spec in specs if spec["arch"] == arch] for arch in ("fc", "cnn")}
    assert abs(len(nets["fc"]) / len(specs) - 0.6) < 4 * math.sqrt(0.24 / len(specs))
    layers = Counter(len(spec["widths"]) for spec in nets["fc"])
    assert set(layers) == {1, 2, 3, 4}
    assert min(layers.values()) > 0.85 * len(nets["fc"]) / 4
    widths = np.array([width for spec in nets["fc"] for width in spec["widths"]])
    assert 30 <= widths.min() < 33
    assert 1900 < widths.max() <= 2000
    share_below = (widths < math.sqrt(30 * 2000)).mean()  # half, of a log-uniform law
    assert abs(share_below - 0.5) < 4 * 0.5 / math.sqrt(len(widths))
    dropout = np.array([spec["dropout"] for spec in nets["cnn"]])
    assert 0 <= dropout.min() < 0.01
    assert 0.49 < dropout.max() <= 0.5
    assert {size for spec in nets["cnn"] for size in spec["kernel_sizes"]} == {3, 5}


def test_sizes_are_counted_as_by_hand():
    net = fc("a", 30, 20).spec
    assert n_parameters(net) == 64 * 30 + 30 + 30 * 20 + 20 + 210
    assert flops(net) == 2 * (64 * 30 + 600 + 200)
    net = cnn("b", [4, 6], 12).spec
    assert n_parameters(net) == (36 + 4) + (4 * 6 * 9 + 6) + (24 * 12 + 12) + 130
    assert flops(net) == 2 * (64 * 36 + 16 * 4 * 6 * 9 + 24 * 12 + 120)


def test_training_alone_learns_and_gives_the_same_bytes_again(recipe, tmp_path):
    net = cnn("net_00001", [8, 12], 30, dropout=0.3)
    content = train_alone(recipe, net)
    assert train_alone(recipe, net) == content
    path = tmp_path / "net.safetensors"
    path.write_bytes(content)
    found = result(path)
    assert not found["diverged"]
    model, test = trained(net.spec, path, CPU), examples(recipe.dataset, "test", CPU)
    share = (model(test.images).argmax(dim=1) == test.labels).double().mean()
    assert share > 0.5  # 0.1 by chance
    assert abs(found["validation_accuracy"] - share) < 0.15


def test_nets_trained_together_are_those_trained_alone(recipe):
    """Without dropout nothing but rounding differs: weights agree to 1e-5 after 95 steps."""
    torch.set_num_threads(1)
    for nets in (
        [fc("a", 20, 30), fc("b", 33, 12), fc("c", 30, 30)],
        [cnn("d", [3, 5], 10), cnn("e", [5, 4], 14)],
    ):
        for net, content in zip(nets, train_group(nets, recipe, CPU), strict=True):
            together, alone = weights(content), weights(train_alone(recipe, net))
            assert together.keys() == alone.keys()
            for name, expected in alone.items():
                torch.testing.assert_close(together[name], expected, rtol=1e-5, atol=1e-6, msg=f"{net.name} {name}")


def test_with_dropout_nets_trained_together_are_as_accurate(recipe, tmp_path):
    """Draws differ: mean validation accuracies of 12 nets agree within three standard errors."""
    nets = [cnn(f"n{i}", [6, 8], 20, dropout=0.3) for i in range(12)]
    found = []
    for contents in (train_group(nets, recipe, CPU), [train_alone(recipe, net) for net in nets]):
        paths = [tmp_path / f"{i}" for i in range(12)]
        for path, content in zip(paths, contents, strict=True):
            path.write_bytes(content)
        found.append(np.array([result(path)["validation_accuracy"] for path in paths]))
    together, alone = found
    error = math.sqrt((together.var(ddof=1) + alone.var(ddof=1)) / 12)
    assert abs(together.mean() - alone.mean()) < 3 * error
    assert alone.mean() > 0.6


def test_each_net_of_a_group_has_its_own_dropout(recipe):
    without, with_dropout = cnn("a", [4, 6], 12, 0.0), cnn("b", [4, 6], 12, 0.9)
    together = weights(train_group([without, with_dropout], recipe, CPU)[0])
    for name, expected in weights(train_alone(recipe, without)).items():
        torch.testing.assert_close(together[name], expected, rtol=1e-5, atol=1e-6)


def test_groups_hold_every_net_once_and_pad_little():
    ranges = architectures("studies/mnist/params.yaml")
    nets = [Sampled(net_name(i), {**sampled_architecture(ranges, 0, i), **SHAPE}) for i in range(300)]
    found = list(groups(nets))
    assert sorted(net.name for group in found for net in group) == [net.name for net in nets]
    for group in found:
        padded, real = n_parameters(largest_spec(group)) * len(group), sum(n_parameters(net.spec) for net in group)
        assert padded <= MAX_PADDING * real
    assert len(found) < len(nets) / 4


def test_a_net_that_diverges_is_marked_and_the_others_are_not(recipe, tmp_path):
    wild = Recipe(
        recipe.dataset, PopulationTraining(epochs=2, learning_rate=1e38, batch_size=64), seed=0, portable=True
    )
    path = tmp_path / "net"
    for content in (train_alone(wild, fc("a", 30, 30)), *train_group([fc("a", 30, 30), fc("b", 30, 30)], wild, CPU)):
        path.write_bytes(content)
        assert result(path) == {"diverged": True, "train_loss": None, "validation_accuracy": None}


def row(arch: str = "fc", accuracy: float | None = 0.95, **exponents: list | None) -> dict:
    """A net's row with the exponents [value, low, high] of some estimates."""
    found = {"attack": "fgsm", "arch": arch, "test_accuracy": accuracy}
    for name in ("gross", "net", "net_ls"):
        values = exponents.get(name) or [None] * 3
        found |= {f"{name}_exponent{end}": value for end, value in zip(("", "_low", "_high"), values, strict=True)}
    return found


def test_shares_in_the_paper_s_range_leave_out_inaccurate_and_unfitted_nets():
    inside, above, touching = [1.0, 0.9, 1.1], [1.5, 1.4, 1.6], [1.25, 1.15, 1.4]
    rows = [row(net=inside)] * 6 + [row("cnn", net=above), row(net=touching), row(accuracy=0.7, net=inside)]
    rows += [row(accuracy=None), row("cnn")]
    found = {(r["nets"], r["estimate"]): r for r in distributions(rows, {"fgsm": (0.9, 1.2)}, 0.95)}
    assert set(found) == {(kind, name) for kind in ("all", "fc", "cnn") for name in ("gross", "net", "net_ls")}
    every = found["all", "net"]
    assert (every["n_nets"], every["n_without_fit"], every["n_in_band"], every["share"]) == (8, 1, 6, 0.75)
    assert (every["share_low"], every["share_high"]) == pytest.approx((0.40927, 0.92852), abs=1e-5)  # Wilson, by hand
    assert every["share_touching"] == 7 / 8
    assert every["quantile_0.5"] == 1.0
    assert every["median_half_width"] == pytest.approx(0.1)
    assert found["cnn", "net"]["share"] == 0
    assert found["all", "gross"]["n_nets"] == 0
    assert found["all", "gross"]["share"] is None
    assert distributions([], {}, 0.95) == []


@pytest.fixture(scope="module")
def protocol(recipe):
    attack = OneStepAttack(direction="l2", target="true_label", clip=False)
    fit = Fit(min_errors=5, max_error=0.5, bootstrap=100, confidence=0.95, headline=[])
    return Protocol(recipe.dataset, "l2", attack, Grid(eps_min=0.5, eps_max=64.0, count=12), (4.0, 16.0), fit, 0, True)


def test_what_is_measured_of_a_net_is_what_a_sweep_of_it_gives(recipe, protocol, tmp_path):
    net, path = fc("net_00003", 40), tmp_path / "net"
    path.write_bytes(train_alone(recipe, net))
    content = measured("cpu", protocol, Trained(net, path, False))
    assert measured("cpu", protocol, Trained(net, path, False)) == content
    found = json.loads(content)
    values = found["row"]
    assert set(values) == set(columns(protocol.reference_eps))

    model, test = trained(net.spec, path, CPU), examples(recipe.dataset, "test", CPU)
    eps = np.geomspace(0.5, 64.0, 12) * 8  # of 64 pixels in L2
    arrays = sweep_one_step(model, test.images, test.labels, protocol.attack, eps, Randomness(0, ("x",)))
    net_error = (arrays["clean_prediction"] == arrays["label"]).mean() - (arrays["prediction"] == arrays["label"]).mean(
        axis=1
    )
    assert [point["net_error"] for point in found["curve"]] == pytest.approx(net_error)
    assert [point["grid_eps"] for point in found["curve"]] == pytest.approx(eps / 8)
    assert values["error_at_4"] == (arrays["threshold"] <= 32).mean()
    assert values["test_accuracy"] == (arrays["clean_prediction"] == arrays["label"]).mean()
    assert 0 < values["net_exponent_low"] < values["net_exponent"] < values["net_exponent_high"]


def test_gradient_norms_of_a_linear_net_are_those_of_its_weights():
    """For two classes the gradient over 1 - p_y is the difference of their weights, whatever the image."""
    net = build({"arch": "linear", "image_shape": [1, 8, 8], "n_classes": 2})
    net.head.std.fill_(50.0)
    images = torch.rand(30, 1, 8, 8) * 255
    found = gradient_norms(net.requires_grad_(False), images, torch.randint(2, (30,)))
    difference = (net.head.layer.weight[1] - net.head.layer.weight[0]) / 50
    assert found["gradient_l1"] == pytest.approx(float(difference.abs().sum()), rel=1e-5)
    assert found["gradient_l2"] == pytest.approx(float(difference.norm()), rel=1e-5)


def test_a_diverged_net_has_rows_that_say_no_more_than_that(protocol, tmp_path):
    found = json.loads(measured("cpu", protocol, Trained(fc("a", 8), tmp_path / "missing", True)))
    assert {name: value for name, value in found["row"].items() if value is not None} == {
        "attack": "l2", "norm": "l2", "target": "true_label",
    }  # fmt: skip
    assert found["curve"] == []
    net = {"net": "a", "spec": fc("a", 8).spec, "n_parameters": 1, "flops": 1, "train_loss": None}
    write_tables(
        tmp_path, [{**net, "validation_accuracy": None, "diverged": True}], {"a": [found]},
        columns(protocol.reference_eps), {}, 0.95,
    )  # fmt: skip
    (written,) = read_csv(tmp_path / "nets.csv")
    assert (written["net"], written["diverged"], written["test_accuracy"]) == ("a", "true", "")


def test_only_what_is_missing_is_worked_on_and_the_backend_is_no_part_of_it(tmp_path):
    paths = [tmp_path / str(i) for i in range(4)]
    keep(paths[1], b"kept")
    fan_out(as_bytes, [(0,), (1,), (2,), (3,)], paths, Workers(backend="loky", processes=1), "count")
    assert [path.read_bytes() for path in paths] == [b"0", b"kept", b"2", b"3"]


def as_bytes(number: int) -> bytes:
    return str(number).encode()


def test_the_key_changes_with_what_decides_a_result(monkeypatch, tmp_path):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    first = cache_path("nets", {"seed": 0, "net": "a"})
    assert first.parent == tmp_path / ".ckpt" / "nets"
    assert cache_path("nets", {"net": "a", "seed": 0}) == first
    assert cache_path("nets", {"seed": 1, "net": "a"}) != first
    assert code_sha256(train_alone) == code_sha256(train_alone) != code_sha256(measured)
    assert code_sha256(train_alone, "advlaw.models.fc") != code_sha256(train_alone, "advlaw.models.cnn")


@pytest.mark.parametrize(("backend", "library"), [("ray", "ray"), ("dask", "distributed")])
def test_a_backend_that_is_not_installed_is_named(monkeypatch, tmp_path, backend, library):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ValueError, match=f"population.workers.backend = '{backend}': {library} is not installed"):
        fan_out(as_bytes, [(0,)], [tmp_path / "0"], Workers(backend=backend, processes=2), "count")


def test_a_group_that_does_not_fit_is_halved(recipe, monkeypatch):
    nets = [fc("a", 20), fc("b", 24), fc("c", 28)]
    expected = train_group(nets, recipe, CPU)
    whole = together.train_stacked

    def little_memory(models, group, fitted, settings):
        if len(group) > 1:
            raise torch.OutOfMemoryError("no room")
        return whole(models, group, fitted, settings)

    monkeypatch.setattr(together, "train_stacked", little_memory)
    for content, alone in zip(expected, train_group(nets, recipe, CPU), strict=True):
        for name, tensor in weights(content).items():
            torch.testing.assert_close(tensor, weights(alone)[name], rtol=1e-5, atol=1e-6)


def test_a_group_that_was_half_kept_ends_in_the_same_bytes(recipe, tmp_path):
    nets = [cnn(f"n{i}", [3, 4 + i], 10, dropout=0.4) for i in range(3)]
    paths = [tmp_path / net.name for net in nets]
    together.train_together(nets, paths, recipe, CPU)
    first = [path.read_bytes() for path in paths]
    paths[1].unlink()
    together.train_together(nets, paths, recipe, CPU)
    assert [path.read_bytes() for path in paths] == first
