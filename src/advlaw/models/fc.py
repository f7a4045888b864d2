"""Fully connected net with any hidden widths: FC of Cubuk Fig. 2."""

import math
from itertools import pairwise

from torch import nn

from advlaw.models.activations import ACTIVATIONS
from advlaw.models.classifier import AffineHead, Classifier
from advlaw.models.settings import Activation, scaled


def build(
    image_shape: tuple[int, int, int],
    n_classes: int,
    widths: list[int],
    width: float = 1.0,
    activation: Activation = "relu",
    dropout: float = 0.0,
) -> Classifier:
    """`width` multiplies all `widths`; `dropout` is before the last layer."""
    widths = scaled(widths, width)
    head = AffineHead(nn.Linear(math.prod(image_shape), widths[0]), image_shape[0])
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise([*widths, n_classes]):
        layers += [ACTIVATIONS[activation](), nn.Linear(n_in, n_out)]
    if dropout > 0:  # a layer that does nothing would give the last one another name
        layers.insert(-1, nn.Dropout(dropout))
    return Classifier(head, nn.Sequential(*layers))
