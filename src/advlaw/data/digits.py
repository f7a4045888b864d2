"""The 1,797 handwritten 8x8 digits that come with scikit-learn (UCI, Alpaydin and Kaynak 1998)."""

import numpy as np

from advlaw.core.dataset import Dataset
from advlaw.core.rng import derived_seed


def digits(counts: dict[str, int], seed: int) -> Dataset:
    """Images (1797, 1, 8, 8), stratified splits; the original 0..16 becomes floor(v * 255 / 16 + 0.5)."""
    from sklearn.datasets import load_digits  # five seconds, and only this data set needs it
    from sklearn.model_selection import train_test_split

    def draw(index: np.ndarray, n_first: int, purpose: str) -> list[np.ndarray]:
        state = derived_seed(seed, "splits", "digits", purpose) % 2**32
        return train_test_split(index, train_size=n_first, stratify=labels[index], random_state=state)

    bundled = load_digits()
    images = np.floor(bundled.images * 255 / 16 + 0.5).astype(np.uint8)[:, None]
    labels = bundled.target.astype(np.int64)
    used = sum(counts.values())
    everything = np.arange(len(labels))
    kept = everything if used == len(labels) else draw(everything, used, "used")[0]
    test, rest = draw(kept, counts["test"], "test")
    validation, train = draw(rest, counts["validation"], "validation")
    splits = {"train": np.sort(train), "validation": np.sort(validation), "test": np.sort(test)}
    return Dataset(images, labels, splits)
