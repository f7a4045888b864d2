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
from ruamel.yaml import YAML
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import advlaw
from advlaw.audit.params import audit_params
from advlaw.core.dataset import Dataset, write_dataset
from advlaw.core.io import read_npz
from advlaw.core.tables import read_labelled, records

ROOT = Path(__file__).parents[1]
N_TRAINED, N_MEASURED = 700, 1097


@pytest.fixture(scope="module")
def digits():
    """Digits (N, 1, 8, 8) uint8 and their labels."""
    found = load_digits()
    pixels = (found.images * 255 / 16).round().astype(np.uint8)[:, None]
    return pixels[: N_TRAINED + N_MEASURED], found.target[: N_TRAINED + N_MEASURED]


@pytest.fixture(scope="module")
def net(digits):
    """A net of images in [0, 1], which has learned the first digits."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 100), nn.ReLU(), nn.Dropout(0.2), nn.Linear(100, 10))
    images, labels = torch.from_numpy(digits[0][:N_TRAINED]) / 255, torch.from_numpy(digits[1][:N_TRAINED])
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(100):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
    return model


@pytest.fixture(scope="module")
def images(digits):
    """Those that the net has not seen, in [0, 1]."""
    return torch.from_numpy(digits[0][N_TRAINED:]) / 255


@pytest.fixture(scope="module")
def labels(digits):
    return torch.from_numpy(digits[1][N_TRAINED:])


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


def test_a_measurement_is_that_of_the_stages_of_its_entry(found, net, digits, images, tmp_path, monkeypatch):
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
    pixels, wanted = (values[N_TRAINED:] for values in digits)
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


def mistakes(images, labels):
    """What is wrong -> the arguments that are, and what is said of them."""
    nan = images.clone()
    nan[3] = torch.nan
    return {
        "no bounds": ({"bounds": None}, r"^bounds are missing: .*bounds=\(0, 1\), or bounds=\(0, 255\)"),
        "odd bounds": ({"bounds": (1, 0)}, r"^bounds = \(1, 0\): must be \(black, white\), finite, with black <= 0"),
        "one bound": ({"bounds": 1}, r"^bounds = 1: must be two numbers"),
        "pixels": ({"images": 255 * images}, r"^images: values from 0 to 255 exceed bounds = \(0, 1\); correct"),
        "shares": ({"bounds": (0, 255)}, r"^images: values up to 1 look like images in \[0, 1\], but bounds"),
        "flat": ({"images": images.flatten(1)}, r"^images: shape \(1097, 64\); must be \(N, C, H, W\)"),
        "grey": (
            {"images": images[:, 0]},
            r"^images: shape \(1097, 8, 8\); must .*: if .* add a channel: images\[:, None\]",
        ),
        "none": ({"images": images[:0], "labels": labels[:0]}, r"^images: no images, shape \(0, 1, 8, 8\); give a"),
        "complex": ({"images": images.to(torch.complex64)}, "^images: torch.complex64; give real numbers"),
        "loader": (
            {"images": DataLoader(TensorDataset(images, labels))},
            "^labels: leave them out; the DataLoader given as images has them",
        ),
        "data set": (
            {"images": TensorDataset(images, labels), "labels": None},
            "^images: TensorDataset has single images; give a DataLoader of it, which makes batches",
        ),
        "single": (
            {"images": list(zip(images, labels, strict=True)), "labels": None},
            r"^images of batch 0: shape \(1, 8, 8\); .*: give a DataLoader, which .*, or, if .* images\[:, None",
        ),
        "channels last": ({"images": images.movedim(1, -1)}, r"^images: shape .* has channels last; transpose"),
        "nan": ({"images": nan}, r"^images: some values are NaN or infinite"),
        "few": (
            {"images": images[:5], "labels": labels[:5]},
            "^images: 5: an exponent needs at least 20 images, better",
        ),
        "no labels": (
            {"labels": None},
            r"^labels are missing for images of type Tensor \(1097, 1, 8, 8\); give",
        ),
        "no pairs": ({"images": [images], "labels": None}, r"^images: batch 0 is Tensor .*; each must be a pair"),
        "empty": ({"images": iter(()), "labels": None}, "^images: the iterable has no batches"),
        "short": ({"labels": labels[:3]}, r"^labels: shape \(3,\) for 1097 images; must be \(1097,\)"),
        "one hot": ({"labels": nn.functional.one_hot(labels)}, r"^labels: shape \(1097, 10\) for 1097"),
        "floats": ({"labels": labels.float()}, "^labels: torch.float32, .*; must be class numbers"),
        "classes": ({"labels": labels + 1}, "^labels: the largest is 10, but the model has 10 classes; give"),
        "by chance": (
            {"labels": (labels + 1) % 10},
            "about chance for 10 classes; .*: check labels, bounds, mean and std",
        ),
        "no module": ({"model": lambda images: images}, "^model: function is not a torch.nn.Module; wrap it"),
        "no images": ({"model": nn.Linear(3, 10)}, r"^model: does not take images \(B, C, H, W\)"),
        "softmax": ({"model": nn.Softmax(dim=1)}, "^model: gives probabilities .*drop the last softmax"),
        "attack": ({"attacks": "fgms"}, "^attacks: 'fgms' is unknown; choose from fgsm, l2, step_ll, pgd"),
        "no attack": ({"attacks": []}, r"^attacks = \[\]: names no attack; choose from fgsm"),
        "attacks none": ({"attacks": None}, "^attacks = None: must be a name, or several in a tuple; choose from fgsm"),
        "attacks three": ({"attacks": 3}, "^attacks = 3: must be a name, or several"),
        "attacks nested": ({"attacks": [["fgsm"]]}, r"^attacks: \['fgsm'\] is no name; choose from fgsm"),
        "family": ({"attacks": {"a": {"clip": True}}}, "^attacks: a: family = None; must be one of one_step, iter"),
        "setting": (
            {"attacks": {"a": {"family": "one_step", "direction": "up", "clip": True}}},
            "attacks.one_step.a.direction = 'up'",
        ),
        "steps": ({"steps": 0}, "^steps = 0: must be a whole number, at least 1, for pgd"),
        "steps text": ({"steps": "a"}, "^steps = 'a': must be a whole number"),
        "seed": ({"seed": "a"}, "^seed = 'a': must be a whole number, at least 0; the default is 0"),
        "seed none": ({"seed": None}, "^seed = None: must be a whole number"),
        "seed below 0": ({"seed": -1}, "^seed = -1: must be a whole number"),
        "count": ({"count": 1}, "^count = 1: must be a whole number, at least 2; the default is 20"),
        "eps none": (
            {"eps_max": None},
            r"^eps_max = None: must be a number, in pixel units \[0, 255\]; the default is 16",
        ),
        "eps text": ({"eps_max": "big"}, "^eps_max = 'big': must be a number"),
        "eps infinite": ({"eps_max": math.inf}, "eps_max = inf: should be a finite number"),
        "name": ({"name": "my model/1"}, "^name = 'my model/1': must be of letters, digits, _ and -"),
        "half": ({"model": "half"}, r"^model: its parameters are torch.float16, but .*; call \.float\(\) on the model"),
        "double": ({"model": "double"}, r"^model: its parameters are torch.float64, but .*; call \.float\(\)"),
        "argmax": (
            {"model": "argmax"},
            "^model: returns torch.int64, shape .*; return the logits .*: drop the last argmax",
        ),
        "grid": ({"eps_min": 20}, "eps_min = 20 must be below eps_max = 16"),
        "mean": ({"mean": [33.0]}, r"^mean = \[33.0\]: must be in the units of the images, from 0 to 1"),
        "std": ({"std": [0.0]}, r"^std = \[0.0\]: must be above 0"),
        "std text": ({"std": "a"}, "^std = 'a': must be numbers in the units of the images, one for each channel"),
        "mean none": ({"mean": [None, "a"]}, "^mean = .*: must be numbers in the units"),
        "channels": ({"std": [1.0, 1.0]}, r"^std = \[1.0, 1.0\]: the images have 1 channels"),
    }


class Argmax(nn.Module):
    """Class numbers (B,)."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, images):
        return self.net(images).argmax(dim=1)


