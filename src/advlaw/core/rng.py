"""Random numbers that depend on (seed, names) alone: not on order, batch, thread count or device."""

import hashlib
from dataclasses import dataclass

import numpy as np


def _digest(seed: int, names: tuple[str | int, ...]) -> bytes:
    return hashlib.sha256("\x1f".join(map(str, (seed, *names))).encode()).digest()


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """The generator of one purpose, say `generator(seed, "labels", dataset)`."""
    return np.random.Generator(np.random.Philox(key=int.from_bytes(_digest(seed, names)[:16], "little")))


def derived_seed(seed: int, *names: str | int) -> int:
    """A 63-bit seed of one purpose, for a library with generators of its own."""
    return int.from_bytes(_digest(seed, names)[:8], "little") >> 1


@dataclass(frozen=True)
class Numbers:
    """The random numbers of one training: those of a purpose depend on (seed, purpose, names) alone.

    `names` say whose they are, such as ("fc",) of the model `fc`.
    """

    seed: int
    names: tuple[str | int, ...]

    def generator(self, purpose: str, *more: str | int) -> np.random.Generator:
        """The generator of one purpose, say `numbers.generator("order", epoch)`."""
        return generator(self.seed, purpose, *self.names, *more)

    def seed_of(self, purpose: str, *more: str | int) -> int:
        """A 63-bit seed of one purpose, say `numbers.seed_of("weights")`, for torch's own generators."""
        return derived_seed(self.seed, purpose, *self.names, *more)
