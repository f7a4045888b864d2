"""First changes of images under one attack, from first-flip thresholds or from a curve's counts, and their ranges.

A range ends at an eps e0 that the data choose: at a share of the images right when clean. Sizes are eps / e0.
"""

from dataclasses import dataclass

import numpy as np

from advlaw.fitting.outcomes import Outcomes
from advlaw.fitting.sizes import SMALLEST_SIZE, Counted, Exact, Sizes, middles
from advlaw.fitting.thresholds import Thresholds, thresholds

GROSS_SHARES = (0.1, 0.05, 0.02, 0.01)  # where ranges end, of the images right when clean
MOST_GROUPS = 1000


@dataclass(frozen=True)
class Changes:
    """Of N images, which become wrong and which right; all changes up to `eps_last` are known.

    wrong, right: rising eps (n,) of each change; or, with a `grid` of eps (E,), how many there are between the point
    before and this one (E,).
    """

    n_images: int
    n_right: int
    eps_last: float
    wrong: np.ndarray
    right: np.ndarray
    grid: np.ndarray | None = None


@dataclass(frozen=True)
class Range:
    """The changes up to e0: their sizes, and of all of them how many, in each cell or one by one, make an image wrong.

    `sizes` are of changes to wrong alone, `all_sizes` of both kinds; `middle` (c,) are typical sizes of cells, or each
    one's own, and wrong, right (c,) how many there are of each kind.
    """

    e0: float
    sizes: Sizes
    all_sizes: Sizes
    middle: np.ndarray
    wrong: np.ndarray
    right: np.ndarray

    @property
    def n_net(self) -> int:
        return int(self.wrong.sum() - self.right.sum())


def of_thresholds(found: Thresholds) -> Changes:
    """Of the committed first changes of a curve."""
    eps, change = found.eps.astype(float), found.change
    counts = found.n_images, found.n_right, found.eps_last
    if not found.is_on_grid:
        return Changes(*counts, eps[change > 0], eps[change < 0])
    grid, place = np.unique(eps, return_inverse=True)
    wrong, right = (np.bincount(place, np.maximum(sign * change, 0)) for sign in (1, -1))
    return Changes(*counts, wrong, right, grid)


def of_outcomes(found: Outcomes) -> Changes:
    """Of every image's outcomes."""
    return of_thresholds(thresholds(found))


def of_curve(n_images: int, n_right: int, eps: np.ndarray, gross: np.ndarray, net: np.ndarray) -> Changes:
    """Of counts (E,) of gross and net errors at a grid of eps: what is not broken of the former counts as repaired."""
    broken, repaired = np.maximum.accumulate(gross), np.maximum.accumulate(gross - net)
    wrong, right = (np.diff(total, prepend=0.0) for total in (broken, repaired))
    return Changes(n_images, n_right, float(eps[-1]), wrong, right, eps)


def up_to(changes: Changes, share: float, of_net: bool) -> Range | None:
    """The changes up to where this share of the images right when clean are wrong: ever, or of net errors in balance.

    Up to `eps_last` where the curve does not get so far; None where the first cell of a grid is beyond it.
    """
    limit = share * changes.n_right
    return _on_grid(changes, limit, of_net) if changes.grid is not None else _exact(changes, limit, of_net)


def _exact(changes: Changes, limit: float, of_net: bool) -> Range:
    wrong, right = changes.wrong, changes.right
    eps = np.concatenate([wrong, right])
    order = np.argsort(eps, kind="stable")
    steps = np.concatenate([np.ones(len(wrong)), (-1.0 if of_net else 0.0) * np.ones(len(right))])[order]
    beyond = np.flatnonzero(np.cumsum(steps) > limit)
    e0 = float(eps[order[beyond[0]]]) if len(beyond) else changes.eps_last
    is_wrong = np.concatenate([np.ones(len(wrong), bool), np.zeros(len(right), bool)])
    inside = (eps < e0 if len(beyond) else eps <= e0) & (eps > SMALLEST_SIZE * e0)
    u, kind = eps[inside] / e0, is_wrong[inside]
    return Range(e0, Exact(u[kind]), Exact(u), *_grouped(u, kind))


def _grouped(u: np.ndarray, is_wrong: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sizes (n,) in MOST_GROUPS of nearly equal ones at most: their geometric means, and how many are of each kind."""
    if len(u) == 0:
        return u, u, u
    order = np.argsort(u, kind="stable")
    starts = np.unique(np.linspace(0, len(u), MOST_GROUPS, endpoint=False).astype(int))
    size = np.diff(starts, append=len(u))
    wrong = np.add.reduceat(is_wrong[order].astype(float), starts)
    return np.exp(np.add.reduceat(np.log(u[order]), starts) / size), wrong, size - wrong


def _on_grid(changes: Changes, limit: float, of_net: bool) -> Range | None:
    assert changes.grid is not None
    errors = np.cumsum(changes.wrong - changes.right if of_net else changes.wrong)
    beyond = np.flatnonzero(errors > limit)
    n_cells = int(beyond[0]) if len(beyond) else len(changes.grid)
    if n_cells == 0:
        return None
    e0 = float(changes.grid[n_cells - 1])
    edges = np.concatenate([[0.0], changes.grid[:n_cells] / e0])
    wrong, right = changes.wrong[:n_cells], changes.right[:n_cells]
    return Range(e0, Counted(edges, wrong), Counted(edges, wrong + right), middles(edges), wrong, right)