@pytest.mark.parametrize("name", mistakes(torch.zeros(1097, 1, 8, 8), torch.zeros(1097, dtype=torch.int64)))
def test_a_mistake_is_answered_with_the_argument_and_the_next_step(net, images, labels, name):
    changed, message = mistakes(images, labels)[name]
    made = {"half": copy.deepcopy(net).half(), "double": copy.deepcopy(net).double(), "argmax": Argmax(net)}
    if name == "softmax":
        changed = {"model": nn.Sequential(net, changed["model"])}
    elif name in made:
        changed = {"model": made[name]}
    arguments = {"model": net, "images": images, "labels": labels, "bounds": (0, 1), **changed}
    with pytest.raises(ValueError, match=message):
        advlaw.measure(**arguments)


def test_a_model_that_is_right_by_chance_is_warned_of_and_not_asked_for_more_images(net, images, labels):
    shuffled = labels[torch.from_numpy(np.random.default_rng(0).permutation(len(labels)))]
    for model, wanted in ((net, shuffled), (untrained(), labels)):
        with pytest.warns(UserWarning, match="about chance for 10 classes; .*: check labels, bounds, mean and std"):
            found = advlaw.measure(model, images, wanted, "fgsm", bounds=(0, 1), eps_max=64)
        assert "no exponent: " in repr(found)
        assert "of 1097 images are classified as labelled, about chance for 10 classes; the labels, the" in repr(found)
        assert "give" not in repr(found)


def untrained() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 10))


def test_eps_in_shares_of_255_is_answered_with_its_units(net, images, labels):
    found = advlaw.measure(net, images[:600], labels[:600], "fgsm", bounds=(0, 1), eps_max=8 / 255)
    assert "raise eps_max; eps is in pixel units [0, 255]: 8/255 is 8" in repr(found)


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
