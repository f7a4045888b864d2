"""Random numbers of an attack, image by image: target classes, noise (Kurakin App. A) and starting points of PGD."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from advlaw.attacks.norms import Norm
from advlaw.core.rng import generator

TRUNCATED_AT = 2.0  # standard deviations: sigma = 0.5 eps on [-eps, eps]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Draws:
    """Where the random numbers of one batch come from: those of an image depend on (seed, names, item) alone.

    `items` are the positions of the batch's images in their split, so that neither the batch size nor the order of
    work changes what an image gets.
    """

    seed: int
    names: tuple[str, ...]
    items: Sequence[int]

    def generators(self, purpose: str) -> Iterator[np.random.Generator]:
        for item in self.items:
            yield generator(self.seed, *self.names, purpose, item)

    def pixels(self, draw: Callable[[np.random.Generator], np.ndarray]) -> Tensor:
        """One draw for every image (B, ...), float32."""
        return torch.from_numpy(np.stack([draw(rng) for rng in self.generators("pixels")])).float()


def random_classes(draws: Draws, n_classes: int) -> Tensor:
    """A class of every image (B,), uniform over all K, its own among them: the target of step rnd."""
    return torch.tensor([int(rng.integers(n_classes)) for rng in draws.generators("class")])


def random_sign(draws: Draws, shape: Shape) -> Tensor:
    """sign(N(0, 1)) of every pixel (B, *shape)."""
    return draws.pixels(lambda rng: np.sign(rng.standard_normal(shape)))


def truncated_normal(draws: Draws, shape: Shape) -> Tensor:
    """A normal of standard deviation 0.5 truncated to [-1, 1], for every pixel (B, *shape); times eps Kurakin's T."""
    from scipy.special import ndtr, ndtri

    low, high = ndtr(-TRUNCATED_AT), ndtr(TRUNCATED_AT)
    noise = draws.pixels(lambda rng: ndtri(rng.uniform(low, high, size=shape)) / TRUNCATED_AT)
    return noise.clamp(-1.0, 1.0)


def unit_ball(draws: Draws, shape: Shape, norm: Norm) -> Tensor:
    """Points uniform in the unit ball (B, *shape): where PGD starts, times eps."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        if norm == "linf":
            return rng.uniform(-1.0, 1.0, size=shape)
        gaussian = rng.standard_normal(shape)
        length = np.sqrt(np.square(gaussian).sum())  # np.linalg.norm's bytes depend on the kind of CPU
        return gaussian / length * rng.uniform() ** (1.0 / gaussian.size)

    return draws.pixels(draw)


NOISE: dict[str, Callable[[Draws, Shape], Tensor]] = {"random_sign": random_sign, "truncated_normal": truncated_normal}
