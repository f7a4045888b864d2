"""Sums over images that every estimator is a function of, for the sample and for bootstrap samples alike.

A bootstrap over images draws N of N images with replacement; what it changes is how often each image counts. All
estimators here depend on the images through a few sums per grid point, so a whole bootstrap is two matrix products.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from advlaw.fitting.outcomes import Outcomes

REPLICATES_AT_ONCE = 100


@dataclass(frozen=True)
class Moments:
    """R samples of N images; every array is (R, E) but n_right (R,).

    gross, net: images counted at each eps. event_count and event_logs: number of events up to each eps and the sum
    of their ln(eps), for right -> wrong only (gross) and signed (net); None for iterative attacks.
    """

    eps: np.ndarray
    n_images: int
    n_right: np.ndarray
    gross: np.ndarray
    net: np.ndarray
    gross_events: tuple[np.ndarray, np.ndarray] | None
    net_events: tuple[np.ndarray, np.ndarray] | None


def sample_moments(outcomes: Outcomes) -> Moments:
    """The moments of the sample itself, R = 1."""
    return _moments(outcomes, np.ones((1, outcomes.n_images)))


def bootstrap_moments(outcomes: Outcomes, replicates: int, rng: np.random.Generator) -> Moments:
    """The moments of `replicates` bootstrap samples."""
    parts = [_moments(outcomes, weights) for weights in _weights(outcomes.n_images, replicates, rng)]
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in ("n_right", "gross", "net")}
    return Moments(
        outcomes.eps,
        outcomes.n_images,
        **joined,
        gross_events=_joined_events([part.gross_events for part in parts]),
        net_events=_joined_events([part.net_events for part in parts]),
    )


def _weights(n_images: int, replicates: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """How often each image is drawn (R, N), some replicates at a time."""
    for start in range(0, replicates, REPLICATES_AT_ONCE):
        rows = min(REPLICATES_AT_ONCE, replicates - start)
        drawn = rng.integers(n_images, size=(rows, n_images))
        yield np.stack([np.bincount(row, minlength=n_images) for row in drawn]).astype(float)


def _moments(outcomes: Outcomes, weights: np.ndarray) -> Moments:
    touched = (outcomes.net != 0).any(axis=0) | outcomes.broken.any(axis=0)
    if outcomes.events is not None:
        touched |= np.isfinite(outcomes.events)
    share = weights[:, touched]
    gross = share @ outcomes.broken[:, touched].T.astype(float)
    net = share @ outcomes.net[:, touched].T.astype(float)
    gross_events = net_events = None
    if outcomes.events is not None:
        events, signs = outcomes.events[touched], outcomes.signs[touched]
        gross_events = _event_sums(share, events, np.where(signs > 0, 1.0, 0.0), outcomes.eps)
        net_events = _event_sums(share, events, signs, outcomes.eps)
    n_right = weights @ outcomes.was_right.astype(float)
    return Moments(outcomes.eps, outcomes.n_images, n_right, gross, net, gross_events, net_events)


def _event_sums(
    share: np.ndarray, events: np.ndarray, signs: np.ndarray, eps: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    within = (events <= eps[:, None]) * signs
    logs = np.log(np.where(np.isfinite(events), events, 1.0))
    return share @ within.T, share @ (within * logs).T


def _joined_events(parts: list[tuple[np.ndarray, np.ndarray] | None]) -> tuple[np.ndarray, np.ndarray] | None:
    known = [part for part in parts if part is not None]
    if not known:
        return None
    return np.concatenate([part[0] for part in known]), np.concatenate([part[1] for part in known])
