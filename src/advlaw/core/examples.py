"""The images and labels of a split on a device, where a net meets them."""

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from advlaw.core.code import sha256
from advlaw.core.dataset import Dataset, dataset_path, read_dataset
from advlaw.core.images import Chosen, Examples, Images
from advlaw.core.io import Rows
from advlaw.core.pictures import Files, Pictures, View

IN_MEMORY = 64 * 2**20  # bytes: a split of more pixels stays on the disk, if it can
READERS = 1
DECODERS = 8  # at most: threads that decode files


def read_examples(
    path: Path, split: str, device: torch.device, labels: np.ndarray | None = None, view: View | None = None
) -> Examples:
    """A split of the data set written at `path`, as `examples` says."""
    return examples(read_dataset(path), split, device, labels, view)


@dataclass(frozen=True)
class Shown:
    """What a net is made for: the file of a data set, and how the net is shown its images, where those are files."""

    dataset: Path
    view: View | None


def examples_of(model: Path, split: str, device: torch.device, labels: np.ndarray | None = None) -> Examples:
    """A split of what the net in this folder is shown, with `labels` (n,) int64 in the place of its own if given."""
    images = shown(model)
    return read_examples(images.dataset, split, device, labels, images.view)


def shown(model: Path) -> Shown:
    """What the net in this folder is made for, as its row.json says; ValueError where its data set has changed."""
    row = json.loads((model / "row.json").read_text("utf-8"))
    path, view = dataset_path(row["dataset"]), row.get("view")
    if sha256(path) != row["dataset_sha256"]:
        raise ValueError(f"{path}: is not what {model} was made for; run `dvc repro`, which makes that net anew")
    return Shown(path.absolute(), View(**view) if view else None)


def examples(
    dataset: Dataset,
    split: str,
    device: torch.device,
    labels: np.ndarray | None = None,
    view: View | None = None,
    stays: bool = False,
) -> Examples:
    """A split, or several joined by a plus sign; with `labels` (n,) int64 in the place of its own, if they are given.

    On a CPU, pixels of more than IN_MEMORY bytes are read a batch at a time, if the file allows it. Files are decoded
    as `view` says, ahead of the work; `stays`: also where a GPU has room for all of them.
    """
    index = dataset.index(split)
    wanted = torch.from_numpy(dataset.labels[index] if labels is None else labels).to(device)
    if isinstance(dataset.images, Files):
        assert view is not None, "files need a view"
        decoders = min(DECODERS, os.cpu_count() or 1)
        return Examples(Images(Chosen(Pictures(dataset.images, view), index), device, decoders, stays), wanted)
    is_large = isinstance(dataset.images, Rows) and len(index) * math.prod(dataset.images.shape[1:]) > IN_MEMORY
    pixels = Chosen(dataset.images, index) if is_large else dataset.images[index]
    return Examples(Images(pixels, device, READERS), wanted)
