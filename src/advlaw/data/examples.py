"""The images and labels of a split on a device, where a net meets them."""

import math
from pathlib import Path

import numpy as np
import torch

from advlaw.core.images import Chosen, Examples, Images
from advlaw.core.io import Rows
from advlaw.data.dataset import Dataset, read_dataset

IN_MEMORY = 64 * 2**20  # bytes: a split of more pixels stays on the disk, if it can
READERS = 1


def read_examples(path: Path, split: str, device: torch.device, labels: np.ndarray | None = None) -> Examples:
    """A split of the data set written at `path`, as `examples` says."""
    return examples(read_dataset(path), split, device, labels)


def examples(dataset: Dataset, split: str, device: torch.device, labels: np.ndarray | None = None) -> Examples:
    """A split, or several joined by a plus sign; with `labels` (n,) int64 in the place of its own, if they are given.

    On a CPU, pixels of more than IN_MEMORY bytes are read a batch at a time, if the file allows it.
    """
    index = dataset.index(split)
    stays = isinstance(dataset.images, Rows) and len(index) * math.prod(dataset.images.shape[1:]) > IN_MEMORY
    pixels = Chosen(dataset.images, index) if stays else dataset.images[index]
    wanted = torch.from_numpy(dataset.labels[index] if labels is None else labels)
    return Examples(Images(pixels, device, READERS), wanted.to(device))
