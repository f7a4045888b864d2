"""A folder of image files as a data set without pixels: paths, checksums and labels."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from advlaw.core.dataset import Dataset
from advlaw.core.io import read_text
from advlaw.core.pictures import Files, folder_of, opened
from advlaw.core.progress import progress
from advlaw.core.rng import generator
from advlaw.data.class_folders import SHOWN, SUFFIXES, ClassFiles, composed
from advlaw.data.settings import Folder
from advlaw.data.splits import consecutive_splits

READERS = 4
A_CLASS = 50  # images of each class in ImageNet's validation set
CLASSES = 1000
Labelled = list[tuple[Path, int]]


def folder_dataset(section: Folder, seed: int) -> tuple[Dataset, dict[str, object]]:
    """The images of one entry of datasets/params.yaml, all in the split `test` but for training images; their origin.

    Raises ValueError naming file or key, what was found, what is allowed and the next step.
    """
    folder = folder_of(section.place)
    names = class_names(Path(section.classes))
    tested = _part(folder, "test", section.test)
    if section.labels is None:
        found = _told(in_class_folders(tested, names, section.classes), section)
    else:
        found = in_a_list(tested, tested / section.labels, names)
    labels = np.array([label for _, label in found], np.int64)
    if section.holds == "imagenet validation":
        _check_is_whole(labels, section)
    chosen = [found[row] for row in _drawn(labels, section, seed)]
    fitted = _fitted(folder, section, names, seed)
    files = manifest([path for path, _ in (*chosen, *fitted)], folder, section.place)
    labels = np.array([label for _, label in (*chosen, *fitted)], np.int64)
    digest = hashlib.sha256(files.sha256.tobytes() + labels.tobytes()).hexdigest()
    origin = {section.place: {"sha256": digest, "official": None}}
    of = len(found) + len(fitted)
    provenance: dict[str, object] = {"source": "folder", "holds": section.holds, "files": origin, "of": of}
    dataset = only_tested(files, labels, len(names), section.holds)
    if section.validation is None:
        return dataset, provenance
    counts = {"test": len(chosen), "validation": section.validation, "train": len(fitted) - section.validation}
    return replace(dataset, splits=consecutive_splits(counts)), provenance


def _part(folder: Path, key: str, name: str) -> Path:
    part = folder / name
    if not part.is_dir():
        raise ValueError(f"{key} = {name!r}: there is no folder {part}; name the one with these images")
    return part


def _told(found: tuple[Labelled, list[str]], section: Folder) -> Labelled:
    """The images of class folders; what was left out is printed."""
    for line in found[1]:
        print(f"{section.place}: {line}", flush=True)
    return found[0]


def _fitted(folder: Path, section: Folder, names: list[str], seed: int) -> Labelled:
    """Training images, in a random order, so that the first of them may be held out; none without `train`."""
    if section.train is None or section.validation is None:
        return []
    train = _part(folder, "train", section.train)
    found = _told(in_class_folders(train, names, section.classes), section)
    if len(found) <= section.validation:
        raise ValueError(f"validation = {section.validation}: {train} has {len(found)} images; hold out fewer")
    return [found[row] for row in generator(seed, "folder train", section.place).permutation(len(found))]


def manifest(paths: list[Path], folder: Path, place: str) -> Files:
    """Files with their checksums, read by threads; raises ValueError for one that is no image."""
    with ThreadPoolExecutor(READERS) as pool:
        digests = list(progress(pool.map(_digest, paths), "read images", total=len(paths)))
    names = np.array([path.relative_to(folder).as_posix() for path in paths])
    return Files(place, names, np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32))


def only_tested(images: np.ndarray | Files, labels: np.ndarray, n_classes: int, holds: str | None = None) -> Dataset:
    """A data set of nets that others trained: all images are in the split `test`."""
    nothing = np.arange(0)
    splits = {"train": nothing, "validation": nothing, "test": np.arange(len(labels))}
    return Dataset(images, labels, splits, n_classes, holds)


def class_names(path: Path) -> list[str]:
    """The class on each line of a file: a name, or its number from 0, its name and more."""
    if not path.is_file():
        raise ValueError(f"{path}: no such file; give one with a class's name on each line")
    lines = [line.strip() for line in read_text(path).split("\n") if line.strip()]
    names = [composed(name) for name in _names(lines)]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"{path}: lists {twice[0]} twice; give every class one line")
    return names


def _names(lines: list[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        numbered = re.match(r"(\d+)\s+(\S+)", line)
        yield numbered[2] if numbered and int(numbered[1]) == number else line


def in_class_folders(folder: Path, names: Sequence[str] | None, listed: str) -> tuple[Labelled, list[str]]:
    """Images in a folder for each class and their labels, and a line for each kind of what is left out.

    `names`: all classes in order, of which some may have no folder; None takes the folders in theirs. `listed`: what
    gives the names, for messages.
    """
    found = ClassFiles(folder)
    classes: Sequence[str | None] = found.folders
    if names is not None:
        unknown = sorted(name for name in found.folders if composed(name) not in names)
        if unknown:
            more = f" and {len(unknown) - SHOWN} more" if len(unknown) > SHOWN else ""
            raise ValueError(
                f"{listed}: does not list {', '.join(unknown[:SHOWN])}{more}, folders of {folder}; "
                "give all classes of the model, one folder's name on each line"
            )
        classes = [found.named(name) for name in names]
    files = [(file, label) for label, name in enumerate(classes) if name for file in found.images(name)]
    left_out = list(found.left_out())
    if not files:
        told = "".join(f"; {line}" for line in left_out)
        raise ValueError(
            f"{folder}: no class folder with images ({', '.join(sorted(SUFFIXES))}){told}; "
            "give a folder that contains one folder per class"
        )
    return files, left_out


def in_a_list(folder: Path, path: Path, names: Sequence[str]) -> Labelled:
    """Images that a file lists, each line a path from `folder` and a class: its name, or its number from 0 in `names`.

    Or a class's name alone, one for each image of the folder in order: numbers are refused there, since those of
    ImageNet's development kit are in another order than its classes' names.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such file; give one with a path and a class on each line")
    lines = [line.strip() for line in read_text(path).split("\n") if line.strip()]
    parts = [re.split(r"\s*,\s*|\s+", line) for line in lines]
    if all(len(part) == 1 for part in parts):
        files = sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)
        if len(files) != len(parts):
            raise ValueError(f"{path}: {len(parts)} classes for the {len(files)} images in {folder}; give one for each")
        if any(part[0].isdecimal() for part in parts):
            raise ValueError(f"{path}: numbers alone, whose order is not known; give classes by their names")
        parts = [[file.name, *part] for file, part in zip(files, parts, strict=True)]
    numbers = {name: number for number, name in enumerate(names)}
    found: Labelled = []
    for number, part in enumerate(parts, start=1):
        label = numbers.get(part[-1], int(part[-1]) if part[-1].isdecimal() else -1)
        if len(part) != 2 or not 0 <= label < len(names):
            raise ValueError(
                f"{path}: line {number}: {lines[number - 1]!r}: must be a path from {folder} and a class, by its name "
                f"or by its number from 0 to {len(names) - 1}"
            )
        found.append((folder / part[0], label))
    if lacking := [file for file, _ in found if not file.is_file()]:
        raise ValueError(f"{path}: lists {lacking[0]} and {len(lacking) - 1} more files that do not exist")
    if len(set(found)) < len(found):
        raise ValueError(f"{path}: lists an image twice; give every image one line")
    return found


