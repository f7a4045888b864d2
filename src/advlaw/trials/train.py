"""A population: sampled nets, each trained alone on one thread (Cubuk Sec. 2).

What a net becomes depends on its architecture, its name, the seed, the settings and the data, not on the others.
"""

import json
import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from advlaw.core.rng import derived_seed, generator
from advlaw.core.runtime import configure
from advlaw.data.dataset import read_dataset
from advlaw.models.classifier import Classifier
from advlaw.models.sampling import net_name, sampled_architecture
from advlaw.models.store import Spec, build, in_fast_layout
from advlaw.training.loop import Examples, TrainingError, accuracy
from advlaw.training.optimizer import Optimizer
from advlaw.trials.settings import Population, PopulationTraining

Row = dict[str, Any]


@dataclass(frozen=True)
class Sampled:
    """One net to be trained: its name and its spec {arch, image_shape, n_classes, **sizes}."""

    name: str
    spec: Spec


@dataclass(frozen=True)
class Recipe:
    """What all nets of a population have in common."""

    dataset: Path
    training: PopulationTraining
    seed: int
    portable: bool


def untrained(net: Sampled, recipe: Recipe, pixels: Tensor) -> Classifier:
    """The net with its seeded first weights and the statistics of the fitted images (N, C, H, W)."""
    torch.manual_seed(derived_seed(recipe.seed, "population", "weights", net.name))
    model = build(net.spec)
    model.head.set_statistics(pixels)
    return model


def n_parameters(spec: Spec) -> int:
    """The number of weights of a spec's net."""
    with torch.device("meta"):
        return sum(p.numel() for p in build(spec).parameters())


def flops(spec: Spec) -> int:
    """Floating-point operations that one image takes to its logits."""
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        build(spec)(torch.empty(1, *spec["image_shape"]))
    return counter.get_total_flops()


def population(settings: Population, seed: int, image_shape: list[int], n_classes: int) -> list[Sampled]:
    """The sampled nets, in order."""
    shape = {"image_shape": image_shape, "n_classes": n_classes}
    architectures = [sampled_architecture(settings.architectures, seed, index) for index in range(settings.nets)]
    return [Sampled(net_name(index), {**spec, **shape}) for index, spec in enumerate(architectures)]


def order(net: Sampled, seed: int, epoch: int, n_images: int) -> Tensor:
    """The order (N,) in which a net sees its images in an epoch."""
    return torch.from_numpy(generator(seed, "population", "order", net.name, epoch).permutation(n_images))


def learning_rate(training: PopulationTraining, made: float) -> float:
    """Half a cosine from the first learning rate down to zero, at a fraction of all steps."""
    return training.learning_rate * 0.5 * (1.0 + math.cos(math.pi * made))


def train_alone(recipe: Recipe, net: Sampled) -> bytes:
    """The trained net as `packed` gives it, computed on one thread of a CPU."""
    device = configure(1, "cpu", recipe.portable)
    fitted, validation = examples(recipe.dataset, "train", device), examples(recipe.dataset, "validation", device)
    model = in_fast_layout(untrained(net, recipe, fitted.images))
    loss = fit(model, net, fitted, recipe)
    return packed(model, loss, validation)


def fit(model: nn.Module, net: Sampled, fitted: Examples, recipe: Recipe) -> float:
    """Train `model` in place; returns the mean loss of the last epoch, not finite if the training diverged."""
    model.train()
    training, n_images = recipe.training, len(fitted.labels)
    optimizer = Optimizer("adam", list(model.parameters()), weight_decay=0.0)
    total = torch.zeros((), dtype=torch.float64)
    for epoch in range(1, training.epochs + 1):
        torch.manual_seed(derived_seed(recipe.seed, "population", "dropout", net.name, epoch))
        batches = order(net, recipe.seed, epoch, n_images).split(training.batch_size)
        total.zero_()
        for step, batch in enumerate(batches):
            loss = nn.functional.cross_entropy(model(fitted.images[batch]), fitted.labels[batch])
            gradients = torch.autograd.grad(loss, optimizer.parameters)
            optimizer.step(gradients, learning_rate(training, (epoch - 1 + step / len(batches)) / training.epochs))
            total += loss.detach() * len(batch)
        if not total.isfinite():
            break
    return float(total) / n_images


def packed(model: Classifier, train_loss: float, validation: Examples) -> bytes:
    """A trained net's weights as safetensors, with its results as metadata; see `result`."""
    try:
        validation_accuracy = accuracy(model, validation) if math.isfinite(train_loss) else None
    except TrainingError:
        validation_accuracy = None
    has_diverged = validation_accuracy is None
    found = {
        "diverged": has_diverged,
        "train_loss": None if has_diverged else train_loss,
        "validation_accuracy": validation_accuracy,
    }
    plain = {name: tensor.cpu().contiguous() for name, tensor in model.state_dict().items()}
    return save(plain, metadata={"result": json.dumps(found, sort_keys=True)})


def result(path: Path) -> Row:
    """{diverged, train_loss, validation_accuracy} of a trained net's file."""
    with safe_open(path, "pt") as file:
        return json.loads(file.metadata()["result"])


def trained(spec: Spec, path: Path, device: torch.device) -> Classifier:
    """The trained net, in evaluation mode with frozen weights."""
    model = build(spec)
    model.load_state_dict(load_file(path))
    return in_fast_layout(model.to(device)).eval().requires_grad_(False)


@lru_cache(maxsize=3)
def examples(dataset: Path, split: str, device: torch.device) -> Examples:
    """One split of a data set on a device; a worker reads it once."""
    images, labels = read_dataset(dataset).split(split)
    return Examples(torch.from_numpy(images).to(device).float(), torch.from_numpy(labels).to(device))
