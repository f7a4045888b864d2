"""Contestants that take turns: seconds of each in every round, and the ratios of a round to the first of them.

And what they are given: random images of MNIST's shape, and untrained nets.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from advlaw.core.runtime import configure
from advlaw.models.classifier import Classifier
from advlaw.models.store import Spec, build, in_fast_layout

SHAPE, N_CLASSES = (1, 28, 28), 10
Jobs = dict[str, Callable[[], object]]


def measure(jobs: Jobs, rounds: int, device: torch.device) -> dict[str, list[float]]:
    """Seconds of every contestant in every round, after one round that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for round_number in range(rounds + 1):
        for name, job in jobs.items():
            start = time.perf_counter()
            job()
            if device.type == "cuda":
                torch.cuda.synchronize()
            if round_number > 0:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def compare(title: str, jobs: Jobs, rounds: int, device: torch.device) -> None:
    """Print every contestant's median seconds, and the median and extremes of its ratio to the first, ours."""
    seconds = measure(jobs, rounds, device)
    ours = next(iter(seconds.values()))
    print(f"\n{title}")
    for name, found in seconds.items():
        ratios = [theirs / own for theirs, own in zip(found, ours, strict=True)]
        spread = f"[{min(ratios):.2f}, {max(ratios):.2f}]"
        print(f"  {name:28s} {statistics.median(found):8.3f} s   x{statistics.median(ratios):.2f} {spread}", flush=True)


def set_up(description: str | None, n_images: int) -> tuple[int, Tensor, torch.device]:
    """From the command line: the number of rounds, images of whole pixels (n, *SHAPE) on the device, and the device."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=n_images)
    arguments = parser.parse_args()
    device = configure(threads=2, device="auto")
    images = torch.randint(0, 256, (arguments.images, *SHAPE), generator=torch.Generator().manual_seed(0))
    return arguments.rounds, images.float().to(device), device


def untrained(spec: Spec, images: Tensor) -> Classifier:
    """The net of {arch, **sizes} with seeded weights, ready to be attacked on the device of the images."""
    torch.manual_seed(0)
    net = build({**spec, "image_shape": SHAPE, "n_classes": N_CLASSES})
    net.head.set_statistics(images.cpu())
    return in_fast_layout(net.to(images.device)).eval().requires_grad_(False)
