"""What one net answers when clean and under every attack at a few eps, in the form that the tables need."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from advlaw.core.io import Cells, read_npz
from advlaw.fitting.proportions import wilson

CLEAN = "clean"  # the attack of images that are not attacked; their eps is 0
NOT_FINITE = 255  # the rank where a logit is no number
TOP = {"top1": 1, "top5": 5}
ENDS = ("", "_low", "_high")


@dataclass(frozen=True)
class Point:
    """The ranks (n,) uint8 of the labels of the first n test images under one attack at one eps, and which are judged.

    A rank is how many classes come before the label. `judged` (n,) bool: all is finite, under this attack at every eps.
    """

    attack: str
    eps: float
    rank: np.ndarray
    judged: np.ndarray

    @property
    def n_images(self) -> int:
        """How many images are judged."""
        return int(self.judged.sum())

    def right(self, k: int = 1) -> np.ndarray:
        """Which images (n,) have their label among the k best classes."""
        return self.rank < k

    def n_right(self, k: int = 1) -> int:
        """How many of the judged images are."""
        return int((self.right(k) & self.judged).sum())

    def accuracy(self, k: int = 1) -> float | None:
        return self.n_right(k) / self.n_images if self.n_images else None


@dataclass(frozen=True)
class Ranks:
    """All points of a net by attack and eps, clean first; label (N,) of all test images that it met."""

    label: np.ndarray
    points: dict[tuple[str, float], Point]

    @property
    def clean(self) -> Point:
        return self.points[CLEAN, 0.0]


def read_ranks(path: Path, attacks: Sequence[str]) -> Ranks:
    """A net's file of outcomes, under these attacks (keys), which tables call by their names."""
    kept = read_npz(path)
    clean = kept["clean/rank"]
    points = [Point(CLEAN, 0.0, clean, clean != NOT_FINITE)]
    for key in attacks:
        ranks = kept[f"{key}/rank"]
        judged = (
            ~kept[f"{key}/not_finite"] & (ranks != NOT_FINITE).all(axis=0) & (clean[: ranks.shape[1]] != NOT_FINITE)
        )
        points += [Point(name_of(key), float(eps), rank, judged) for eps, rank in zip(kept["eps"], ranks, strict=True)]
    return Ranks(kept["label"], {(point.attack, point.eps): point for point in points})


def name_of(key: str) -> str:
    """An attack's name in tables: that of `one_step.fgsm` is fgsm."""
    return key.partition(".")[2]


def judged_in_all(*points: Point) -> np.ndarray:
    """Which of the first images (n,) of the points are judged in each of them; n is that of the shortest."""
    n = min(len(point.judged) for point in points)
    return np.logical_and.reduce([point.judged[:n] for point in points])


def right_on(judged: np.ndarray, *points: Point, k: int = 1) -> list[np.ndarray]:
    """For each point, which of the judged ones among the first images are right."""
    return [point.right(k)[: len(judged)][judged] for point in points]


def interval(name: str, values: Sequence[float | None]) -> Cells:
    """The cells of a number and of its ends."""
    return dict(zip((f"{name}{end}" for end in ENDS), values, strict=True))


def share(name: str, n_of: int, n: int, confidence: float) -> Cells:
    """The cells of a share with Wilson's interval; empty ones of nothing."""
    return interval(name, (n_of / n, *wilson(n_of, n, confidence)) if n else (None, None, None))
