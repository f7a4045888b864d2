"""Small image files that tests make."""

from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ["ant", "bee", "cat"]


def draw(path: Path, seed: int, size: tuple[int, int] = (40, 30), mode: str = "RGB") -> Path:
    """A picture of smooth noise at `path`, in the format that its suffix names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).convert(mode).save(path)
    return path


def class_folders(folder: Path, n_each: int = 4) -> Path:
    """`n_each` PNG files of each class in a folder of its own, and classes.txt."""
    for label, name in enumerate(CLASSES):
        for number in range(n_each):
            draw(folder / name / f"{number}.png", seed=10 * label + number)
    return folder
