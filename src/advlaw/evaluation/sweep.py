"""A one-step attack over the whole grid of eps: which class every image is given, and where decisions change.

The arrays are those of data/<study>/sweeps/<sweep>/<attack>.npz. Outcomes are kept image by image; errors,
ranges and intervals are derived later (`advlaw.fitting`).
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from advlaw.attacks.draws import Draws
from advlaw.attacks.norms import per_image
from advlaw.attacks.one_step import one_step_direction
from advlaw.attacks.settings import OneStepAttack
from advlaw.core.images import Images
from advlaw.core.io import Arrays
from advlaw.evaluation.batches import in_batches, joined
from advlaw.evaluation.rays import Ray
from advlaw.evaluation.self_checks import FEW, check_clean, check_thresholds
from advlaw.evaluation.threshold import first_crossings, margin
from advlaw.models.classifier import Classifier

ONE_STEP_BATCH = 500  # the rays of a batch stay in the CPU's cache
TOP = 5


@dataclass(frozen=True)
class Randomness:
    """What random numbers of a sweep depend on, with the image: the seed and the names of stage and attack.

    `offset`: where in their split the images begin.
    """

    seed: int
    names: tuple[str, ...]
    offset: int = 0

    def draws(self, batch: slice, *more: str) -> Draws:
        return Draws(self.seed, (*self.names, *more), range(self.offset + batch.start, self.offset + batch.stop))


def grid(eps_min: float, eps_max: float, count: int, norm: str, n_pixels: int) -> np.ndarray:
    """The eps grid (E,) float64: log-spaced; for L2, times the square root of the number of pixels C*H*W."""
    eps = np.geomspace(eps_min, eps_max, count)
    return eps * np.sqrt(n_pixels) if norm == "l2" else eps


def sweep_one_step(
    model: Classifier,
    images: Images | Tensor,
    labels: Tensor,
    attack: OneStepAttack,
    eps: np.ndarray,
    randomness: Randomness,
    batch_size: int = ONE_STEP_BATCH,
) -> Arrays:
    """Images, or (N, C, H, W) float32, and labels (N,) on the model's device; one gradient per image, then forwards.

    The common arrays: eps (E,), label (N,), prediction (E, N), clean_prediction (N,), top5 (E, N) and clean_top5
    (N,): whether the label is among the five largest logits, clean_margin (N,): h_y minus the largest other logit,
    zero_gradient (N,), and not_finite (N,): whether a logit at any eps, or the gradient, is no number; such images are
    counted and nothing is judged on them. Adds threshold (N,), NaN where wrong when clean and inf where never wrong;
    threshold_class (N,), -1 where there is none; recovery (N,), the same for images wrong when clean that become
    right; reflips (N,), further changes on the grid.
    """
    points = torch.cat([torch.zeros(1), torch.from_numpy(eps)]).double().to(images.device)

    def work(batch: slice, here: Tensor) -> Arrays:
        wanted, draws = labels[batch], randomness.draws(batch)
        direction, zero_gradient = one_step_direction(model, here, wanted, attack, draws)
        lost = ~is_finite(direction)
        direction = direction.masked_fill(
            per_image(lost, direction), 0.0
        )  # what they are when clean is known all the same
        ray = Ray(model, here, direction, attack.clip)
        if batch.start == 0:
            check_clean(model, here, ray.logits(0.0, torch.arange(min(FEW, len(here)), device=here.device)))
        found = _ray_outcomes(ray, wanted, points, zero_gradient, lost)
        if batch.start == 0:
            flips = np.fmin(found["threshold"], found["recovery"])  # one of them is NaN
            check_thresholds(model, here, wanted, direction, torch.from_numpy(flips).to(here.device), attack.clip)
        return found

    with torch.no_grad():
        found = joined(in_batches(images, batch_size, work, "sweep"), len(images))
    return {"eps": eps, "label": labels.cpu().numpy(), **found}


def _ray_outcomes(ray: Ray, labels: Tensor, points: Tensor, zero_gradient: Tensor, lost: Tensor) -> Arrays:
    """The arrays of one batch; `lost` (B,) images have no direction, and are not judged."""
    predictions, margins, top5 = [], [], []
    not_finite = lost.clone()
    for point in points.tolist():
        logits = ray.logits(point)
        not_finite |= ~is_finite(logits)
        predictions.append(logits.argmax(dim=1))
        margins.append(margin(logits, labels))
        top5.append(in_top(logits, labels))
    n_classes = logits.shape[1]
    known = torch.where(not_finite, 1.0, torch.stack(margins))  # what is no number does not change either
    crossing, new_class = first_crossings(ray, labels, points, known)
    right = known > 0
    was_right = right[0] & ~not_finite
    n_changes = (right[1:] != right[:-1]).sum(dim=0)
    nan = torch.full_like(crossing, torch.nan)
    return {
        **answers(torch.stack(predictions), torch.stack(top5), margins[0], zero_gradient, not_finite, n_classes),
        "threshold": torch.where(was_right, crossing, nan).cpu().numpy(),
        "threshold_class": narrow(torch.where(was_right, new_class, -1), n_classes),
        "recovery": torch.where(was_right | not_finite, nan, crossing).cpu().numpy(),
        "reflips": narrow((n_changes - 1).clamp_min(0), len(points)),
    }


def in_top(logits: Tensor, labels: Tensor, k: int = TOP) -> Tensor:
    """Whether fewer than k logits exceed the label's, (B, K) and (B,) -> (B,)."""
    return (logits > logits.gather(1, labels[:, None])).sum(dim=1) < k


def is_finite(values: Tensor) -> Tensor:
    """Which images (B,) have numbers alone: of logits (B, K), of pixels (B, C, H, W)."""
    return values.flatten(1).isfinite().all(dim=1)


def answers(
    predictions: Tensor,
    top5: Tensor,
    clean_margin: Tensor,
    zero_gradient: Tensor,
    not_finite: Tensor,
    n_classes: int,
) -> Arrays:
    """The arrays every attack has, of predictions and top-5 outcomes (1 + E, B) that begin with the clean images."""
    return {
        "prediction": narrow(predictions[1:], n_classes),
        "clean_prediction": narrow(predictions[0], n_classes),
        "top5": top5[1:].cpu().numpy(),
        "clean_top5": top5[0].cpu().numpy(),
        "clean_margin": clean_margin.float().cpu().numpy(),
        "zero_gradient": zero_gradient.cpu().numpy(),
        "not_finite": not_finite.cpu().numpy(),
    }


def narrow(values: Tensor, bound: int) -> np.ndarray:
    """Whole numbers below `bound`: int16, or int32 where that is too narrow."""
    return values.cpu().numpy().astype(np.int16 if bound <= 2**15 else np.int32)
