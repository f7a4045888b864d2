"""Training the nets of a drawn set one after another on one thread, against the two loops people write.

The nets are the first ones of studies/mnist as they are drawn, and the first of each kind, on 28x28 images. All take
the same batches in the same order to the same last loss.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from nets import N_CLASSES, SHAPE, images_and_labels, trained_once, untrained
from rounds import Line, Setting, compare
from torch import nn
from torch.utils.data import DataLoader
from torchvision.datasets import MNIST
from torchvision.transforms import ToTensor

from advlaw.core.images import Examples, Images
from advlaw.core.section import read_section
from advlaw.models.store import in_fast_layout
from advlaw.training.schedule import learning_rate
from advlaw.trials.net import Trial
from advlaw.trials.sets import trials
from advlaw.trials.settings import TrialSet

GROUPS = {  # which kinds, how many nets, how many images
    "as drawn": (("fc", "cnn"), 10, 2560),
    "fully connected": (("fc",), 8, 12_000),
    "convolutional": (("cnn",), 3, 2560),
}
Train = Callable[[nn.Module, Trial, Examples], float]


def nets(kinds: tuple[str, ...], count: int) -> list[Trial]:
    settings = read_section(Path("studies/mnist/params.yaml"), "trials.sampled", TrialSet)
    return [net for net in trials("trials.sampled", settings, 0) if net.net.architecture.arch in kinds][:count]


def ours(model: nn.Module, net: Trial, examples: Examples) -> float:
    return trained_once(in_fast_layout(model), net.net.training, net.numbers, examples)


def in_memory(model: nn.Module, net: Trial, examples: Examples, same_dropout: bool = False) -> float:
    """Tensors in memory, torch.optim.Adam, loss.backward()."""
    batches = order(net, examples).split(net.net.training.batch_size)
    loaded = ((examples.images[batch], examples.labels[batch]) for batch in batches)
    return plain_loop(model, net, loaded, len(batches), same_dropout)


def with_loader(model: nn.Module, net: Trial, examples: Examples, same_dropout: bool = False) -> float:
    """torchvision's MNIST behind a DataLoader; its pixels in [0, 1] are scaled back."""
    dataset = MNIST.__new__(MNIST)  # with our images instead of downloaded ones
    dataset.data, dataset.targets = examples.images[:][:, 0].to(torch.uint8).cpu(), examples.labels.cpu()
    dataset.transform, dataset.target_transform = ToTensor(), None
    batches = [batch.tolist() for batch in order(net, examples).split(net.net.training.batch_size)]
    device = examples.labels.device
    loader = DataLoader(dataset, batch_sampler=batches)
    loaded = ((255 * images.to(device), labels.to(device)) for images, labels in loader)
    return plain_loop(model, net, loaded, len(batches), same_dropout)


def order(net: Trial, examples: Examples) -> torch.Tensor:
    return torch.from_numpy(net.numbers.generator("order", 1).permutation(len(examples.labels)))


def plain_loop(model: nn.Module, net: Trial, batches: Iterator, n_batches: int, same_dropout: bool) -> float:
    """`same_dropout` draws it as our loop does, so that losses can be compared; what is timed does not."""
    model.train()
    optimizer = torch.optim.Adam(model.parameters())
    settings = net.net.training.model_copy(update={"epochs": 1})
    total, n_images = 0.0, 0
    for step, (images, labels) in enumerate(batches):
        if same_dropout:
            torch.manual_seed(net.numbers.seed_of("dropout", 1, step))
        optimizer.param_groups[0]["lr"] = learning_rate(settings, step / n_batches)
        loss = nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
        n_images += len(labels)
    return total / n_images


def train_all(train: Train, sampled: list[Trial], examples: Examples) -> list[float]:
    """The mean losses of all nets, each trained from its seeded weights."""
    device = examples.labels.device
    models = (untrained(net.net.architecture.spec(SHAPE, N_CLASSES), net.numbers, examples.images) for net in sampled)
    return [train(model.to(device), net, examples) for model, net in zip(models, sampled, strict=True)]


def lines(setting: Setting) -> Iterator[Line]:
    for name, (kinds, count, n_images) in GROUPS.items():
        images, labels = images_and_labels()
        sampled = nets(kinds, count)
        pixels = images[:n_images].to(torch.uint8)
        held = Examples(Images(pixels.numpy(), setting.device), labels[:n_images].to(setting.device))
        floats = Examples(images[:n_images].to(setting.device), held.labels)
        peers: dict[str, Callable] = {"torchvision DataLoader": with_loader, "in-memory Adam": in_memory}
        own = partial(train_all, ours, sampled, held)
        expected = torch.tensor(own())
        for job in peers.values():
            found = torch.tensor(train_all(partial(job, same_dropout=True), sampled, floats))
            torch.testing.assert_close(found, expected, rtol=1e-2, atol=0)
        jobs = {what: partial(train_all, job, sampled, floats) for what, job in peers.items()}
        work = f"{len(sampled)} nets, {n_images:,} images"
        yield from compare("training a population, 1 thread", name, work, own, jobs, setting)
