"""Batch norm folded into the layer before it: the same answers and gradients, or the net as it is."""

import copy

import pytest
import timm
import torch
from torch import nn
from torch.nn.functional import conv2d, relu

from advlaw.models.folded import fold, foldable
from advlaw.models.wrapped import classifier

IMAGES = torch.randn(5, 3, 12, 12, generator=torch.Generator().manual_seed(3))
Norm = nn.modules.batchnorm._BatchNorm


class Net(nn.Module):
    """A first layer, `work` with the named layers, and a last layer."""

    def __init__(self, work, **layers):
        super().__init__()
        self.work, self.layers = work, nn.ModuleDict(layers)
        self.first, self.last = nn.Conv2d(3, 6, 3), nn.Linear(6, 4)

    def forward(self, images):
        return self.last(self.work(self.first(images), **self.layers).mean(dim=(2, 3)))


class Activated(nn.BatchNorm2d):
    """A norm that does more, in no module of its own."""

    def forward(self, images):
        return torch.tanh(super().forward(images))


def conv(**more):
    return nn.Conv2d(6, 6, 3, padding=1, **more)


def norm(**more):
    return nn.BatchNorm2d(6, **more)


def seeded(net):
    """The net in evaluation mode, with statistics and factors as training gives them."""
    torch.manual_seed(1)
    for module in net.modules():
        if isinstance(module, Norm) and module.running_mean is not None:
            module.running_mean.normal_()
            module.running_var.uniform_(0.3, 3.0)
            if module.affine:
                module.weight.data.normal_()
                module.bias.data.normal_()
    return net.eval().requires_grad_(False)


def beside(x, c, n, d, m):
    y = c(x)
    return m(d(n(y) + y.abs()))


def tied():
    net = Net(lambda x, c, n, d, m: m(d(n(c(x)))), c=conv(), n=norm(), d=conv(), m=norm())
    net.layers["d"].weight = net.layers["c"].weight
    return net


def hooked():
    net = Net(lambda x, c, n: n(c(x)), c=conv(), n=norm())
    net.layers["c"].register_forward_hook(lambda _, __, output: output + 1)
    return net


def flat():
    return nn.Sequential(nn.Flatten(), nn.Linear(432, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 4))


NETS = {  # a net, and which of its layers take which norm in
    "shortcut": (
        lambda: Net(
            lambda x, c, n, d, m: relu(x + m(d(relu(n(c(x)))))),
            **{"c": conv(), "n": norm(), "d": conv(bias=False), "m": norm(affine=False)},
        ),
        "cn dm",
    ),
    "depthwise": (lambda: Net(lambda x, c, n: n(c(x)), c=conv(groups=6), n=norm()), "cn"),
    "changed in place": (lambda: Net(lambda x, c, n: n(c(x)).relu_(), c=conv(), n=norm()), "cn"),
    "layer run twice": (lambda: Net(lambda x, c, n, m: m(c(n(c(x)))), c=conv(), n=norm(), m=norm()), ""),
    "norm run twice": (lambda: Net(lambda x, c, d, n: n(c(x)) + n(d(x)), c=conv(), d=conv(), n=norm()), ""),
    "weight of two layers": (tied, ""),
    "weight used beside": (lambda: Net(lambda x, c, n: n(c(conv2d(x, c.weight))), c=conv(), n=norm()), ""),
    "two norms": (lambda: Net(lambda x, c, n, m: (lambda y: n(y) + m(y))(c(x)), c=conv(), n=norm(), m=norm()), ""),
    "output used beside": (lambda: Net(beside, c=conv(), n=norm(), d=conv(), m=norm()), "dm"),
    "output changed": (lambda: Net(lambda x, c, n: n(c(x).mul_(2)), c=conv(), n=norm()), ""),
    "activation between": (lambda: Net(lambda x, c, n: n(relu(c(x))), c=conv(), n=norm()), ""),
    "statistics of the batch": (
        lambda: Net(lambda x, c, n: n(c(x)), c=conv(), n=norm(track_running_stats=False)),
        "",
    ),
    "hook between": (hooked, ""),
    "norm that does more": (lambda: Net(lambda x, c, n: n(c(x)), c=conv(), n=Activated(6)), ""),
    "norm read beside": (lambda: Net(lambda x, c, n: n(c(x)) * n.weight.sum(), c=conv(), n=norm()), ""),
    "no norm": (lambda: Net(lambda x, c: c(x), c=conv()), ""),
}


def answers(net, images):
    """Logits, and the gradient of their squares at the pixels."""
    pixels = images.clone().requires_grad_(True)
    logits = net(pixels)
    (gradient,) = torch.autograd.grad(logits.square().sum(), pixels)
    return logits.detach(), gradient


def assert_same_folded(net, pairs, images):
    folded = copy.deepcopy(net).double()
    fold(folded, pairs)
    for found, expected in zip(answers(folded, images.double()), answers(net.double(), images.double()), strict=True):
        assert (found - expected).abs().max() <= 1e-9 * (expected.max() - expected.min())
    return folded


@pytest.mark.parametrize("name", NETS)
def test_what_can_be_folded_is_and_nothing_changes(name):
    make, expected = NETS[name]
    net = seeded(make())
    before = copy.deepcopy(net.state_dict())
    pairs = foldable(net, IMAGES, float64=True)
    assert pairs == [(f"layers.{layer}", f"layers.{behind}") for layer, behind in expected.split()]
    torch.testing.assert_close(net.state_dict(), before, rtol=0, atol=0)
    assert not any(module._forward_hooks for module in net.modules() if name != "hook between")
    assert_same_folded(net, pairs, IMAGES)


@pytest.mark.parametrize("name", ["resnet10t", "test_efficientnet"])  # the second's norms hold their activations
def test_nets_of_timm_lose_all_their_norms_and_keep_their_activations(name):
    net = seeded(timm.create_model(name, num_classes=4))
    images = torch.randn(2, 3, 40, 40)
    pairs = foldable(net, images, float64=True)
    assert len(pairs) == sum(isinstance(module, Norm) for module in net.modules()) >= 10
    folded = assert_same_folded(net, pairs, images)
    assert not any(isinstance(module, Norm) for module in folded.modules())


def test_a_linear_layer_takes_its_norm_in():
    net = seeded(flat())
    pairs = foldable(net, IMAGES, float64=True)
    assert pairs == [("1", "2")]
    assert_same_folded(net, pairs, IMAGES)


def test_a_net_of_single_precision_alone_is_compared_in_it():
    net = seeded(Net(lambda x, c, n: n(c(x.float())), c=conv(), n=norm()))
    assert foldable(net, IMAGES, float64=True) == []
    assert foldable(net, IMAGES, float64=False) == [("layers.c", "layers.n")]


def test_weights_are_loaded_under_their_own_names_and_folded_in_evaluation():
    plain = seeded(Net(lambda x, c, n: n(c(x)), c=conv(), n=norm()))
    model = classifier(copy.deepcopy(plain), 3, float64=True, channels_last=True, folded=[["layers.c", "layers.n"]])
    assert {name.removeprefix("tail.net.") for name in model.state_dict()} >= plain.state_dict().keys()
    for _ in range(2):
        model.eval()
        assert not any(isinstance(module, Norm) for module in model.modules())
        torch.testing.assert_close(model(IMAGES), plain(IMAGES), rtol=1e-4, atol=1e-5)
