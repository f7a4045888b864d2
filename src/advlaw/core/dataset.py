"""A data set on disk: images, labels and explicit splits."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from advlaw.core.io import Rows, read_npz, rows_on_disk, write_npz
from advlaw.core.rng import generator

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Dataset:
    """images (N, C, H, W) uint8, which may stay on the disk, labels (N,) int64, indices (n,) int64 of every split."""

    images: np.ndarray | Rows
    labels: np.ndarray
    splits: dict[str, np.ndarray]

    @property
    def n_classes(self) -> int:
        return int(self.labels.max()) + 1

    def index(self, split: str) -> np.ndarray:
        """Indices (n,) of a split, or of several joined by a plus sign (`train+validation`)."""
        return np.concatenate([self.splits[part] for part in split.split("+")])

    def split(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Images (n, C, H, W), in memory, and labels (n,) of one split or several."""
        index = self.index(name)
        return self.images[index], self.labels[index]


def dataset_path(name: str) -> Path:
    """Where the data set of this name lies, from the repository's root."""
    return Path("data/datasets") / f"{name}.npz"


def write_dataset(path: Path, dataset: Dataset) -> None:
    """The images are not compressed, so that they can be read a batch at a time."""
    arrays = {"images": dataset.images[:], "labels": dataset.labels, **dataset.splits}
    write_npz(path, arrays, plain=["images"])


def read_dataset(path: Path) -> Dataset:
    """All but the images, which stay on the disk until some are asked for; in memory where they are compressed."""
    arrays = read_npz(path, "labels", *SPLITS)
    images = rows_on_disk(path, "images") or read_npz(path, "images")["images"]
    return Dataset(images, arrays["labels"], {name: arrays[name] for name in SPLITS})


def shuffled_labels(labels: np.ndarray, seed: int, name: str) -> np.ndarray:
    """A permutation of the labels (n,) of the fitted split: Cubuk Sec. 2, after Zhang et al. 2016."""
    return generator(seed, "labels", name).permutation(labels)