def _digest(path: Path) -> bytes:
    """The SHA-256 of a file that begins as an image does."""
    content = path.read_bytes()
    with opened(content, path):
        return hashlib.sha256(content).digest()


def _check_is_whole(labels: np.ndarray, section: Folder) -> None:
    counts = np.bincount(labels, minlength=CLASSES)
    if len(counts) != CLASSES or not (counts == A_CLASS).all():
        raise ValueError(
            f"holds = {section.holds!r}: {section.place} has {len(labels)} images of {int((counts > 0).sum())} "
            f"classes, and ImageNet's validation set has {A_CLASS} of each of {CLASSES}; of any other say "
            "holds: imagenet sample"
        )


def _drawn(labels: np.ndarray, section: Folder, seed: int) -> np.ndarray:
    """Rows (n,) in a random order, so that the first of them are a sample: all, or `images_a_class` of each class.

    Raises ValueError where a class that has images has fewer.
    """
    order, wanted = generator(seed, "folder", section.place).permutation(len(labels)), section.images_a_class
    if wanted is None:
        return order
    seen: Counter[int] = Counter()
    chosen = []
    for row in order.tolist():
        seen[label := int(labels[row])] += 1
        if seen[label] <= wanted:
            chosen.append(row)
    fewest = min(seen, key=lambda label: (seen[label], label))
    if seen[fewest] < wanted:
        raise ValueError(
            f"images_a_class = {wanted}: class {fewest} of {section.place} has {seen[fewest]} images; give at most that"
        )
    return np.array(chosen)
