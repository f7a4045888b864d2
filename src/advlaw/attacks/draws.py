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

    `items` are the positions of the batch's images in their split, below 2^63, so that neither the batch size nor the
    order of work changes what an image gets.
    """

    seed: int
    names: tuple[str | int, ...]
    items: Sequence[int] | np.ndarray

    def generators(self, purpose: str) -> Iterator[np.random.Generator]:
        """The generator of every image in turn: one object, moved on, so draw from each before asking for the next.

        Philox makes its numbers of a key, here the purpose's, and a counter of 256 bits. An image has the 2^128 values
        from item * 2^128 on: setting them takes a tenth of the time that a key of its own would.
        """
        rng = generator(self.seed, *self.names, purpose)
        start = rng.bit_generator.state
        counter = start["state"]["counter"]
        for item in self.items:
            counter[2] = item
            rng.bit_generator.state = start
            yield rng

    def pixels(self, draw: Callable[[np.random.Generator], np.ndarray]) -> np.ndarray:
        """One draw for every image (B, ...)."""
        return np.stack([draw(rng) for rng in self.generators("pixels")])


def random_classes(draws: Draws, n_classes: int) -> Tensor:
    """A class of every image (B,), uniform over all K, its own among them: the target of step rnd."""
    return torch.tensor([int(rng.integers(n_classes)) for rng in draws.generators("class")])


def random_sign(draws: Draws, shape: Shape) -> Tensor:
    """sign(N(0, 1)) of every pixel (B, *shape)."""
    return torch.from_numpy(np.sign(draws.pixels(lambda rng: rng.standard_normal(shape)))).float()


def truncated_normal(draws: Draws, shape: Shape) -> Tensor:
    """A normal of standard deviation 0.5 truncated to [-1, 1], for every pixel (B, *shape); times eps Kurakin's T."""
    from scipy.special import ndtr, ndtri

    low, high = ndtr(-TRUNCATED_AT), ndtr(TRUNCATED_AT)
    share = draws.pixels(lambda rng: rng.uniform(low, high, size=shape))
    return torch.from_numpy(ndtri(share) / TRUNCATED_AT).float().clamp(-1.0, 1.0)


def unit_ball(draws: Draws, shape: Shape, norm: Norm) -> Tensor:
    """Points uniform in the unit ball (B, *shape): where PGD starts, times eps."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        if norm == "linf":
            return rng.uniform(-1.0, 1.0, size=shape)
        gaussian = rng.standard_normal(shape)
        length = np.sqrt(np.square(gaussian).sum())  # np.linalg.norm's bytes depend on the kind of CPU
        return gaussian / length * rng.uniform() ** (1.0 / gaussian.size)

    return torch.from_numpy(draws.pixels(draw)).float()


NOISE: dict[str, Callable[[Draws, Shape], Tensor]] = {"random_sign": random_sign, "truncated_normal": truncated_normal}
