"""The operations of a cell (Zoph et al. 2017, arXiv 1707.07012, Sec. 3, App. A.4), and how its inputs are brought in.

Every convolution is ReLU - convolution - batch normalisation, without bias and with He initialisation. Maps of S
pixels a side have ceil(S / 2) after a stride of 2, whatever the operation.

Where the text leaves a choice: `dilated_3x3` is a plain convolution of rate 2; between 1x3 and 3x1, or 1x7 and 7x1,
is nothing, and a stride is split between them; an average is of the pixels that are there, without the padding. An
operation gives n_out filters from any number: convolutions change it themselves; a 1x1 convolution does it behind
a pool, and in place of an identity. So does the authors' code.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

Operation = Callable[[int, int, int], nn.Module]  # n_in, n_out, stride


def convolution(
    n_in: int,
    n_out: int,
    size: int | tuple[int, int],
    stride: int | tuple[int, int] = 1,
    dilation: int = 1,
    groups: int = 1,
) -> nn.Conv2d:
    """Padded by half of its size, without bias; He initialisation (arXiv 1502.01852).

    Of depthwise convolutions the fan-in is taken, as torch counts the outputs of all groups as one fan-out.
    """
    sizes = (size, size) if isinstance(size, int) else size
    padding = (dilation * (sizes[0] // 2), dilation * (sizes[1] // 2))
    layer = nn.Conv2d(n_in, n_out, sizes, stride, padding, dilation, groups, bias=False)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out" if groups == 1 else "fan_in", nonlinearity="relu")
    return layer


def pointwise(n_in: int, n_out: int, stride: int = 1) -> nn.Module:
    """A 1x1 convolution; under a stride, of the pixels that it reaches, taken out first as the authors' code does.

    The gradient of a strided 1x1 convolution of a few channels, channels last, writes past its memory on a CPU
    (uxlfoundation/oneDNN#6035).
    """
    layer = convolution(n_in, n_out, 1)
    return layer if stride == 1 else nn.Sequential(nn.AvgPool2d(1, stride), layer)


def projection(n_in: int, n_out: int, stride: int = 1) -> nn.Sequential:
    """ReLU - 1x1 convolution - batch normalisation."""
    return nn.Sequential(nn.ReLU(), pointwise(n_in, n_out, stride), nn.BatchNorm2d(n_out))


class FactorizedReduction(nn.Module):
    """Half the pixels a side, none of them lost: (B, n_in, S, S) -> (B, n_out, ceil(S / 2), ceil(S / 2)).

    ReLU; a 1x1 convolution of every second pixel and one of the pixels diagonally behind them, zeros where there are
    none, with half of the filters each; batch normalisation. Raises ValueError for an odd `n_out`.
    """

    def __init__(self, n_in: int, n_out: int) -> None:
        if n_out % 2:
            raise ValueError(
                f"filters = {n_out}: must be even, as half of them see every second pixel, half the others"
            )
        super().__init__()
        self.relu = nn.ReLU()
        self.even = pointwise(n_in, n_out // 2, 2)
        self.odd = pointwise(n_in, n_out // 2, 2)
        self.bn = nn.BatchNorm2d(n_out)

    def forward(self, features: Tensor) -> Tensor:
        active = self.relu(features)
        shifted = pad(active, (-1, 1, -1, 1))
        return self.bn(torch.cat([self.even(active), self.odd(shifted)], dim=1))


def _convolved(size: int, n_in: int, n_out: int, stride: int, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.ReLU(), convolution(n_in, n_out, size, stride, dilation), nn.BatchNorm2d(n_out))


def _factored(size: int, n_in: int, n_out: int, stride: int) -> nn.Sequential:
    """1 x size, then size x 1."""
    return nn.Sequential(
        nn.ReLU(),
        convolution(n_in, n_out, (1, size), (1, stride)),
        convolution(n_out, n_out, (size, 1), (stride, 1)),
        nn.BatchNorm2d(n_out),
    )


def _separable(size: int, n_in: int, n_out: int, stride: int) -> nn.Sequential:
    """Applied twice; nothing lies between a depthwise convolution and the pointwise one behind it."""
    return nn.Sequential(
        nn.ReLU(),
        convolution(n_in, n_in, size, stride, groups=n_in),
        convolution(n_in, n_out, 1),
        nn.BatchNorm2d(n_out),
        nn.ReLU(inplace=True),  # of what nothing else sees
        convolution(n_out, n_out, size, groups=n_out),
        convolution(n_out, n_out, 1),
        nn.BatchNorm2d(n_out),
    )


def _identity(n_in: int, n_out: int, stride: int) -> nn.Module:
    return nn.Identity() if (n_in, stride) == (n_out, 1) else projection(n_in, n_out, stride)


def _pooled(pool: Callable[[int], nn.Module], n_in: int, n_out: int, stride: int) -> nn.Module:
    if n_in == n_out:
        return pool(stride)
    return nn.Sequential(pool(stride), convolution(n_in, n_out, 1), nn.BatchNorm2d(n_out))


def _average(stride: int) -> nn.Module:
    return nn.AvgPool2d(3, stride, padding=1, count_include_pad=False)


def _maximum(size: int, stride: int) -> nn.Module:
    return nn.MaxPool2d(size, stride, padding=size // 2)


MODULES: dict[str, Operation] = {
    "identity": _identity,
    "conv_1x1": projection,
    "conv_3x3": partial(_convolved, 3),
    "conv_1x3_3x1": partial(_factored, 3),
    "conv_1x7_7x1": partial(_factored, 7),
    "dilated_3x3": partial(_convolved, 3, dilation=2),
    "sep_3x3": partial(_separable, 3),
    "sep_5x5": partial(_separable, 5),
    "sep_7x7": partial(_separable, 7),
    "avg_3x3": partial(_pooled, _average),
    "max_3x3": partial(_pooled, partial(_maximum, 3)),
    "max_5x5": partial(_pooled, partial(_maximum, 5)),
    "max_7x7": partial(_pooled, partial(_maximum, 7)),
}
