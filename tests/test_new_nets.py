"""Nets of Kurakin's experiments: plain convolutions, maxout, width factors; and that defaults are what they were."""

import importlib
import inspect

import pytest
import torch
from conftest import make_images
from torch.nn import functional as F

from advlaw.models.settings import ARCHITECTURES, FullyConnected, Maxout, PlainConvolutional, ResNet, scaled
from advlaw.models.store import build, digest, in_fast_layout
from advlaw.tables.trials import describe
from advlaw.trials.train import flops, n_parameters

SHAPE = {"image_shape": [1, 8, 8], "n_classes": 10}
BEFORE = {  # SHA-256 of the weights of nets with the defaults, as they were before nets had widths and activations
    "fc": ({"widths": [40, 30]}, "c77210014cf899d80a2a587bf4c6f3aea2fd57387e296372178a2567aecb9f22"),
    "cnn": ({"channels": [6, 8], "dropout": 0.3}, "ce413116b06d51df0a02719e2ad9b043a4641dd3fd2c337081f9ce2d9bcd1627"),
    "resnet": ({"depth": 14}, "ce8fdbd3a358ca2669947a212d2a609ad8dddf7ffb3c5fa852b897f9d289070d"),
    "wide_resnet": ({"depth": 10, "width": 2}, "c472e83bd0b5848c363c1aedabf43680b31854903d6fcbd2389ffa46726c1de1"),
}
NEW = {
    "conv": {"channels": [4, 6], "depth": 2, "stem_stride": 2, "width": 1.5, "activation": "elu", "dropout": 0.4},
    "maxout": {"layers": 3, "units": 7, "pieces": 4, "dropout": 0.4},
}


def random_net(arch):
    """A net in float64 with random statistics, so that no term of it is 0 or 1."""
    torch.manual_seed(4)
    net = build({"arch": arch, **NEW[arch], **SHAPE})
    net.head.mean.fill_(120.0)
    net.head.std.fill_(70.0)
    for layer in net.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.weight.data.uniform_(0.5, 1.5)
            layer.bias.data.normal_(0, 0.3)
            layer.running_mean.normal_(0, 0.3)
            layer.running_var.uniform_(0.5, 2.0)
    return net.double().eval().requires_grad_(False)


@pytest.mark.parametrize("arch", BEFORE)
def test_nets_with_the_defaults_begin_with_the_weights_they_had(arch):
    sizes, expected = BEFORE[arch]
    torch.manual_seed(11)
    assert digest(build({"arch": arch, **sizes, **SHAPE}).state_dict()) == expected


@pytest.mark.parametrize("arch", sorted(ARCHITECTURES.keys() - {"timm"}))  # whose spec says more than its entry
def test_what_a_spec_leaves_out_is_the_default_of_the_net(arch):
    fields = ARCHITECTURES[arch].model_fields
    taken = inspect.signature(importlib.import_module(f"advlaw.models.{arch}").build).parameters
    assert fields.keys() - {"arch"} == taken.keys() - {"image_shape", "n_classes"}
    for name in fields.keys() - {"arch"}:
        default = inspect.Parameter.empty if fields[name].is_required() else fields[name].default
        assert taken[name].default == default, name


def test_a_spec_says_what_is_not_at_its_default():
    shape = [1, 8, 8]
    assert FullyConnected(arch="fc", widths=[5]).spec(shape, 10) == {"arch": "fc", "widths": [5], **SHAPE}
    assert ResNet(arch="resnet", depth=8, width=0.5).spec(shape, 10) == {
        "arch": "resnet",
        "depth": 8,
        "width": 0.5,
        **SHAPE,
    }
    assert Maxout(arch="maxout").spec(shape, 10) == {"arch": "maxout", "layers": 2, "units": 240, **SHAPE}


def test_sizes_are_multiplied_and_rounded_and_none_vanishes():
    assert scaled([16, 32, 64], 0.71) == [11, 23, 45]
    assert scaled([3, 5], 0.5) == [2, 3]  # halves up, whether even or odd
    assert scaled([100], 0.001) == [1]
    sizes = [1, 7, 100, 4097]
    assert scaled(sizes, 1.0) == sizes


def test_numbers_of_parameters_and_operations_are_those_by_hand():
    fc = {"arch": "fc", "widths": [30, 20], "width": 0.5, "dropout": 0.2, **SHAPE}
    assert n_parameters(fc) == 65 * 15 + 16 * 10 + 11 * 10
    assert flops(fc) == 2 * (64 * 15 + 15 * 10 + 10 * 10)
    conv = {"arch": "conv", **NEW["conv"], **SHAPE}  # 6, 6, 9, 9 filters at 4x4, 4x4, 2x2, 2x2 pixels
    assert n_parameters(conv) == 9 * (6 + 6 * 6 + 6 * 9 + 9 * 9) + 2 * (6 + 6 + 9 + 9) + 10 * 10
    assert flops(conv) == 2 * (9 * (16 * (6 + 6 * 6) + 4 * (6 * 9 + 9 * 9)) + 9 * 10)
    maxout = {"arch": "maxout", **NEW["maxout"], **SHAPE}
    assert n_parameters(maxout) == 28 * (65 + 8 + 8) + 8 * 10
    assert flops(maxout) == 2 * (28 * (64 + 7 + 7) + 70)
    goodfellow = {"arch": "maxout", "image_shape": [1, 28, 28], "n_classes": 10}
    assert n_parameters(goodfellow) == 1200 * (785 + 241) + 241 * 10


