"""Cells to test with, and what their operations compute, written out."""

import math

import torch
from torch import nn
from torch.nn import functional as F

SHAPE = {"image_shape": [1, 8, 8], "n_classes": 10}
CODE = "0 sep_3x3 + 1 identity, 2 conv_1x1 & 0 max_3x3"
WITHOUT_0 = "1 conv_3x3 + 1 max_3x3, 2 identity & 1 sep_3x3"
WITHOUT_1 = "0 conv_3x3 + 0 max_3x3, 2 identity & 0 sep_3x3"


def randomised(module):
    """In float64 and evaluation mode, with random statistics, so that no term is 0 or 1."""
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.weight.data.uniform_(0.5, 1.5)
            layer.bias.data.normal_(0, 0.3)
            layer.running_mean.normal_(0, 0.3)
            layer.running_var.uniform_(0.5, 2.0)
    return module.double().eval().requires_grad_(False)


def cell_net(code, filters=4, repeats=1, reductions=1, **more):
    return {
        "arch": "cell",
        "cell": code,
        "filters": filters,
        "repeats": repeats,
        "reductions": reductions,
        **more,
        **SHAPE,
    }


def normalised(x, norm):
    weight, bias, mean, var = (
        part.view(-1, 1, 1) for part in (norm.weight, norm.bias, norm.running_mean, norm.running_var)
    )
    return (x - mean) / (var + 1e-5).sqrt() * weight + bias


def windows(x, size, stride, outside):
    """Every window of a map with a border of `outside`: (B, C, size * size, S', S')."""
    half = size // 2
    around = F.pad(x, (half, half, half, half), value=outside)
    return around.unfold(2, size, stride).unfold(3, size, stride).permute(0, 1, 4, 5, 2, 3).flatten(2, 3)


def by_hand(name, x, module, stride, n_out):
    """What an operation gives, from the weights of its module in the order in which they are applied."""
    kernels = [layer.weight for layer in module.modules() if isinstance(layer, nn.Conv2d)]
    norms = [layer for layer in module.modules() if isinstance(layer, nn.BatchNorm2d)]
    kind, _, size = name.rpartition("_")
    if name == "identity" and (x.shape[1], stride) == (n_out, 1):
        assert not kernels
        return x
    if kind in ("avg", "max"):
        seen = windows(x, int(size[0]), stride, math.nan)
        pooled = seen.nanmean(dim=2) if kind == "avg" else seen.nan_to_num(-math.inf).amax(dim=2)
        if x.shape[1] == n_out:
            assert not kernels
            return pooled
        return normalised(F.conv2d(pooled, *kernels), *norms)
    x = x.relu()
    if kind == "sep":
        half = int(size[0]) // 2
        first = F.conv2d(x, kernels[0], stride=stride, padding=half, groups=x.shape[1])
        middle = normalised(F.conv2d(first, kernels[1]), norms[0]).relu()
        second = F.conv2d(middle, kernels[2], padding=half, groups=n_out)
        return normalised(F.conv2d(second, kernels[3]), norms[1])
    if name in ("conv_1x3_3x1", "conv_1x7_7x1"):  # both at once, as a product of their kernels
        row, column = kernels
        both = torch.einsum("omy,mix->oiyx", column[..., 0], row[:, :, 0])
        return normalised(F.conv2d(x, both, stride=stride, padding=both.shape[-1] // 2), *norms)
    size, rate = {"identity": (1, 1), "conv_1x1": (1, 1), "conv_3x3": (3, 1), "dilated_3x3": (3, 2)}[name]
    assert kernels[0].shape[-2:] == (size, size)
    spread = torch.zeros(*kernels[0].shape[:2], *[rate * (size - 1) + 1] * 2, dtype=x.dtype)
    spread[:, :, ::rate, ::rate] = kernels[0]
    return normalised(F.conv2d(x, spread, stride=stride, padding=spread.shape[-1] // 2), *norms)
