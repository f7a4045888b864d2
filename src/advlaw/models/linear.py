"""Multinomial logistic regression: the linear model of Cubuk Fig. 2a."""

import math

from torch import nn

from advlaw.models.classifier import AffineHead, Classifier


def build(image_shape: tuple[int, int, int], n_classes: int) -> Classifier:
    head = AffineHead(nn.Linear(math.prod(image_shape), n_classes), image_shape[0])
    return Classifier(head, nn.Identity())
