"""Simple convolutional net with dropout (Cubuk Sec. 2): 3x3 convolutions, each followed by a 2x2 maximum."""

from itertools import pairwise

from torch import nn

from advlaw.models.classifier import AffineHead, Classifier


def build(image_shape: tuple[int, int, int], n_classes: int, channels: list[int], dropout: float) -> Classifier:
    n_channels, height, width = image_shape
    head = AffineHead(nn.Conv2d(n_channels, channels[0], 3, padding=1), n_channels)
    layers: list[nn.Module] = [nn.ReLU(), nn.MaxPool2d(2)]
    for n_in, n_out in pairwise(channels):
        layers += [nn.Conv2d(n_in, n_out, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    n_features = channels[-1] * (height >> len(channels)) * (width >> len(channels))
    layers += [nn.Flatten(), nn.Dropout(dropout), nn.Linear(n_features, n_classes)]
    return Classifier(head, nn.Sequential(*layers))
