"""What is attacked: nets trained briefly on synthetic 28x28 images of ten overlapping classes."""

import copy
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

from advlaw.core.images import Examples
from advlaw.core.rng import Numbers
from advlaw.data.clusters import clusters
from advlaw.models.classifier import Classifier
from advlaw.models.settings import Spec
from advlaw.models.store import build, in_fast_layout
from advlaw.training.loop import train
from advlaw.training.settings import Training

SHAPE, N_CLASSES = [1, 28, 28], 10
ARCHITECTURES = {
    "linear": {"arch": "linear"},
    "FC 200-200-200": {"arch": "fc", "widths": [200, 200, 200]},  # that of the studies
    "FC 1000-1000": {"arch": "fc", "widths": [1000, 1000]},
    "CNN 32-64": {"arch": "cnn", "channels": [32, 64], "dropout": 0.25},
}
SETTINGS = Training(dataset="x", epochs=1, learning_rate=0.001, watched=0)


@cache
def images_and_labels() -> tuple[Tensor, Tensor]:
    """12,000 images (N, 1, 28, 28) in whole pixels, and their labels."""
    dataset = clusters({"train": 12_000}, N_CLASSES, SHAPE[1], 40.0, 0.02, seed=0)
    return torch.from_numpy(dataset.images.astype(np.float32)), torch.from_numpy(dataset.labels)


@cache
def trained(name: str, device: torch.device) -> Classifier:
    """One of ARCHITECTURES after one epoch on the last 4,000 images, ready to be attacked, in our layout."""
    images, labels = images_and_labels()
    numbers = Numbers(0, (name,))
    spec = {**ARCHITECTURES[name], "image_shape": SHAPE, "n_classes": N_CLASSES}
    model = in_fast_layout(untrained(spec, numbers, images[-4000:]))
    trained_once(model, SETTINGS, numbers, Examples(images[-4000:], labels[-4000:]))
    return model.to(device).eval().requires_grad_(False)


def untrained(spec: Spec, numbers: Numbers, images: Tensor) -> Classifier:
    """A net with its seeded first weights and the statistics of some images."""
    torch.manual_seed(numbers.seed_of("weights"))
    model = build(spec)
    model.head.set_statistics(images[:256].cpu())
    return model


def trained_once(model: nn.Module, settings: Training, numbers: Numbers, examples: Examples) -> float:
    """Train for an epoch; returns its mean loss."""
    once = settings.model_copy(update={"epochs": 1, "watched": 0})
    one = Examples(examples.images[:1], examples.labels[:1])
    return float(train("benchmark", model, examples, one, once, numbers, None).rows[-1]["train_loss"] or 0.0)


def as_shipped(net: Classifier) -> Classifier:
    """A copy in torch's own memory layout, which peers are given by whoever does not change it."""
    return copy.deepcopy(net).to(memory_format=torch.contiguous_format)


def attacked(n_images: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The first images and their labels, on the device."""
    images, labels = images_and_labels()
    return images[:n_images].to(device), labels[:n_images].to(device)
