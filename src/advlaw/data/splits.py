"""Which images of a data set are fitted, which choose, which are attacked."""

import numpy as np

from advlaw.core.rng import generator


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
