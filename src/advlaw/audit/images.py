"""The images of an audit: files of a folder, which stay where they are, or the pixels of an npz file."""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from advlaw.core.dataset import Dataset
from advlaw.core.rng import generator
from advlaw.data.class_folders import ClassFiles
from advlaw.data.folder import Labelled, class_names, in_a_list, in_class_folders, manifest, only_tested

IMAGENET_CLASSES = Path(__file__).resolve().parents[1] / "data" / "imagenet_classes.txt"
MOST_CLASSES = 100_000


@dataclass(frozen=True)
class Source:
    """Where images are, and which are taken."""

    data: Path
    classes: str | None
    labels: Path | None
    images: int | None
    seed: int


def read_images(source: Source, of_imagenet: bool = False) -> Dataset:
    """All chosen images as the test split, in a random order: the first ones of it stand for all.

    `of_imagenet`: the model has ImageNet's classes, unless the folder has others. Raises ValueError naming file or
    argument, what was found, what is allowed and the next step.
    """
    if source.data.is_dir():
        return _of_folder(source, of_imagenet)
    if not source.data.is_file():
        raise ValueError(
            f"--data {source.data}: no such folder or file; give a folder of class folders, or an npz file"
        )
    if source.labels is not None:
        raise ValueError(f"--labels {source.labels}: an npz file has labels of its own; leave --labels out")
    return _of_npz(source)


def _of_folder(source: Source, of_imagenet: bool) -> Dataset:
    names = _names(source, of_imagenet)
    found: Labelled
    if source.labels is None:
        listed = f"--classes {source.classes or IMAGENET_CLASSES}"
        found, left_out = in_class_folders(source.data, names, listed)
        for line in left_out:
            print(f"{source.data}: {line}", flush=True)
    elif names is None:
        raise ValueError(f"--labels {source.labels}: needs --classes, a file with a class's name on each line")
    else:
        found = in_a_list(source.data, source.labels, names)
    n_classes = len(ClassFiles(source.data).folders) if names is None else len(names)
    chosen = [found[row] for row in _drawn(len(found), source)]
    files = manifest([path for path, _ in chosen], source.data, str(source.data.resolve()))
    return only_tested(files, np.array([label for _, label in chosen], np.int64), n_classes)


def _names(source: Source, of_imagenet: bool) -> Sequence[str] | None:
    """The model's classes in order; None where they are those of the class folders."""
    if source.classes is not None:
        return class_names(Path(source.classes))
    if not of_imagenet:
        return None
    known = class_names(IMAGENET_CLASSES)
    has_others = source.labels is None and not set(ClassFiles(source.data).folders) <= set(known)
    return None if has_others else known


def _of_npz(source: Source) -> Dataset:
    try:
        if not zipfile.is_zipfile(source.data):
            raise ValueError("not an npz file, or an incomplete one")
        with np.load(source.data, allow_pickle=False) as file:
            missing = [name for name in ("images", "labels") if name not in file.files]
            if missing:
                raise ValueError(f"no array {missing[0]!r} among {', '.join(file.files)}")
            images, labels = file["images"], file["labels"]
        _check_arrays(images, labels)
    except Exception as error:  # a damaged one leads zipfile, zlib and NumPy to whatever they raise
        what = str(error) or type(error).__name__
        raise ValueError(
            f"--data {source.data}: {what}; give an npz file with images (N, C, H, W) or (N, H, W, C) uint8 and "
            "labels (N,)"
        ) from None
    if images.shape[1] not in (1, 3):
        images = images.transpose(0, 3, 1, 2)
    rows = _drawn(len(labels), source)
    pixels = np.ascontiguousarray(images[rows])
    return only_tested(pixels, labels[rows].astype(np.int64), _n_classes(source, labels))


def _n_classes(source: Source, labels: np.ndarray) -> int:
    n_labels = int(labels.max()) + 1
    if source.classes is None and labels.min() == 1:
        raise ValueError(
            f"--data {source.data}: labels run from 1 to {n_labels - 1}; number them from 0, as labels - 1, or, if "
            "they are right and no image is of class 0, give --classes, the number of the model's classes"
        )
    if source.classes is not None and not source.classes.isdecimal():
        raise ValueError(f"--classes {source.classes}: for an npz file, give the number of the model's classes")
    n_classes = n_labels if source.classes is None else int(source.classes)
    if n_classes < n_labels:
        better = "number them from 0, as labels - 1" if labels.min() == 1 else f"give at least {n_labels}"
        raise ValueError(
            f"--classes {n_classes}: {source.data} has labels from {labels.min()} up to {n_labels - 1}; {better}"
        )
    return n_classes


def _check_arrays(images: np.ndarray, labels: np.ndarray) -> None:
    if images.ndim != 4 or images.dtype != np.uint8 or not {1, 3} & {images.shape[1], images.shape[3]}:
        raise ValueError(f"images are {images.dtype} {images.shape}")
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or len(labels) != len(images):
        raise ValueError(f"labels are {labels.dtype} {labels.shape} for {len(images)} images")
    if len(labels) == 0 or labels.min() < 0 or labels.max() >= MOST_CLASSES:
        raise ValueError(f"there must be labels, all from 0 to {MOST_CLASSES - 1}")


def _drawn(n_images: int, source: Source) -> np.ndarray:
    """Which images are taken, and in which order: `images` of them, or all."""
    return generator(source.seed, "audit", "images").permutation(n_images)[: source.images]
