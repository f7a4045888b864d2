"""One epoch of ResNets on CIFAR-10's shapes, crops and flips included, against torchvision's CIFAR10 in a DataLoader.

On as many threads as the studies use: a DataLoader's own work is done by one, or by workers that the net's threads
compete with. Losses are compared first; they need not be equal, as crops are drawn differently.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from rounds import Line, Setting, compare
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import CIFAR10

from advlaw.core.images import Examples, Images
from advlaw.core.rng import Numbers
from advlaw.models.store import build, in_fast_layout
from advlaw.training.loop import train
from advlaw.training.settings import Training

N_IMAGES = {"cpu": 1280, "cuda": 45_000}
THREADS = 2
DEPTHS = {"cpu": (8, 20), "cuda": (20, 32)}
SHAPE, N_CLASSES = [3, 32, 32], 10
LOSSES_DIFFER = 0.2  # of ten minibatches, in another order, at a high rate


def pixels() -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 32, 32, 3) uint8 that are lighter or darker by class, so that there is something to learn."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, N_CLASSES, max(N_IMAGES.values()))
    noise = rng.integers(0, 128, (len(labels), 32, 32, 3), dtype=np.uint8)
    return noise + (12 * labels).astype(np.uint8)[:, None, None, None], labels


def settings(precision: str) -> Training:
    return Training(
        dataset="x", epochs=1, learning_rate=0.1, optimizer="sgd", schedule="constant",
        weight_decay=1e-4, augment="crop_flip", precision=precision, watched=0,
    )  # fmt: skip


def net(depth: int, device: torch.device) -> nn.Module:
    torch.manual_seed(0)
    return build({"arch": "resnet", "depth": depth, "image_shape": SHAPE, "n_classes": N_CLASSES}).to(device)


def ours(depth: int, precision: str, fitted: Examples) -> float:
    model = in_fast_layout(net(depth, fitted.labels.device))
    one = Examples(fitted.images[:1], fitted.labels[:1])
    history = train("benchmark", model, fitted, one, settings(precision), Numbers(0, ()), None)
    return float(history.rows[-1]["train_loss"] or 0.0)


def with_loader(depth: int, images: np.ndarray, labels: np.ndarray, workers: int, device: torch.device) -> float:
    """The loop that people write; the net normalises its pixels itself."""
    model = net(depth, device)
    dataset = CIFAR10.__new__(CIFAR10)  # with our images instead of downloaded ones
    dataset.data, dataset.targets, dataset.target_transform = images, labels.tolist(), None
    dataset.transform = transforms.Compose(
        [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip(), transforms.ToTensor()]
    )
    torch.manual_seed(1)
    loader = DataLoader(dataset, batch_size=128, shuffle=True, num_workers=workers)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    model.train()
    total = torch.zeros((), device=device)
    for batch, wanted in loader:
        loss = nn.functional.cross_entropy(model(255 * batch.to(device)), wanted.to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.detach() * len(wanted)
    return float(total) / len(images)


def lines(setting: Setting) -> Iterator[Line]:
    device = setting.device
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    images, labels = (array[: N_IMAGES[device.type]] for array in pixels())
    fitted = Examples(Images(images.transpose(0, 3, 1, 2).copy(), device), torch.from_numpy(labels).to(device))
    for depth in DEPTHS[device.type]:
        peers = {
            f"torchvision DataLoader, {workers or 'no'} workers": partial(
                with_loader, depth, images, labels, workers, device
            )
            for workers in (0, 2)
        }
        for precision in ("float32", "bfloat16"):
            own = partial(ours, depth, precision, fitted)
            losses = [job() for job in (own, *peers.values())]
            assert max(losses) - min(losses) < LOSSES_DIFFER * max(losses), f"losses after an epoch: {losses}"
            what = f"training with crops and flips, {THREADS} threads"
            yield from compare(
                what,
                f"ResNet-{depth}, {precision}",
                f"{len(images):,} images",
                own,
                peers,
                setting,
                precision == "float32",
            )
    torch.set_num_threads(threads)
