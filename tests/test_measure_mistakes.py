"""What a measurement answers to mistakes: the argument, its value, what is allowed and the next step."""

import copy
import math

import numpy as np
import pytest
import torch
from measured import trained, unseen
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import advlaw


@pytest.fixture(scope="module")
def net():
    return trained()


@pytest.fixture(scope="module")
def images():
    return unseen()[0]


@pytest.fixture(scope="module")
def labels():
    return unseen()[1]


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
