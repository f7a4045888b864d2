"""What of a curve is enough to fit its exponent again: the eps of images' first changes, up to a fifth of errors."""

import math
from dataclasses import dataclass

import numpy as np

from advlaw.fitting.outcomes import Outcomes

KEPT = 0.2  # share of all images: no fit of a law as eps -> 0 looks at larger gross errors


@dataclass(frozen=True)
class Thresholds:
    """First changes of N images under one attack, all of them up to `eps_last`.

    eps (n,) rising, float32; change (n,): +1 where an image right when clean becomes wrong, -1 where one that is wrong
    becomes right. For iterative attacks (`is_on_grid`) eps are points of the grid, each once or twice, and change is
    how many images do so between the point before and this one, the number of those that become right negative.
    """

    n_images: int
    n_right: int
    eps_last: float
    is_on_grid: bool
    eps: np.ndarray
    change: np.ndarray

    def count(self, sign: int) -> int:
        """How many images become wrong (`sign` 1), or right (-1)."""
        return int(np.maximum(sign * self.change, 0).sum())


def thresholds(outcomes: Outcomes) -> Thresholds:
    """The first changes up to the eps at which KEPT of all images have become wrong, or else to the grid's end."""
    n_kept = math.ceil(KEPT * outcomes.n_images)
    found = _on_grid(outcomes, n_kept) if outcomes.events is None else _of_each_image(outcomes, n_kept)
    eps_last, eps, change = found
    n_right = int(outcomes.was_right.sum())
    return Thresholds(outcomes.n_images, n_right, eps_last, outcomes.events is None, eps, change)


def _of_each_image(outcomes: Outcomes, n_kept: int) -> tuple[float, np.ndarray, np.ndarray]:
    assert outcomes.events is not None
    events = outcomes.events.astype(np.float32)
    becomes_wrong = np.sort(events[outcomes.was_right & np.isfinite(events)])
    last = becomes_wrong[n_kept - 1] if len(becomes_wrong) >= n_kept else np.float32(outcomes.eps[-1])
    order = np.argsort(events, kind="stable")
    order = order[events[order] <= last]  # NaN and inf are not
    return float(last), events[order], outcomes.signs[order].astype(int)


def _on_grid(outcomes: Outcomes, n_kept: int) -> tuple[float, np.ndarray, np.ndarray]:
    """A row for those that become wrong at each point, be it none, and one for those that become right, if any do."""
    is_right = ~outcomes.was_right & (outcomes.net < 0)
    becomes_wrong = np.diff(outcomes.broken.sum(axis=1), prepend=0)
    becomes_right = np.diff(np.logical_or.accumulate(is_right, axis=0).sum(axis=1), prepend=0)
    is_reached = becomes_wrong.cumsum() >= n_kept
    n_points = int(is_reached.argmax()) + 1 if is_reached.any() else len(outcomes.eps)
    eps = np.repeat(outcomes.eps[:n_points].astype(np.float32), 2)
    change = np.stack([becomes_wrong, -becomes_right], axis=1)[:n_points].ravel()
    is_kept = (change != 0) | (np.arange(len(change)) % 2 == 0)
    return float(eps[-1]), eps[is_kept], change[is_kept]
