"""Activations: their closed forms and slopes, where a maximum stands, and that every net has the one it names."""

from typing import get_args

import numpy as np
import pytest
import torch
from torch import nn

from advlaw.models.activations import ACTIVATIONS, ReluDecay, with_maximum
from advlaw.models.settings import ARCHITECTURES, Activation
from advlaw.models.store import build

NAMES = get_args(Activation)
SHAPE = {"image_shape": [1, 8, 8], "n_classes": 10}
SIZES = {
    "fc": {"widths": [9, 8]},
    "cnn": {"channels": [4, 5], "dropout": 0.0, "dense_units": 6},
    "conv": {"channels": [4, 5], "depth": 2},
    "resnet": {"depth": 8},
    "wide_resnet": {"depth": 10, "width": 1},
}


def decay(beta):
    def value(x):
        r = np.maximum(x, 0)
        return r / (1 + beta * r**2)

    def slope(x):
        return np.where(x > 0, (1 - beta * x**2) / (1 + beta * x**2) ** 2, 0.0)

    return value, slope


CLOSED = {
    "relu": (lambda x: np.maximum(x, 0), lambda x: (x > 0) * 1.0),
    "relu6": (lambda x: np.clip(x, 0, 6), lambda x: ((x > 0) & (x < 6)) * 1.0),
    "tanh": (np.tanh, lambda x: 1 / np.cosh(x) ** 2),
    "elu": (lambda x: np.where(x > 0, x, np.expm1(x)), lambda x: np.where(x > 0, 1.0, np.exp(x))),
    **{f"relu_decay_{beta}": decay(beta) for beta in (0.1, 0.01, 0.001)},
}


@pytest.mark.parametrize("name", NAMES)
def test_values_and_slopes_are_the_closed_forms(name):
    x = torch.linspace(-40.005, 40.005, 3000, dtype=torch.float64, requires_grad=True)
    value, slope = CLOSED[name]
    found = ACTIVATIONS[name]()(x)
    (gradient,) = torch.autograd.grad(found.sum(), x)
    np.testing.assert_allclose(found.detach().numpy(), value(x.detach().numpy()), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(gradient.numpy(), slope(x.detach().numpy()), rtol=1e-10, atol=1e-14)


def test_relu_decay_is_highest_at_one_over_the_root_of_beta():
    x = torch.tensor([10.0, 20.0, -3.0, 1e30], requires_grad=True)
    found = ReluDecay(0.01)(x)
    (gradient,) = torch.autograd.grad(found.sum(), x)
    torch.testing.assert_close(found.detach(), torch.tensor([5.0, 4.0, 0.0, 0.0]))  # 10 / 2, 20 / 5
    torch.testing.assert_close(gradient, torch.tensor([0.0, -3 / 25, 0.0, 0.0]))  # (1 - 4) / 5^2; no NaN far away


def test_every_name_of_the_params_has_an_activation():
    assert ACTIVATIONS.keys() == CLOSED.keys() == set(NAMES)
    assert {name for name, kind in ARCHITECTURES.items() if "activation" in kind.model_fields} == SIZES.keys()


@pytest.mark.parametrize("name", NAMES)
def test_a_maximum_is_that_of_what_the_activation_gives(name):
    features = 40 * torch.randn(50, 3, 8, 8, dtype=torch.float64)
    expected = nn.functional.max_pool2d(ACTIVATIONS[name]()(features), 2)
    torch.testing.assert_close(nn.Sequential(*with_maximum(name))(features), expected, rtol=1e-15, atol=0)
    is_swapped = isinstance(with_maximum(name)[0], nn.MaxPool2d)
    swapped = ACTIVATIONS[name]()(nn.functional.max_pool2d(features, 2))
    assert is_swapped == torch.allclose(swapped, expected, rtol=1e-15, atol=0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("arch", SIZES)
def test_a_net_has_its_activation_wherever_relu_stands(arch, name):
    kinds = {type(make()) for make in ACTIVATIONS.values()}
    net, usual = (
        build({"arch": arch, **SIZES[arch], "activation": name, **SHAPE}),
        build({"arch": arch, **SIZES[arch], **SHAPE}),
    )
    found = [layer for layer in net.modules() if type(layer) in kinds]
    assert len(found) == sum(isinstance(layer, nn.ReLU) for layer in usual.modules()) > 1
    assert {repr(layer).replace("inplace=True", "") for layer in found} == {repr(ACTIVATIONS[name]())}
    assert {getattr(layer, "beta", None) for layer in found} == {getattr(ACTIVATIONS[name](), "beta", None)}
    assert net.state_dict().keys() == usual.state_dict().keys()


def test_a_smooth_net_s_logits_are_those_written_out():
    net = build({"arch": "cnn", **SIZES["cnn"], "activation": "relu_decay_0.1", **SHAPE}).double().eval()
    net.head.mean.fill_(120.0)
    net.head.std.fill_(7.0)  # features far beyond the top of the activation
    images = torch.randint(0, 256, (6, 1, 8, 8)).double()
    state, (act, _) = net.state_dict(), CLOSED["relu_decay_0.1"]

    def activated(features):
        return torch.from_numpy(act(features.detach().numpy()))

    x = nn.functional.conv2d((images - 120) / 7, state["head.layer.weight"], state["head.layer.bias"], padding=1)
    x = nn.functional.max_pool2d(activated(x), 2)
    x = nn.functional.conv2d(x, state["tail.2.weight"], state["tail.2.bias"], padding=1)
    x = nn.functional.max_pool2d(activated(x), 2).flatten(1)
    x = activated(x @ state["tail.6.weight"].T + state["tail.6.bias"])
    torch.testing.assert_close(net(images), x @ state["tail.9.weight"].T + state["tail.9.bias"])
