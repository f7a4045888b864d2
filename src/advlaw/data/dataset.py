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


def write_dataset(path: Path, dataset: Dataset) -> None:
    """The images are not compressed, so that they can be read a batch at a time."""
    arrays = {"images": dataset.images[:], "labels": dataset.labels, **dataset.splits}
    write_npz(path, arrays, plain=["images"])


def read_dataset(path: Path) -> Dataset:
    """All but the images, which stay on the disk until some are asked for; in memory where they are compressed."""
    arrays = read_npz(path, "labels", *SPLITS)
    images = rows_on_disk(path, "images") or read_npz(path, "images")["images"]
    return Dataset(images, arrays["labels"], {name: arrays[name] for name in SPLITS})


def consecutive_splits(counts: dict[str, int]) -> dict[str, np.ndarray]:
    """Split indices that follow one another, for images that are independent of their order."""
    bounds = np.cumsum([0, *counts.values()])
    return {name: np.arange(bounds[i], bounds[i + 1]) for i, name in enumerate(counts)}


def official_splits(n_train: int, n_test: int, counts: dict[str, int], seed: int, name: str) -> dict[str, np.ndarray]:
    """train and validation drawn from the first `n_train` images, test from the `n_test` official ones behind them."""
    fitted = random_splits(n_train, {key: counts[key] for key in ("train", "validation")}, seed, name)
    if counts["test"] == n_test:
        test = np.arange(n_test)
    else:
        test = random_splits(n_test, {"test": counts["test"]}, seed, name + " test")["test"]
    return {**fitted, "test": n_train + test}


def random_splits(n_images: int, counts: dict[str, int], seed: int, name: str) -> dict[str, np.ndarray]:
    """Split indices drawn without replacement from the first `n_images` images."""
    order = generator(seed, "splits", name).permutation(n_images)
    bounds = np.cumsum(list(counts.values()))
    parts = np.split(order[: bounds[-1]], bounds[:-1])
    return {key: np.sort(part) for key, part in zip(counts, parts, strict=True)}


def shuffled_labels(labels: np.ndarray, seed: int, name: str) -> np.ndarray:
    """A permutation of the labels (n,) of the fitted split: Cubuk Sec. 2, after Zhang et al. 2016."""
    return generator(seed, "labels", name).permutation(labels)
