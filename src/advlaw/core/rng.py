"""Random numbers that depend on (seed, names) alone: not on order, batch, thread count or device."""

import hashlib

import numpy as np


def _digest(seed: int, names: tuple[str | int, ...]) -> bytes:
    return hashlib.sha256("\x1f".join(map(str, (seed, *names))).encode()).digest()


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """The generator of one purpose, say `generator(seed, "labels", dataset)`."""
    return np.random.Generator(np.random.Philox(key=int.from_bytes(_digest(seed, names)[:16], "little")))


def derived_seed(seed: int, *names: str | int) -> int:
    """A 63-bit seed of one purpose, for a library with generators of its own."""
    return int.from_bytes(_digest(seed, names)[:8], "little") >> 1
