"""Residual nets: numbers of parameters, the affine head, and logits against the nets written out."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from advlaw.models import resnet
from advlaw.models.store import build, in_fast_layout

SHAPE, CLASSES = (3, 32, 32), 10
BY_HAND = sum(  # of ResNet-8 with 32, 64 and 128 channels: convolutions, batch normalisations, the last layer
    [9 * (3 * 32 + 32 * 32 * 2 + 32 * 64 + 64 * 64 + 64 * 128 + 128 * 128), 2 * (3 * 32 + 2 * 64 + 2 * 128), 129 * 10]
)


def random_net(seed=0, **sizes):
    """A net in float64 with random weights and statistics, so that no term of it is 0 or 1."""
    torch.manual_seed(seed)
    net = build({"image_shape": SHAPE, "n_classes": CLASSES, **sizes})
    net.head.mean.copy_(torch.tensor([120.0, 110.0, 100.0]).view(3, 1, 1))
    net.head.std.copy_(torch.tensor([60.0, 55.0, 50.0]).view(3, 1, 1))
    for layer in net.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.weight.data.uniform_(0.5, 1.5)
            layer.bias.data.normal_(0, 0.3)
            layer.running_mean.normal_(0, 0.3)
            layer.running_var.uniform_(0.5, 2.0)
    return net.double().eval().requires_grad_(False)


def pixels(n_images, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (n_images, *SHAPE))).double()


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [  # He et al. Table 6, Zagoruyko & Komodakis Tables 4 and 5, to the last parameter
        ({"arch": "resnet", "depth": 20}, 269_722),
        ({"arch": "resnet", "depth": 32}, 464_154),
        ({"arch": "resnet", "depth": 110}, 1_727_962),
        ({"arch": "resnet", "depth": 8, "width": 2.0}, BY_HAND),
        ({"arch": "wide_resnet", "depth": 40, "width": 1}, 563_930),
        ({"arch": "wide_resnet", "depth": 16, "width": 4}, 2_748_890),
        ({"arch": "wide_resnet", "depth": 28, "width": 10}, 36_479_194),
    ],
)
def test_numbers_of_parameters_are_those_of_the_papers(sizes, expected):
    with torch.device("meta"):
        net = build({"image_shape": SHAPE, "n_classes": CLASSES, **sizes})
    assert sum(p.numel() for p in net.parameters()) == expected


@pytest.mark.parametrize("sizes", [{"arch": "resnet", "depth": 8}, {"arch": "wide_resnet", "depth": 10, "width": 2}])
def test_the_first_convolution_is_the_affine_head(sizes):
    net = random_net(**sizes)
    images, direction = pixels(3), torch.randn(3, *SHAPE, dtype=torch.float64)
    for eps in (0.0, 0.3, 40.0):
        along = net.tail(net.head(images) + eps * net.head.linear(direction))
        torch.testing.assert_close(along, net(images + eps * direction), rtol=1e-12, atol=1e-10)


def test_a_wide_net_has_dropout_between_its_convolutions_alone():
    net = random_net(arch="wide_resnet", depth=16, width=2, dropout=0.5)
    images = pixels(2)
    assert torch.equal(net(images), net(images))
    dropouts = [layer for layer in net.modules() if isinstance(layer, torch.nn.Dropout)]
    assert len(dropouts) == 6  # one a block
    for layer in dropouts:
        layer.train()
    assert not torch.equal(net(images), net(images))


def normalised(x, state, key):
    weight, bias, mean, var = (
        state[f"{key}.{part}"].view(-1, 1, 1) for part in ("weight", "bias", "running_mean", "running_var")
    )
    return (x - mean) / (var + 1e-5).sqrt() * weight + bias


def relu(x):
    return x.clamp(min=0)


def decay(x):
    """Kurakin App. D, with beta = 0.1."""
    return relu(x) / (1 + 0.1 * relu(x) ** 2)


def resnet_logits(state, images, n_blocks, act=relu):
    """He et al. Sec. 4.2 with option A, written out; channels are padded by concatenation."""
    x = (images - state["head.mean"]) / state["head.std"]
    x = act(normalised(F.conv2d(x, state["head.layer.weight"], padding=1), state, "tail.bn1"))
    for stage in (1, 2, 3):
        for block in range(n_blocks):
            key, stride = f"tail.layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            y = F.conv2d(x, state[f"{key}.conv1.weight"], stride=stride, padding=1)
            y = act(normalised(y, state, f"{key}.bn1"))
            y = normalised(F.conv2d(y, state[f"{key}.conv2.weight"], padding=1), state, f"{key}.bn2")
            if stride == 2:
                kept, n_new = x[..., ::2, ::2], y.shape[1] - x.shape[1]
                zeros = kept.new_zeros(len(kept), n_new, *kept.shape[2:])
                x = torch.cat([zeros[:, : n_new // 2], kept, zeros[:, n_new // 2 :]], dim=1)
            x = act(x + y)
    return x.mean(dim=(2, 3)) @ state["tail.linear.weight"].T + state["tail.linear.bias"]


def wide_logits(state, images, n_blocks, act=relu):
    """Zagoruyko & Komodakis with width > 1, written out."""
    x = F.conv2d((images - state["head.mean"]) / state["head.std"], state["head.layer.weight"], padding=1)
    for stage in (1, 2, 3):
        for block in range(n_blocks):
            key, stride = f"tail.layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            active = act(normalised(x, state, f"{key}.bn1"))
            y = F.conv2d(active, state[f"{key}.conv1.weight"], stride=stride, padding=1)
            y = act(normalised(y, state, f"{key}.bn2"))
            if block == 0:
                x = F.conv2d(active, state[f"{key}.shortcut.weight"], stride=stride)
            x = x + F.conv2d(y, state[f"{key}.conv2.weight"], padding=1)
    x = act(normalised(x, state, "tail.bn")).mean(dim=(2, 3))
    return x @ state["tail.linear.weight"].T + state["tail.linear.bias"]


@pytest.mark.parametrize(
    ("sizes", "reference", "n_blocks", "act"),
    [
        ({"arch": "resnet", "depth": 20}, resnet_logits, 3, relu),
        ({"arch": "resnet", "depth": 8, "width": 0.7}, resnet_logits, 1, relu),  # 11, 22, 45 channels: 23 are new
        ({"arch": "resnet", "depth": 8, "width": 0.01, "activation": "elu"}, resnet_logits, 1, F.elu),  # 1, 1, 1
        ({"arch": "resnet", "depth": 14, "activation": "relu_decay_0.1"}, resnet_logits, 2, decay),
        ({"arch": "resnet", "depth": 8, "activation": "relu6"}, resnet_logits, 1, lambda x: x.clamp(0, 6)),
        ({"arch": "wide_resnet", "depth": 16, "width": 3}, wide_logits, 2, relu),
        ({"arch": "wide_resnet", "depth": 10, "width": 2, "activation": "tanh"}, wide_logits, 1, torch.tanh),
    ],
)
def test_logits_are_those_of_the_net_written_out(sizes, reference, n_blocks, act):
    net, images = random_net(**sizes), pixels(4)
    expected = reference(net.state_dict(), images, n_blocks, act)
    torch.testing.assert_close(net(images), expected, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(in_fast_layout(net.float())(images.float()), expected.float(), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "sizes", [{"arch": "resnet", "depth": 21}, {"arch": "resnet", "depth": 2}, {"arch": "wide_resnet", "depth": 17}]
)
def test_a_depth_without_whole_stages_is_refused(sizes):
    width = {"width": 2} if sizes["arch"] == "wide_resnet" else {}
    with pytest.raises(ValueError, match=rf"depth = {sizes['depth']}: must be 6n \+ [24], as"):
        build({"image_shape": SHAPE, "n_classes": CLASSES, **sizes, **width})


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_gradient_of_a_shortcut_has_the_layout_of_the_features(layout):
    features = torch.randn(2, 16, 8, 8).contiguous(memory_format=layout).requires_grad_(True)
    shortcut = resnet._Block(16, 32, 2, "relu")._shortcut(features)
    assert torch.equal(shortcut[:, 8:24], features[:, :, ::2, ::2])
    (gradient,) = torch.autograd.grad(shortcut.square().sum(), features)
    assert gradient.stride() == features.stride()
    expected = torch.zeros(2, 16, 8, 8)
    expected[:, :, ::2, ::2] = 2 * features.detach()[:, :, ::2, ::2]
    assert torch.equal(gradient, expected)
