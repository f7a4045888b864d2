"""Simple convolutional net with dropout (Cubuk Sec. 2): convolutions, each followed by a 2x2 maximum.

Kernels are 3x3 unless `kernel_sizes` (odd, one for each convolution) says otherwise; `dense_units` puts a fully
connected layer in front of the last one.
"""

from itertools import pairwise

from torch import nn

from advlaw.models.activations import ACTIVATIONS, with_maximum
from advlaw.models.classifier import AffineHead, Classifier
from advlaw.models.settings import Activation


def build(
    image_shape: tuple[int, int, int],
    n_classes: int,
    channels: list[int],
    dropout: float,
    kernel_sizes: list[int] | None = None,
    dense_units: int | None = None,
    activation: Activation = "relu",
) -> Classifier:
    n_channels, height, width = image_shape
    first, *others = kernel_sizes or [3] * len(channels)
    head = AffineHead(nn.Conv2d(n_channels, channels[0], first, padding=first // 2), n_channels)
    layers = with_maximum(activation)
    for (n_in, n_out), size in zip(pairwise(channels), others, strict=True):
        layers += [nn.Conv2d(n_in, n_out, size, padding=size // 2), *with_maximum(activation)]
    n_features = channels[-1] * (height >> len(channels)) * (width >> len(channels))
    layers.append(nn.Flatten())
    if dense_units is not None:
        layers += [nn.Linear(n_features, dense_units), ACTIVATIONS[activation]()]
        n_features = dense_units
    layers += [nn.Dropout(dropout), nn.Linear(n_features, n_classes)]
    return Classifier(head, nn.Sequential(*layers))
