"""Training sampled nets one after another on one thread, against the two loops people write.

The nets are the first ones of studies/mnist as they are drawn, and the first of each kind, on 28x28 images. All take
the same batches in the same order to the same last loss.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from advlaw.trials.stacked import groups, train_stacked
from nets import N_CLASSES, SHAPE, images_and_labels
from rounds import Line, Setting, compare
from torch import nn
from torch.utils.data import DataLoader
from torchvision.datasets import MNIST
from torchvision.transforms import ToTensor

from advlaw.config.section import read_section
from advlaw.core.rng import derived_seed
from advlaw.models.store import in_fast_layout
from advlaw.training.loop import Examples
from advlaw.trials.settings import Population, PopulationTraining
from advlaw.trials.train import Recipe, Sampled, fit, learning_rate, order, population, untrained

GROUPS = {  # which kinds, how many nets, how many images
    "as drawn": (("fc", "cnn"), 10, 2560),
    "fully connected": (("fc",), 8, 12_000),
    "convolutional": (("cnn",), 3, 2560),
}
RECIPE = Recipe(Path(), PopulationTraining(epochs=1, learning_rate=0.001, batch_size=128), seed=0, portable=False)
Train = Callable[[nn.Module, Sampled, Examples], float]


def nets(kinds: tuple[str, ...], count: int) -> list[Sampled]:
    settings = read_section(Path("studies/mnist/params.yaml"), "population", Population)
    return [net for net in population(settings, 0, SHAPE, N_CLASSES) if net.spec["arch"] in kinds][:count]


def ours(model: nn.Module, net: Sampled, examples: Examples) -> float:
    return fit(in_fast_layout(model), net, examples, RECIPE)


def in_memory(model: nn.Module, net: Sampled, examples: Examples) -> float:
    """Tensors in memory, torch.optim.Adam, loss.backward()."""
    batches = order(net, RECIPE.seed, 1, len(examples.labels)).split(RECIPE.training.batch_size)
    return plain_loop(model, ((examples.images[batch], examples.labels[batch]) for batch in batches), len(batches))


def with_loader(model: nn.Module, net: Sampled, examples: Examples) -> float:
    """torchvision's MNIST behind a DataLoader; its pixels in [0, 1] are scaled back."""
    dataset = MNIST.__new__(MNIST)  # with our images instead of downloaded ones
    dataset.data, dataset.targets = examples.images[:, 0].to(torch.uint8).cpu(), examples.labels.cpu()
    dataset.transform, dataset.target_transform = ToTensor(), None
    batches = [
        batch.tolist() for batch in order(net, RECIPE.seed, 1, len(dataset.data)).split(RECIPE.training.batch_size)
    ]
    device = examples.images.device
    loader = DataLoader(dataset, batch_sampler=batches)
    return plain_loop(model, ((255 * images.to(device), labels.to(device)) for images, labels in loader), len(batches))


def plain_loop(model: nn.Module, batches: Iterator, n_batches: int) -> float:
    model.train()
    optimizer = torch.optim.Adam(model.parameters())
    total, n_images = 0.0, 0
    for step, (images, labels) in enumerate(batches):
        optimizer.param_groups[0]["lr"] = learning_rate(RECIPE.training, step / n_batches)
        loss = nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
        n_images += len(labels)
    return total / n_images


def train_all(train: Train, sampled: list[Sampled], examples: Examples) -> list[float]:
    """The mean losses of all nets, each trained from its seeded weights."""
    device = examples.images.device
    losses = []
    for net in sampled:
        model = untrained(net, RECIPE, examples.images[:256].cpu()).to(device)
        torch.manual_seed(derived_seed(RECIPE.seed, "population", "dropout", net.name, 1))
        losses.append(train(model, net, examples))
    return losses


def lines(setting: Setting) -> Iterator[Line]:
    for name, (kinds, count, n_images) in GROUPS.items():
        images, labels = (tensor[:n_images].to(setting.device) for tensor in images_and_labels())
        sampled, examples = nets(kinds, count), Examples(images, labels)
        peers = {
            what: partial(train_all, train, sampled, examples)
            for what, train in {"torchvision DataLoader": with_loader, "in-memory Adam": in_memory}.items()
        }
        own = partial(train_all, ours, sampled, examples)
        if setting.device.type == "cuda":
            own = partial(together, sampled, examples)
        if kinds == ("fc",) or setting.device.type == "cpu":  # together, draws of dropout are others
            expected = torch.tensor(own())
            for job in peers.values():
                torch.testing.assert_close(torch.tensor(job()), expected, rtol=1e-2, atol=0)
        work = f"{len(sampled)} nets, {len(images):,} images"
        yield from compare("training a population, 1 thread", name, work, own, peers, setting)


def together(sampled: list[Sampled], examples: Examples) -> list[float]:
    """Mean losses of all nets, trained group by group as on a GPU."""
    losses = {}
    for group in groups(sampled):
        models = [untrained(net, RECIPE, examples.images[:256].cpu()).to(examples.images.device) for net in group]
        found = train_stacked(models, group, examples, RECIPE)
        losses |= {net.name: loss for net, loss in zip(group, found, strict=True)}
    return [losses[net.name] for net in sampled]
