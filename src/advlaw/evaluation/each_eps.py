"""Attacks that run anew at every eps (PGD, APGD, Square) over the whole grid, in the arrays of `evaluation.sweep`."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from advlaw.attacks.draws import Draws
from advlaw.attacks.norms import per_image
from advlaw.attacks.one_step import one_step_direction
from advlaw.attacks.settings import AtEachEps, Gradient, OneStepAttack, Square
from advlaw.core.images import Images
from advlaw.core.io import Arrays
from advlaw.evaluation.batches import in_batches, joined
from advlaw.evaluation.self_checks import FEW, check_clean
from advlaw.evaluation.sweep import Randomness, answers, in_top, is_finite
from advlaw.evaluation.threshold import margin
from advlaw.models.classifier import Classifier

BATCH = 2000  # fewer, larger steps: half the time of 500 on small nets
Perturb = Callable[..., Tensor]  # (logits_fn, images, labels, eps, attack, draws) -> adversarial images


def sweep_each_eps(
    model: Classifier,
    images: Images | Tensor,
    labels: Tensor,
    attack: AtEachEps,
    perturb: Perturb,
    eps: np.ndarray,
    randomness: Randomness,
    batch_size: int = BATCH,
) -> Arrays:
    """Images, or (N, C, H, W) float32, and labels (N,) on the model's device; `perturb` is that of the attack's family.

    Of several restarts the worst counts: an image is wrong if any of them makes it wrong, and top5 is of that one.
    Adds to the common arrays: bracket (N, 2), the eps between which an image becomes wrong; (last, inf) where it
    never does, NaN where it is wrong when clean.
    """

    def work(batch: slice, here: Tensor) -> Arrays:
        wanted = labels[batch]
        draws = [randomness.draws(batch, str(restart)) for restart in range(attack.restarts)]
        if batch.start == 0:
            check_clean(model, here, unmoved(model, here[:FEW], wanted[:FEW], attack, perturb, randomness))
        logits = [model(here), *(worst(model, here, wanted, float(e), attack, perturb, draws)[1] for e in eps)]
        predictions = torch.stack([found.argmax(dim=1) for found in logits])
        top5 = torch.stack([in_top(found, wanted) for found in logits])
        not_finite = ~torch.stack([is_finite(found) for found in logits]).all(dim=0)
        right = (predictions == wanted) | not_finite
        zero_gradient = _zero_gradient(model, here, wanted, attack, draws[0])
        clean_margin, n_classes = margin(logits[0], wanted), logits[0].shape[1]
        return {
            **answers(predictions, top5, clean_margin, zero_gradient, not_finite, n_classes),
            "bracket": _brackets(~right[1:], right[0] & ~not_finite, eps),
        }

    with torch.no_grad():
        found = joined(in_batches(images, batch_size, work, "sweep"), len(images), first=["bracket"])
    return {"eps": eps, "label": labels.cpu().numpy(), **found}


def worst(
    model: Classifier,
    images: Tensor,
    labels: Tensor,
    eps: float,
    attack: AtEachEps,
    perturb: Perturb,
    draws: list[Draws],
) -> tuple[Tensor, Tensor]:
    """Adversarial images (B, C, H, W), and logits (B, K) of them, none a number where the attack's pixels are none.

    Of the restarts, each with its `draws`, the first that makes an image wrong; else one without numbers, else any.
    """
    moved = perturb(model, images, labels, eps, attack, draws[0])
    logits = answer(model, moved)
    for restart in draws[1:]:
        other = perturb(model, images, labels, eps, attack, restart)
        again = answer(model, other)
        is_better = _is_wrong(again, labels) | (is_finite(logits) & ~is_finite(again))
        is_better &= ~_is_wrong(logits, labels)
        moved = torch.where(per_image(is_better, moved), other, moved)
        logits = torch.where(is_better[:, None], again, logits)
    return moved, logits


def _is_wrong(logits: Tensor, labels: Tensor) -> Tensor:
    """Which images (B,) are wrong, by numbers."""
    return (logits.argmax(dim=1) != labels) & is_finite(logits)


def answer(model: Classifier, images: Tensor) -> Tensor:
    """Logits (B, K), none of them a number where the attack's pixels are none."""
    return torch.where(is_finite(images)[:, None], model(images), torch.nan)


def unmoved(
    model: Classifier, images: Tensor, labels: Tensor, attack: AtEachEps, perturb: Perturb, randomness: Randomness
) -> Tensor:
    """Logits (B, K) after two steps of the attack at eps = 0."""
    short = attack.model_copy(
        update={key: 2 for key in ("steps", "queries") if isinstance(getattr(attack, key, None), int)}
    )
    return model(perturb(model, images, labels, 0.0, short, randomness.draws(slice(0, len(images)), "0")))


def _zero_gradient(model: Classifier, images: Tensor, labels: Tensor, attack: AtEachEps, draws: Draws) -> Tensor:
    """Which clean images (B,) have no gradient to follow; none under an attack that follows no gradient."""
    if isinstance(attack, Square):
        return torch.zeros(len(images), dtype=torch.bool, device=images.device)
    gradient: Gradient = getattr(attack, "gradient", "scale_free")
    first_step = OneStepAttack(direction="sign", target=attack.target, clip=False, gradient=gradient)
    return one_step_direction(model, images, labels, first_step, draws)[1]


def _brackets(wrong: Tensor, was_right: Tensor, eps: np.ndarray) -> np.ndarray:
    """wrong (E, B) -> the grid interval (B, 2) in which each image first becomes wrong."""
    edges = np.concatenate([[0.0], eps, [np.inf]])
    found = wrong.cpu().numpy()
    first = np.where(found.any(axis=0), found.argmax(axis=0), len(eps))
    bracket = np.stack([edges[first], edges[first + 1]], axis=1)
    bracket[~was_right.cpu().numpy()] = np.nan
    return bracket
