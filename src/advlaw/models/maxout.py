"""Maxout net (Goodfellow et al. 2013, arXiv 1302.4389): each unit is the largest of a few affine functions.

The net of MNIST whose adversarial training Kurakin Sec. 4.2 looks for leaked labels in has two layers of 240 units of
5 pieces (Goodfellow et al. 2014, arXiv 1412.6572).
"""

import math

from torch import Tensor, nn

from advlaw.models.classifier import AffineHead, Classifier


class Maxout(nn.Module):
    """max over p of piece p: (B, pieces * units), piece after piece, -> (B, units)."""

    def __init__(self, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces

    def forward(self, features: Tensor) -> Tensor:
        return features.unflatten(1, (self.pieces, -1)).amax(dim=1)


def build(
    image_shape: tuple[int, int, int],
    n_classes: int,
    layers: int = 2,
    units: int = 240,
    pieces: int = 5,
    dropout: float = 0.0,
) -> Classifier:
    """`dropout` is of the units of every hidden layer."""
    head = AffineHead(nn.Linear(math.prod(image_shape), pieces * units), image_shape[0])
    tail: list[nn.Module] = [Maxout(pieces), nn.Dropout(dropout)]
    for _ in range(layers - 1):
        tail += [nn.Linear(units, pieces * units), Maxout(pieces), nn.Dropout(dropout)]
    return Classifier(head, nn.Sequential(*tail, nn.Linear(units, n_classes)))
