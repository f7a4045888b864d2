"""Random images with random labels: data without any content (Cubuk Sec. 3.2, after Zhang et al. 2016)."""

import numpy as np

from advlaw.core.dataset import Dataset
from advlaw.core.rng import generator
from advlaw.data.splits import consecutive_splits


def random_images(counts: dict[str, int], classes: int, channels: int, side: int, seed: int) -> Dataset:
    """Images (N, channels, side, side) and labels, all independent and uniform; splits follow one another."""
    total = sum(counts.values())
    images = generator(seed, "random", "images").integers(256, size=(total, channels, side, side), dtype=np.uint8)
    labels = generator(seed, "random", "labels").integers(classes, size=total)
    return Dataset(images, labels, consecutive_splits(counts))
