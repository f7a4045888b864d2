"""What is attacked: nets trained briefly on synthetic 28x28 images of ten overlapping classes."""

import copy
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from advlaw.data.clusters import clusters
from advlaw.models.classifier import Classifier
from advlaw.models.store import in_fast_layout
from advlaw.training.loop import Examples
from advlaw.trials.settings import PopulationTraining
from advlaw.trials.train import Recipe, Sampled, fit, untrained

SHAPE, N_CLASSES = [1, 28, 28], 10
ARCHITECTURES = {
    "linear": {"arch": "linear"},
    "FC 200-200-200": {"arch": "fc", "widths": [200, 200, 200]},  # that of the studies
    "FC 1000-1000": {"arch": "fc", "widths": [1000, 1000]},
    "CNN 32-64": {"arch": "cnn", "channels": [32, 64], "dropout": 0.25},
}
RECIPE = Recipe(Path(), PopulationTraining(epochs=1, learning_rate=0.001, batch_size=128), seed=0, portable=False)


@cache
def images_and_labels() -> tuple[Tensor, Tensor]:
    """12,000 images (N, 1, 28, 28) in whole pixels, and their labels."""
    dataset = clusters({"train": 12_000}, N_CLASSES, SHAPE[1], 40.0, 0.02, seed=0)
    return torch.from_numpy(dataset.images.astype(np.float32)), torch.from_numpy(dataset.labels)


@cache
def trained(name: str, device: torch.device) -> Classifier:
    """One of ARCHITECTURES after one epoch on the last 4,000 images, ready to be attacked, in our layout."""
    net = Sampled(name, {**ARCHITECTURES[name], "image_shape": SHAPE, "n_classes": N_CLASSES})
    images, labels = (tensor[-4000:] for tensor in images_and_labels())
    model = in_fast_layout(untrained(net, RECIPE, images))
    fit(model, net, Examples(images, labels), RECIPE)
    return model.to(device).eval().requires_grad_(False)


def as_shipped(net: Classifier) -> Classifier:
    """A copy in torch's own memory layout, which peers are given by whoever does not change it."""
    return copy.deepcopy(net).to(memory_format=torch.contiguous_format)


def attacked(n_images: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The first images and their labels, on the device."""
    images, labels = images_and_labels()
    return images[:n_images].to(device), labels[:n_images].to(device)
