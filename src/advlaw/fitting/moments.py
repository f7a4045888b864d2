"""Counts of errors at every eps, of the sample and of its bootstrap samples: what all estimators of a curve start from.

A bootstrap over images draws N of N images with replacement. What matters of an image is its pattern, at which eps it
is an error; images of one pattern are drawn together.
"""

from dataclasses import dataclass

import numpy as np

from advlaw.fitting.outcomes import Outcomes


@dataclass(frozen=True)
class Moments:
    """R samples of N images: gross and net errors (R, E) at each eps, and images right when clean (R,)."""

    eps: np.ndarray
    n_images: int
    n_right: np.ndarray
    gross: np.ndarray
    net: np.ndarray


@dataclass(frozen=True)
class Patterns:
    """The patterns (2E + 1, p) of N images, broken and net at each eps and right when clean; `counts` (p,) of each."""

    eps: np.ndarray
    of: np.ndarray
    counts: np.ndarray

    def sample(self) -> Moments:
        """The moments of the images themselves, R = 1."""
        return self._moments(self.counts[None])

    def bootstrap(self, replicates: int, rng: np.random.Generator) -> Moments:
        n_images = int(self.counts.sum())
        return self._moments(rng.multinomial(n_images, self.counts / n_images, size=replicates))

    def _moments(self, counts: np.ndarray) -> Moments:
        sums = counts.astype(float) @ self.of.T.astype(float)
        broken, net, right = np.split(sums, [len(self.eps), 2 * len(self.eps)], axis=1)
        return Moments(self.eps, int(self.counts.sum()), right[:, 0], broken, net)


def patterns(outcomes: Outcomes) -> Patterns:
    whole = np.concatenate([outcomes.broken, outcomes.net, outcomes.was_right[None]]).astype(np.int8)
    factors = np.random.default_rng(0).integers(2**62, size=len(whole))  # overflow is meant: a hash of each image
    _, first, same, counts = np.unique(factors @ whole, return_index=True, return_inverse=True, return_counts=True)
    assert (whole[:, first[same]] == whole).all(), "two patterns have one hash"
    return Patterns(outcomes.eps, whole[:, first], counts)
