"""The Square attack in L-infinity (Andriushchenko et al. 2020): random search in squares, with logits alone.

Where we differ: squares reach every border; a square that would change nothing has its signs turned (the authors'
program draws them anew, which for one channel is the same); an image is left alone once it is fooled.
"""

import math

import numpy as np
import torch
from torch import Tensor

from advlaw.attacks.draws import Draws
from advlaw.attacks.gradient import LogitsFn, logit_gap, runner_up
from advlaw.attacks.settings import Square

HALVED_AT = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)  # of 10,000 squares, as in the authors' program


def perturbed(logits_fn: LogitsFn, images: Tensor, labels: Tensor, eps: float, attack: Square, draws: Draws) -> Tensor:
    """Adversarial images (B, C, H, W) within eps (pixel units) of `images`, after `attack.queries` perturbed ones.

    The first has vertical stripes, the others a square more each; it stays if it lowers the margin
    h_y - max over j != y of h_j. An image ends where it is first fooled, on the clean image if that is wrong.
    """
    sides = square_sides(attack, *images.shape[2:])
    stripes, corners, signs = (values.to(images.device) for values in _random(draws, images.shape, sides))
    best = images.clone()
    lowest = torch.full((len(images),), torch.inf, dtype=torch.float64, device=images.device)
    with torch.no_grad():
        row = torch.nonzero(logits_fn(images).argmax(dim=1) == labels)[:, 0]
        for query in range(attack.queries):
            if len(row) == 0:
                break
            if query == 0:
                candidate = _moved(images[row], eps, stripes[row], attack.clip)
            else:
                side, corner, sign = sides[query - 1], corners[row, query - 1], signs[row, query - 1]
                candidate = _with_square(best[row], images[row], eps, corner, side, sign, attack.clip)
            logits, label = logits_fn(candidate), labels[row]
            margin = logit_gap(logits, label, runner_up(logits, label))
            fooled = (logits.argmax(dim=1) != label) | ~logits.isfinite().all(dim=1)  # both end the search
            better = fooled | (margin < lowest[row])
            best[row[better]], lowest[row[better]] = candidate[better], margin[better]
            row = row[~fooled]
    return best


def square_sides(attack: Square, height: int, width: int) -> list[int]:
    """The side of each square (Q - 1): `share` of the pixels, halved at the set parts of the budget."""
    sides = []
    for square in range(attack.queries - 1):
        halvings = sum(square * 10_000 // attack.queries > at for at in HALVED_AT)
        side = round(math.sqrt(attack.share / 2**halvings * height * width))
        sides.append(min(max(side, 1), height, width))
    return sides


def _random(draws: Draws, shape: tuple[int, ...], sides: list[int]) -> tuple[Tensor, Tensor, Tensor]:
    """Of every image: stripes (B, C, 1, W), upper left corners (B, Q - 1, 2) and signs (B, Q - 1, C) of its squares."""
    _, channels, height, width = shape
    side = np.array(sides, dtype=np.int64)[:, None]
    room = np.array([height, width]) - side + 1
    stripes, corners, signs = [], [], []
    for rng in draws.generators("square"):
        stripes.append(_signs(rng, (channels, 1, width)))
        corners.append(rng.integers(room).astype(np.int16))
        signs.append(_signs(rng, (len(sides), channels)))
    return _stacked(stripes), _stacked(corners), _stacked(signs)


def _signs(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return 2 * rng.integers(2, size=shape, dtype=np.int8) - 1


def _stacked(values: list[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(values))


def _with_square(
    best: Tensor, images: Tensor, eps: float, corner: Tensor, side: int, sign: Tensor, clip: bool
) -> Tensor:
    """`best` (A, C, H, W) where a square at `corner` (A, 2) is moved by eps times `sign` (A, C) from the image."""
    rows = _covered(corner[:, 0], side, best.shape[2])
    columns = _covered(corner[:, 1], side, best.shape[3])
    inside = rows[:, None, :, None] & columns[:, None, None, :]
    sign = sign[:, :, None, None]
    candidate = torch.where(inside, _moved(images, eps, sign, clip), best)
    same = (candidate == best).flatten(1).all(dim=1)
    if same.any():
        candidate[same] = torch.where(inside[same], _moved(images[same], eps, -sign[same], clip), best[same])
    return candidate


def _covered(first: Tensor, side: int, length: int) -> Tensor:
    """Which of `length` places the square covers, (A,) -> (A, length) bool."""
    place = torch.arange(length, device=first.device)
    return (first[:, None] <= place) & (place < first[:, None] + side)


def _moved(images: Tensor, eps: float, sign: Tensor, clip: bool) -> Tensor:
    moved = images + eps * sign.to(images.dtype)
    return moved.clamp(0.0, 255.0) if clip else moved
