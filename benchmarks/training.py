"""One epoch of ResNets on CIFAR-10's shapes, crops and flips included, against the loops that people write.

On a CPU torchvision's CIFAR10 in a DataLoader; on a GPU also a loop over images that lie there, as it is and compiled.
On as many threads as the studies use: a DataLoader's own work is done by one, or by workers that the net's threads
compete with. Losses are compared first; they need not be equal, as crops are drawn differently.
"""

from collections.abc import Iterable, Iterator
from functools import partial

import numpy as np
import torch
from rounds import Job, Line, Setting, compare
from torch import Tensor, nn
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
NETS = {
    "ResNet-8": {"arch": "resnet", "depth": 8},
    "ResNet-20": {"arch": "resnet", "depth": 20},
    "ResNet-32": {"arch": "resnet", "depth": 32},
    "WRN-28-10": {"arch": "wide_resnet", "depth": 28, "width": 10},
}
TRAINED = {"cpu": ("ResNet-8", "ResNet-20"), "cuda": ("ResNet-32", "WRN-28-10")}
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


def net(name: str, device: torch.device) -> nn.Module:
    torch.manual_seed(0)
    return build({**NETS[name], "image_shape": SHAPE, "n_classes": N_CLASSES}).to(device)


def ours(name: str, precision: str, fitted: Examples) -> float:
    model = in_fast_layout(net(name, fitted.labels.device))
    one = Examples(fitted.images[:1], fitted.labels[:1])
    history = train("benchmark", model, fitted, one, settings(precision), Numbers(0, ()), None)
    return float(history.rows[-1]["train_loss"] or 0.0)


def with_loader(name: str, images: np.ndarray, labels: np.ndarray, workers: int, device: torch.device) -> float:
    """torchvision's CIFAR10 behind a DataLoader, in float32; the net normalises its pixels itself."""
    dataset = CIFAR10.__new__(CIFAR10)  # with our images instead of downloaded ones
    dataset.data, dataset.targets, dataset.target_transform = images, labels.tolist(), None
    dataset.transform = transforms.Compose(
        [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip(), transforms.ToTensor()]
    )
    torch.manual_seed(1)
    loader = DataLoader(dataset, batch_size=128, shuffle=True, num_workers=workers)
    batches = ((255 * some.to(device), wanted.to(device)) for some, wanted in loader)
    return plain_loop(net(name, device), batches, "float32")


def on_device(name: str, precision: str, images: Tensor, labels: Tensor, is_compiled: bool) -> float:
    """Images (N, 3, 32, 32) uint8 that lie on the GPU, each minibatch shifted and mirrored as a whole."""
    model = net(name, images.device)
    if precision == "bfloat16":
        model = model.to(memory_format=torch.channels_last)
    torch.manual_seed(1)
    order = torch.randperm(len(images), device=images.device)

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        for some in order.split(128):
            moved = nn.functional.pad(images[some].float(), (4,) * 4)
            top, left, is_mirrored = torch.randint(0, 9, (3,)).tolist()
            moved = moved[..., top : top + 32, left : left + 32]
            moved = moved.flip(-1) if is_mirrored > 4 else moved
            layout = torch.channels_last if precision == "bfloat16" else torch.contiguous_format
            yield moved.contiguous(memory_format=layout), labels[some]

    return plain_loop(torch.compile(model) if is_compiled else model, batches(), precision)


def plain_loop(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], precision: str) -> float:
    """The loop that people write, on pixels in [0, 255]; the mean loss."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    model.train()
    total, n_images = 0.0, 0
    for images, wanted in batches:
        with torch.autocast(images.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            loss = nn.functional.cross_entropy(model(images), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total = total + loss.detach() * len(wanted)
        n_images += len(wanted)
    return float(total) / n_images


def peers(name: str, precision: str, images: np.ndarray, labels: np.ndarray, device: torch.device) -> dict[str, Job]:
    if device.type == "cpu":
        return {
            f"torchvision DataLoader, {workers or 'no'} workers": partial(
                with_loader, name, images, labels, workers, device
            )
            for workers in (0, 2)
        }
    pixels, wanted = torch.from_numpy(images).to(device).permute(0, 3, 1, 2), torch.from_numpy(labels).to(device)
    return {
        what: partial(on_device, name, precision, pixels.contiguous(), wanted, is_compiled)
        for what, is_compiled in (("a plain loop, images on the GPU", False), ("the same under torch.compile", True))
    }


def lines(setting: Setting) -> Iterator[Line]:
    device = setting.device
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    images, labels = (array[: N_IMAGES[device.type]] for array in pixels())
    fitted = Examples(Images(images.transpose(0, 3, 1, 2).copy(), device), torch.from_numpy(labels).to(device))
    for name in TRAINED[device.type]:
        for precision in ("float32", "bfloat16"):
            own, others = partial(ours, name, precision, fitted), peers(name, precision, images, labels, device)
            losses = [job() for job in (own, *others.values())]
            assert max(losses) - min(losses) < LOSSES_DIFFER * max(losses), f"losses after an epoch: {losses}"
            what, work = f"training with crops and flips, {THREADS} threads", f"{len(images):,} images"
            yield from compare(what, f"{name}, {precision}", work, own, others, setting, precision == "float32")
    torch.set_num_threads(threads)
