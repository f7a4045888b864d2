"""The images and labels of a split on a device, where a net meets them."""

import json
import math
from pathlib import Path

import numpy as np
import torch

from advlaw.core.code import sha256
from advlaw.core.dataset import Dataset, dataset_path, read_dataset
from advlaw.core.images import Chosen, Examples, Images
from advlaw.core.io import Rows

IN_MEMORY = 64 * 2**20  # bytes: a split of more pixels stays on the disk, if it can
READERS = 1


def read_examples(path: Path, split: str, device: torch.device, labels: np.ndarray | None = None) -> Examples:
    """A split of the data set written at `path`, as `examples` says."""
    return examples(read_dataset(path), split, device, labels)


def dataset_of(model: Path) -> Path:
    """The data set that the net in this folder was made for, which its row.json names.

    Raises ValueError where that has changed since.
    """
    row = json.loads((model / "row.json").read_text("utf-8"))
    path = dataset_path(row["dataset"])
    if sha256(path) != row["dataset_sha256"]:
        raise ValueError(f"{path}: is not what {model} was made for; run `dvc repro`, which makes that net anew")
    return path


def examples(dataset: Dataset, split: str, device: torch.device, labels: np.ndarray | None = None) -> Examples:
    """A split, or several joined by a plus sign; with `labels` (n,) int64 in the place of its own, if they are given.

    On a CPU, pixels of more than IN_MEMORY bytes are read a batch at a time, if the file allows it.
    """
    index = dataset.index(split)
    stays = isinstance(dataset.images, Rows) and len(index) * math.prod(dataset.images.shape[1:]) > IN_MEMORY
    pixels = Chosen(dataset.images, index) if stays else dataset.images[index]
    wanted = torch.from_numpy(dataset.labels[index] if labels is None else labels)
    return Examples(Images(pixels, device, READERS), wanted.to(device))
