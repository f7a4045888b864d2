"""Two searchers of architectures: what the one draws and finds against what random search does."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from advlaw.fitting.seeds import Spread, half_width, of_difference


@dataclass(frozen=True)
class Difference:
    """A difference of two means with Welch's interval, its degrees of freedom, and how many numbers made either."""

    value: float
    low: float
    high: float
    df: float
    n_first: int
    n_second: int


@dataclass(frozen=True)
class Late(Difference):
    """What a searcher's late children are better by; `n_seeds` of its controller.

    Of one seed the interval is over its children, as if they were independent. They are not, since one controller
    drew them: it says whether these children are better, not whether another run's would be.
    """

    n_seeds: int

    @property
    def over(self) -> str:
        """What the interval counts of the searcher: `seeds`, or `children` of the only one."""
        return "seeds" if self.n_seeds > 1 else "children"


def difference(first: Sequence[float], second: Sequence[float], confidence: float) -> Difference | None:
    """mean(first) - mean(second), Welch (1947); None unless either has two numbers.

    Such as accuracies of two searchers' winners, each trained again on fresh seeds.
    """
    if min(len(first), len(second)) < 2:
        return None
    spread = of_difference(_of_mean(first), _of_mean(second))
    value, half = float(np.mean(first) - np.mean(second)), half_width(spread, confidence)
    return Difference(value, value - half, value + half, spread.df, len(first), len(second))


def late_gain(searchers: Sequence[Sequence[float]], random: Sequence[float], confidence: float) -> Late | None:
    """The mean reward of the last third of a searcher's children minus that of random ones.

    searchers: the rewards of the children of each controller seed, in the order they were drawn. Several seeds count
    as their means, each as much, since children of one go together. None with too few numbers: two random children, and
    two seeds or two late children of the only one.
    """
    late = [np.asarray(rewards, dtype=float)[-math.ceil(len(rewards) / 3) :] for rewards in searchers if len(rewards)]
    first = late[0].tolist() if len(late) == 1 else [float(rewards.mean()) for rewards in late]
    found = difference(first, random, confidence)
    return None if found is None else Late(**vars(found), n_seeds=len(late))


def _of_mean(values: Sequence[float]) -> Spread:
    """The spread of a mean of n values."""
    return Spread(float(np.std(values, ddof=1)) / math.sqrt(len(values)), len(values) - 1, len(values))
