"""A data set on disk: images, labels and explicit splits."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from advlaw.core.io import Rows, members, read_npz, rows_on_disk, write_npz
from advlaw.core.pictures import Files
from advlaw.core.rng import generator

ABOUT = ("classes", "holds")
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Dataset:
    """images (N, C, H, W) uint8, which may stay on the disk, labels (N,) int64, indices (n,) int64 of every split.

    Or N files, which each net is shown in its own view. `classes`: how many there are, if not all need have images.
    `holds`: what the images are, where that decides what is judged on them.
    """

    images: np.ndarray | Rows | Files
    labels: np.ndarray
    splits: dict[str, np.ndarray]
    classes: int | None = None
    holds: str | None = None

    @property
    def n_classes(self) -> int:
        return self.classes or int(self.labels.max()) + 1

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(C, H, W); empty of files, whose shape each net's view decides."""
        return () if isinstance(self.images, Files) else self.images.shape[1:]

    def index(self, split: str) -> np.ndarray:
        """Indices (n,) of a split, or of several joined by a plus sign (`train+validation`)."""
        return np.concatenate([self.splits[part] for part in split.split("+")])

    def split(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Images (n, C, H, W), in memory, and labels (n,) of one split or several; not of files."""
        assert not isinstance(self.images, Files)
        index = self.index(name)
        return self.images[index], self.labels[index]


def dataset_path(name: str) -> Path:
    """Where the data set of this name lies, from the repository's root."""
    return Path("data/datasets") / f"{name}.npz"


def write_dataset(path: Path, dataset: Dataset) -> None:
    """The images are not compressed, so that they can be read a batch at a time; of files no pixel is written."""
    images: dict[str, np.ndarray] = {}
    if isinstance(dataset.images, Files):
        files = dataset.images
        images |= {"place": np.array(files.place), "paths": files.paths, "sha256": files.sha256}
    else:
        images["images"] = dataset.images[:]
    about = {name: np.array(value) for name in ABOUT if (value := getattr(dataset, name)) is not None}
    write_npz(path, {**images, **about, "labels": dataset.labels, **dataset.splits}, plain=["images"])


def read_dataset(path: Path) -> Dataset:
    """All but the images, which stay on the disk until some are asked for; in memory where they are compressed."""
    names = members(path)
    arrays = read_npz(path, *(name for name in names if name != "images"))
    images: np.ndarray | Rows | Files
    if "paths" in names:
        images = Files(str(arrays["place"]), arrays["paths"], arrays["sha256"])
    else:
        images = rows_on_disk(path, "images") or read_npz(path, "images")["images"]
    about = {name: arrays[name].item() for name in ABOUT if name in names}
    return Dataset(images, arrays["labels"], {name: arrays[name] for name in SPLITS}, **about)


def shuffled_labels(labels: np.ndarray, seed: int, name: str) -> np.ndarray:
    """A permutation of the labels (n,) of the fitted split: Cubuk Sec. 2, after Zhang et al. 2016."""
    return generator(seed, "labels", name).permutation(labels)
