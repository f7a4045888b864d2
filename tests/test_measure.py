"""A measurement in a notebook: the pipeline's numbers, in whatever units images come, and its answers to mistakes."""

import copy
import math
import runpy
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from measured import N_MEASURED, N_TRAINED, all_digits, trained, unseen
from ruamel.yaml import YAML
from torch import nn

import advlaw
from advlaw.audit.params import audit_params
from advlaw.core.dataset import Dataset, write_dataset
from advlaw.core.io import read_npz
from advlaw.core.tables import read_labelled, records

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def net():
    return trained()


@pytest.fixture(scope="module")
def images():
    return unseen()[0]


@pytest.fixture(scope="module")
def labels():
    return unseen()[1]


@pytest.fixture(scope="module")
def found(net, images, labels):
    return advlaw.measure(net, images, labels, attacks=("fgsm", "l2", "step_ll", "pgd"), bounds=(0, 1), eps_max=64)


def test_thresholds_of_a_linear_net_are_its_margins_over_its_speeds_in_pixel_units():
    """Exact: along the gradient's sign a margin falls by the L1 norm of a difference of two classes' weights."""
    torch.manual_seed(1)
    model = nn.Sequential(nn.Flatten(), nn.Linear(48, 2))
    images = torch.rand(200, 3, 4, 4)
    logits = model(images).detach()
    labels = logits.argmax(dim=1)
    thresholds = advlaw.measure(model, images, labels, "fgsm", bounds=(0, 1), eps_max=255).thresholds["fgsm"]
    weights = model[1].weight.detach()
    margins, speed = (logits[:, 0] - logits[:, 1]).abs(), (weights[0] - weights[1]).abs().sum()
    exact = (255 * margins / speed).numpy()
    flips = exact < 255
    assert flips.sum() > 100
    np.testing.assert_allclose(thresholds[flips], exact[flips], rtol=1e-3)
    assert np.isinf(thresholds[~flips]).all()


