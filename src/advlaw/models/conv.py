"""Plain convolutional net with batch normalisation, of which `width` makes wider and `depth` deeper ones.

Stages of `depth` 3x3 convolutions, each normalised and activated; then the mean over all positions, dropout and a
linear layer. The first convolution moves by `stem_stride` pixels, the first one of every later stage by two.
"""

from collections.abc import Iterator
from itertools import pairwise

from torch import nn

from advlaw.models.activations import after_normalisation
from advlaw.models.classifier import AffineHead, Classifier
from advlaw.models.settings import Activation, scaled


def build(
    image_shape: tuple[int, int, int],
    n_classes: int,
    channels: list[int],
    depth: int = 1,
    stem_stride: int = 1,
    width: float = 1.0,
    activation: Activation = "relu",
    dropout: float = 0.0,
) -> Classifier:
    """`channels` has the filters of each stage, and `width` multiplies them (Kurakin Sec. 4.3)."""
    filters = scaled(channels, width)
    head = AffineHead(_convolution(image_shape[0], filters[0], stem_stride), image_shape[0])
    layers: list[nn.Module] = [nn.BatchNorm2d(filters[0]), after_normalisation(activation)]
    for n_in, n_out, stride in _convolutions(filters, depth):
        layers += [_convolution(n_in, n_out, stride), nn.BatchNorm2d(n_out), after_normalisation(activation)]
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout), nn.Linear(filters[-1], n_classes)]
    return Classifier(head, nn.Sequential(*layers))


def _convolutions(filters: list[int], depth: int) -> Iterator[tuple[int, int, int]]:
    """All convolutions behind the head: filters before it and of it, and by how many pixels it moves."""
    yield from [(filters[0], filters[0], 1)] * (depth - 1)
    for n_in, n_out in pairwise(filters):
        yield from [(n_in, n_out, 2), *[(n_out, n_out, 1)] * (depth - 1)]


def _convolution(n_in: int, n_out: int, stride: int) -> nn.Conv2d:
    """3x3 without bias, which the batch normalisation behind it holds; He initialisation (arXiv 1502.01852)."""
    layer = nn.Conv2d(n_in, n_out, 3, stride, padding=1, bias=False)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return layer
