"""The images of an audit: from a folder with a folder for each class, or from an npz file."""

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from advlaw.core.dataset import Dataset
from advlaw.core.io import read_text
from advlaw.core.progress import progress
from advlaw.core.rng import generator
from advlaw.data.class_folders import SHOWN, SUFFIXES, ClassFiles, composed

USUAL_CROP = 0.875  # of ImageNet's classifiers: 224 of 256
MOST_CLASSES = 100_000


@dataclass(frozen=True)
class Source:
    """Where images are, and what is made of them."""

    data: Path
    classes: str | None
    images: int | None
    size: int
    resize: int | None
    channels: int
    seed: int


def read_images(source: Source) -> tuple[Dataset, int]:
    """All chosen images as the test split, and the number of the model's classes.

    Raises ValueError naming file or argument, what was found, what is allowed and the next step.
    """
    if source.data.is_dir():
        pixels, labels, n_classes = _of_folder(source)
    elif source.data.is_file():
        pixels, labels, n_classes = _of_npz(source)
    else:
        raise ValueError(
            f"--data {source.data}: no such folder or file; give a folder of class folders, or an npz file"
        )
    nothing = np.arange(0)
    return Dataset(pixels, labels, {"train": nothing, "validation": nothing, "test": np.arange(len(labels))}), n_classes


def _of_folder(source: Source) -> tuple[np.ndarray, np.ndarray, int]:
    """Shorter side to `resize`, bilinear, and the central `size` x `size` pixels."""
    found = ClassFiles(source.data)
    classes = list(found.folders) if source.classes is None else _listed(source, found)
    files = [(file, label) for label, name in enumerate(classes) if name for file in found.images(name)]
    left_out = list(found.left_out())
    if not files:
        told = "".join(f"; {line}" for line in left_out)
        raise ValueError(
            f"--data {source.data}: no class folder with images ({', '.join(sorted(SUFFIXES))}){told}; "
            "give a folder that contains one folder per class"
        )
    for line in left_out:
        print(f"{source.data}: {line}", flush=True)
    chosen = [files[i] for i in _drawn(len(files), source)]
    pixels = np.stack([_pixels(file, source) for file, _ in progress(chosen, "read images")])
    return pixels, np.array([label for _, label in chosen]), len(classes)


def _listed(source: Source, found: ClassFiles) -> list[str | None]:
    """The folder of each class of a classes file, if it has one: a line is a name, or its number, its name and more."""
    path = Path(source.classes or "")
    if not path.is_file():
        raise ValueError(f"--classes {path}: no such file; give one with a folder's name on each line")
    try:
        lines = [line.strip() for line in read_text(path).split("\n") if line.strip()]
    except ValueError as error:
        raise ValueError(f"--classes {error}; give one with a folder's name on each line") from None
    names = [composed(name) for name in _names(lines)]
    unknown = sorted(folder for folder in found.folders if composed(folder) not in names)
    if unknown:
        more = f" and {len(unknown) - SHOWN} more" if len(unknown) > SHOWN else ""
        raise ValueError(
            f"--classes {path}: does not list {', '.join(unknown[:SHOWN])}{more}, folders of {source.data}; "
            "give all classes of the model, one folder's name on each line"
        )
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"--classes {path}: lists {twice} twice; give every class one line")
    return [found.named(name) for name in names]


def _names(lines: list[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        numbered = re.match(r"(\d+)\s+(\S+)", line)
        yield numbered[2] if numbered and int(numbered[1]) == number else line


def _pixels(file: Path, source: Source) -> np.ndarray:
    """(C, size, size) uint8."""
    try:
        with Image.open(file) as opened:
            mode = opened.mode
            image = opened.convert("RGB" if source.channels == 3 else "L")
        if mode[0] not in "IF":
            return _cut(image, source)
    except Exception as error:  # PIL raises whatever a damaged file leads its decoders to
        what = str(error) or type(error).__name__
        raise ValueError(f"{file}: cannot be read as an image: {what}; mend or remove it") from None
    raise ValueError(f"{file}: more than 8 bits per channel ({mode}); convert it to 8")


def _cut(image: Image.Image, source: Source) -> np.ndarray:
    """The middle, after the shorter side is scaled."""
    shorter = source.resize or round(source.size / USUAL_CROP)
    scale = shorter / min(image.size)
    width, height = (max(shorter, int(side * scale)) for side in image.size)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = round((width - source.size) / 2), round((height - source.size) / 2)
    pixels = np.asarray(image.crop((left, top, left + source.size, top + source.size)))
    return np.ascontiguousarray(pixels.reshape(source.size, source.size, -1).transpose(2, 0, 1))


def _of_npz(source: Source) -> tuple[np.ndarray, np.ndarray, int]:
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
    chosen = _drawn(len(labels), source)
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
    return np.ascontiguousarray(images[chosen]), labels[chosen].astype(np.int64), n_classes


def _check_arrays(images: np.ndarray, labels: np.ndarray) -> None:
    if images.ndim != 4 or images.dtype != np.uint8 or not {1, 3} & {images.shape[1], images.shape[3]}:
        raise ValueError(f"images are {images.dtype} {images.shape}")
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or len(labels) != len(images):
        raise ValueError(f"labels are {labels.dtype} {labels.shape} for {len(images)} images")
    if len(labels) == 0 or labels.min() < 0 or labels.max() >= MOST_CLASSES:
        raise ValueError(f"there must be labels, all from 0 to {MOST_CLASSES - 1}")


def _drawn(n_images: int, source: Source) -> list[int]:
    """Which images are taken: all, or `images` drawn at random, in their order."""
    if source.images is None or source.images >= n_images:
        return list(range(n_images))
    return sorted(generator(source.seed, "audit", "images").permutation(n_images)[: source.images].tolist())
