"""The eps at which a decision changes along a ray, refined from a bracket."""

from collections.abc import Callable

import torch
from torch import Tensor

from advlaw.evaluation.rays import Ray

RELATIVE_TOLERANCE = 1e-4
MAX_EVALUATIONS = 100
MarginFn = Callable[[Tensor, Tensor], Tensor]


def margin(logits: Tensor, labels: Tensor) -> Tensor:
    """h_y - max over j != y of h_j, (B, K) and (B,) -> (B,): positive where the answer is right.

    At an exact tie it is the smallest positive or negative number, as argmax decides.
    """
    index = labels[:, None]
    others = logits.scatter(1, index, -torch.inf).amax(dim=1)
    difference = logits.gather(1, index)[:, 0] - others
    tie = torch.where(logits.argmax(dim=1) == labels, 1e-30, -1e-30).to(difference.dtype)
    return torch.where(difference == 0, tie, difference)


def refine(value: MarginFn, low: Tensor, high: Tensor, at_low: Tensor, at_high: Tensor) -> Tensor:
    """The upper end (R,) of brackets [low, high] shrunk to 1e-4 of their upper end around a change of sign.

    `value(eps, rows)` gives the margins of some rows; `at_low` and `at_high` (R,) have opposite signs. False
    position, stepping a little over the root so that both ends close in, and a bisection every third time so that
    the worst case is bounded.
    """
    low, high, at_low, at_high = (tensor.double().clone() for tensor in (low, high, at_low, at_high))
    over = torch.ones_like(low)
    for evaluation in range(MAX_EVALUATIONS):
        rows = torch.nonzero(high - low > RELATIVE_TOLERANCE * high)[:, 0]
        if len(rows) == 0:
            break
        a, b, fa, fb = low[rows], high[rows], at_low[rows], at_high[rows]
        nudge = 0.4 * RELATIVE_TOLERANCE * b
        guess = b - fb * (b - a) / (fb - fa) + over[rows] * nudge
        inner = torch.minimum(nudge, 0.25 * (b - a))
        eps = 0.5 * (a + b) if evaluation % 3 == 2 else torch.clamp(guess, a + inner, b - inner)
        found = value(eps, rows).double()
        changed = (found > 0) == (fb > 0)
        high[rows], at_high[rows] = torch.where(changed, eps, b), torch.where(changed, found, fb)
        low[rows], at_low[rows] = torch.where(changed, a, eps), torch.where(changed, fa, found)
        over[rows] = torch.where(changed, -1.0, 1.0).double()
    return high


def first_crossings(ray: Ray, labels: Tensor, eps: Tensor, margins: Tensor) -> tuple[Tensor, Tensor]:
    """First change of correctness along each ray: eps (B,) float64 and the class (B,) that the label meets there.

    eps (G,) begins with 0 and goes up, margins (G, B) are the margins there. Infinite and -1 where correctness
    never changes on the grid. A pair of changes between two grid points is not seen.
    """
    right = margins > 0
    changes = right != right[0]
    has_changed = changes.any(dim=0)
    crossing = torch.full(has_changed.shape, torch.inf, dtype=torch.float64, device=eps.device)
    new_class = torch.full(has_changed.shape, -1, dtype=torch.int64, device=eps.device)
    images = torch.nonzero(has_changed)[:, 0]
    if len(images) == 0:
        return crossing, new_class
    after = changes.int().argmax(dim=0)[images]

    def value(at: Tensor, rows: Tensor) -> Tensor:
        chosen = images[rows]
        return margin(ray.logits(at.to(ray.images.dtype), chosen), labels[chosen])

    crossing[images] = refine(value, eps[after - 1], eps[after], margins[after - 1, images], margins[after, images])
    there = ray.logits(crossing[images].to(ray.images.dtype), images)
    new_class[images] = there.scatter(1, labels[images, None], -torch.inf).argmax(dim=1)
    return crossing, new_class