@pytest.mark.parametrize(
    ("architecture", "layers", "sizes"),
    [
        (FullyConnected(arch="fc", widths=[30, 20], width=0.5), 2, "15-10"),
        (PlainConvolutional(arch="conv", channels=[16, 32], depth=3, width=1.41), 6, "23-45"),
        (Maxout(arch="maxout"), 2, "240-240"),
        (ResNet(arch="resnet", depth=20, width=2.0), 20, ""),
    ],
)
def test_tables_have_the_sizes_that_a_net_really_has(architecture, layers, sizes):
    found = describe({"net": "x", "spec": architecture.spec([1, 8, 8], 10), "diverged": False})
    assert (found["layers"], found["sizes"]) == (layers, sizes)


@pytest.mark.parametrize("arch", NEW)
def test_the_first_layer_is_the_affine_head(arch):
    net, images = random_net(arch), make_images(5, torch.float64)
    direction = torch.randn_like(images)
    for eps in (0.0, 0.3, 40.0):
        along = net.tail(net.head(images) + eps * net.head.linear(direction))
        torch.testing.assert_close(along, net(images + eps * direction), rtol=1e-12, atol=1e-10)


def test_plain_convolutions_are_those_written_out():
    net, images = random_net("conv"), make_images(5, torch.float64)
    state, x = net.state_dict(), (images - 120) / 70
    convolutions = [("head.layer", 2), ("tail.2", 1), ("tail.5", 2), ("tail.8", 1)]
    for (key, stride), norm in zip(convolutions, (0, 3, 6, 9), strict=True):
        x = F.conv2d(x, state[f"{key}.weight"], stride=stride, padding=1)
        weight, bias, mean, var = (
            state[f"tail.{norm}.{part}"].view(-1, 1, 1) for part in ("weight", "bias", "running_mean", "running_var")
        )
        x = F.elu((x - mean) / (var + 1e-5).sqrt() * weight + bias)
    expected = x.mean(dim=(2, 3)) @ state["tail.14.weight"].T + state["tail.14.bias"]
    torch.testing.assert_close(net(images), expected, rtol=1e-12, atol=1e-10)
    fast = in_fast_layout(net.float())
    torch.testing.assert_close(fast(images.float()), expected.float(), rtol=1e-4, atol=1e-4)
    assert all(p.is_contiguous(memory_format=torch.channels_last) for p in fast.parameters() if p.dim() == 4)


def test_maxout_is_the_largest_of_its_affine_pieces():
    """Unit u of a layer is the largest of rows u, units + u, 2 units + u, …; so is the gradient that row's."""
    net, images = random_net("maxout"), make_images(5, torch.float64)
    state, units = net.state_dict(), NEW["maxout"]["units"]
    for image in images:
        x, jacobian = (image.flatten() - 120) / 70, torch.eye(64, dtype=torch.float64) / 70
        for key in ("head.layer", "tail.2", "tail.5"):
            rows, bias = state[f"{key}.weight"], state[f"{key}.bias"]
            pieces = [[rows[p] @ x + bias[p] for p in range(u, len(rows), units)] for u in range(units)]
            largest = [u + units * max(range(4), key=pieces[u].__getitem__) for u in range(units)]
            x, jacobian = torch.stack([max(values) for values in pieces]), rows[largest] @ jacobian
        expected = state["tail.8.weight"] @ x + state["tail.8.bias"]
        torch.testing.assert_close(net(image[None])[0], expected)
        found = torch.autograd.functional.jacobian(lambda pixels: net(pixels[None])[0], image)
        torch.testing.assert_close(found.flatten(1), state["tail.8.weight"] @ jacobian)


@pytest.mark.parametrize(
    ("spec", "places"),
    [
        ({"arch": "fc", "widths": [9, 8], "dropout": 0.5}, ["tail.3"]),
        ({"arch": "conv", **NEW["conv"]}, ["tail.13"]),
        ({"arch": "maxout", **NEW["maxout"]}, ["tail.1", "tail.4", "tail.7"]),
    ],
)
def test_dropout_is_where_the_net_says(spec, places):
    net = build({**spec, **SHAPE})
    assert [name for name, layer in net.named_modules() if isinstance(layer, torch.nn.Dropout)] == places
    assert isinstance(net.tail[-1], torch.nn.Linear)


@pytest.mark.parametrize(
    ("sizes", "mistake"),
    [
        ({"channels": [8] * 4}, None),  # 8, 4, 2 and 1 pixels a side
        ({"channels": [8] * 3, "stem_stride": 2}, None),
        ({"channels": [8] * 4, "stem_stride": 2}, r"channels = [8, 8, 8, 8]: each stage but the first halves"),
        ({"channels": [8] * 5}, "with stem_stride = 1 it needs 16x16 pixels, and images have 8x8"),
    ],
)
def test_convolutions_that_leave_nothing_of_an_image_are_refused(sizes, mistake):
    found = PlainConvolutional(arch="conv", **sizes).mistake(8)
    assert found is None if mistake is None else mistake in found
    if mistake is None:
        assert build({"arch": "conv", **sizes, **SHAPE})(make_images(2)).shape == (2, 10)
