"""Fully connected net with any hidden widths: FC of Cubuk Fig. 2. Of ReLU, or of tanh where a smooth net is wanted."""

import math
from itertools import pairwise

from torch import nn

from advlaw.models.classifier import AffineHead, Classifier

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh}


def build(image_shape: tuple[int, int, int], n_classes: int, widths: list[int], activation: str = "relu") -> Classifier:
    head = AffineHead(nn.Linear(math.prod(image_shape), widths[0]), image_shape[0])
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise([*widths, n_classes]):
        layers += [ACTIVATIONS[activation](), nn.Linear(n_in, n_out)]
    return Classifier(head, nn.Sequential(*layers))