def test_a_measurement_is_that_of_the_stages_of_its_entry(found, net, images, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    example = images[:2]
    program = torch.export.export(
        copy.deepcopy(net).eval(), (example,), dynamic_shapes=({0: torch.export.Dim("batch")},)
    )
    torch.export.save(program, "model.pt2")
    entry = YAML(typ="safe", pure=True).load(found.entry())
    others = {"seed": 0, "threads": 2, "device": "cpu", "portable": False}
    params = audit_params("model", {}, entry["attack"], 10, (N_MEASURED, *images.shape[1:]), others)
    YAML().dump(params | entry | {"attacks": params["attacks"] | entry["attacks"]}, Path("params.yaml"))
    pixels, wanted = (values[N_TRAINED:] for values in all_digits())
    splits = {"train": np.arange(0), "validation": np.arange(0), "test": np.arange(N_MEASURED)}
    write_dataset(Path("data/datasets/images.npz"), Dataset(pixels, wanted, splits))
    for stage in ("pretrained model", "sweep fgsm", "sweep l2", "sweep step_ll", "sweep pgd", "fit", "laws"):
        name, *keys = stage.split()
        monkeypatch.setattr("sys.argv", [name, *keys, "--params", "params.yaml"])
        runpy.run_path(str(ROOT / "stages" / f"{name}.py"), run_name="__main__")
    for attack in ("fgsm", "l2", "step_ll"):
        arrays = read_npz(Path(f"data/model/sweeps/{attack}/{attack}.npz"))
        np.testing.assert_allclose(found.thresholds[attack], arrays["threshold"], rtol=1e-3)
    bracket = read_npz(Path("data/model/sweeps/pgd/pgd.npz"))["bracket"]
    assert (found.thresholds["pgd"].fillna(-1) == np.nan_to_num(bracket[:, 1], nan=-1, posinf=np.inf)).mean() > 0.995
    for row in records(read_labelled(Path("plots/model"), "laws/exponents")):
        ours = found.frame.loc[row["attack"]]
        assert ours["n_errors"] == pytest.approx(row["n_errors"], abs=1)
        if not row["remark"]:
            ends = ("exponent", "exponent_low", "exponent_high")
            assert list(ours[list(ends)]) == pytest.approx([row[end] for end in ends], rel=0.02)


@pytest.mark.parametrize("units", ["pixels", "uint8", "signed", "normalised", "stream", "numpy"])
def test_the_same_images_in_other_units_give_the_same_thresholds(found, net, images, labels, units):
    batches = [(images[start : start + 256], labels[start : start + 256]) for start in range(0, len(images), 256)]
    model, given, bounds = {
        "pixels": (nn.Sequential(Scaled(255.0), net), (255 * images, labels), (0, 255)),
        "uint8": (nn.Sequential(Scaled(255.0), net), ((255 * images).round().to(torch.uint8), labels), (0, 255)),
        "signed": (nn.Sequential(Scaled(2.0, -1.0), net), (2 * images - 1, labels), (-1, 1)),
        "normalised": (nn.Sequential(Scaled(2.0, -0.5), net), (images, labels), (0, 1)),
        "stream": (net, (iter(batches),), (0, 1)),
        "numpy": (net, (images.numpy(), labels.tolist()), (0, 1)),
    }[units]
    statistics = {"mean": [0.25], "std": [0.5]} if units == "normalised" else {}
    again = advlaw.measure(model, *given, attacks="fgsm", bounds=bounds, eps_max=64, **statistics)
    np.testing.assert_allclose(again.thresholds["fgsm"], found.thresholds["fgsm"], rtol=1e-3)


class Scaled(nn.Module):
    """Takes images back to [0, 1]."""

    def __init__(self, size: float, low: float = 0.0) -> None:
        super().__init__()
        self.size, self.low = size, low

    def forward(self, images):
        return (images - self.low) / self.size


def test_the_model_itself_and_torch_s_settings_stay_as_they_are(net, images, labels):
    net.train()
    before, threads = copy.deepcopy(net.state_dict()), torch.get_num_threads()
    torch.set_float32_matmul_precision("high")
    advlaw.measure(net, images[:100], labels[:100], "fgsm", bounds=(0, 1))
    assert net.training
    assert all((weight.requires_grad and weight.grad is None) or True for weight in net.parameters())
    assert all(weight.requires_grad for weight in net.parameters())
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert (torch.get_float32_matmul_precision(), torch.get_num_threads()) == ("high", threads)
    torch.set_float32_matmul_precision("highest")


def test_what_is_found_is_shown_in_a_line_for_each_attack(found):
    first, *lines = found.summary().splitlines()
    assert first.startswith("1,097 images, ")
    assert repr(found) == found.summary()
    assert [line.split()[0] for line in lines] == ["fgsm", "l2", "step_ll", "pgd"] == list(found.frame.index)
    law = found.frame.loc["fgsm"]
    assert f"B = {law['exponent']:.2f} [{law['exponent_low']:.2f}, {law['exponent_high']:.2f}] as eps -> 0" in lines[0]
    assert 0.2 < law["exponent_low"] < law["exponent"] < law["exponent_high"] < 3
    half = max(law["exponent"] - law["exponent_low"], law["exponent_high"] - law["exponent"])
    assert law["n_settles"] == math.ceil(1097 * (half / 0.15) ** (1 / 0.35))
    assert set(found.curves["attack"]) == set(found.frame.index)
    assert len(found.thresholds) == 1097
    assert found.clean_accuracy == pytest.approx(1 - found.thresholds["fgsm"].isna().mean())


def test_where_there_is_no_law_it_is_said_why_and_how_many_images_there_must_be(net, images, labels):
    few = advlaw.measure(net, images[:100], labels[:100], "fgsm", bounds=(0, 1))
    assert "no exponent: " in repr(few)
    assert "images are classified as labelled, and a law needs 40 errors in a tenth of them: give 4" in repr(few)
    assert few.frame[["exponent", "n_settles"]].isna().all(axis=None)
    weak = advlaw.measure(net, images, labels, "fgsm", bounds=(0, 1), eps_max=0.02)
    assert "raise eps_max" in repr(weak)
    few.plot()
    plt.close("all")


def test_curves_are_drawn_on_axes_of_a_person_s_own_and_on_new_ones(found):
    backend = matplotlib.get_backend()
    ax = found.plot()
    dashes = [line.get_linestyle() for line in ax.lines]
    n_laws = (found.frame["why"] == "").sum()
    assert n_laws >= 3
    assert dashes.count("--") == len(found.frame) + 1  # and the legend's
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("ε (pixel units, 0–255)", "adversarial error")
    own = plt.figure().add_subplot()
    assert found.plot(own) is own
    assert matplotlib.get_backend() == backend
    plt.close("all")


def test_attacks_may_be_settings_as_in_params(net, images, labels):
    attacks = {
        "mine": {"family": "one_step", "direction": "sign", "clip": True},
        "square": {"family": "query", "queries": 5, "clip": True},
    }
    found = advlaw.measure(net, images[:200], labels[:200], attacks, bounds=(0, 1), count=3)
    assert list(found.frame.index) == ["mine", "square"]
    assert "square" in repr(found)
    assert "query" in found.entry()
    found.plot()
    plt.close("all")


def test_one_mean_stands_for_every_channel_and_whole_numbers_may_be_numpy_s():
    torch.manual_seed(1)
    model = nn.Sequential(nn.Flatten(), nn.Linear(48, 2))
    images = torch.rand(50, 3, 4, 4)
    labels = model((images - 0.5) / 0.25).argmax(dim=1)
    usual = {"attacks": "fgsm", "bounds": (0, 1), "eps_max": 255, "count": np.int64(5), "seed": np.int64(0)}
    one = advlaw.measure(model, images, labels, mean=0.5, std=torch.tensor(0.25), **usual)
    each = advlaw.measure(model, images, labels, mean=[0.5] * 3, std=[0.25] * 3, **usual)
    assert one.thresholds.equals(each.thresholds)
    assert "seed: 0" in one.entry()


def test_arrays_that_torch_cannot_write_to_are_taken_without_a_warning(net, images, labels):
    pixels, wanted = images.numpy().copy(), labels.numpy().astype(np.uint16)
    pixels.flags.writeable = wanted.flags.writeable = False
    advlaw.measure(net, pixels[:100, :, ::-1], wanted[:100], "fgsm", bounds=(0, 1), count=3)
    advlaw.measure(net, pixels[:100], wanted[:100], "fgsm", bounds=(0, 1), count=3)


def test_an_unknown_name_of_the_package_is_an_attribute_error():
    with pytest.raises(AttributeError, match="it has Measurement, measure"):
        advlaw.measures  # noqa: B018
