"""One net's logits, their response to attacks, and the eps at which decisions really change."""

import copy

import numpy as np
import torch
from torch import Tensor

from advlaw.attacks.draws import Draws
from advlaw.attacks.one_step import one_step_direction
from advlaw.attacks.settings import OneStepAttack
from advlaw.core.images import Images
from advlaw.core.io import Arrays
from advlaw.evaluation.batches import in_batches, joined
from advlaw.evaluation.sweep import Randomness, sweep_one_step
from advlaw.models.classifier import Classifier
from advlaw.theory.response import logit_response, residuals
from advlaw.theory.settings import Rays

BATCH = 100  # differentiating a CNN twice takes memory
EXACT_BATCH = 25  # in float64 more so
RESIDUAL_DECADES = 3
L2 = OneStepAttack(direction="l2", target="true_label", clip=False)


def measure_logits(model: Classifier, images: Images | Tensor) -> np.ndarray:
    """Clean logits (N, K) of Images, or of (N, C, H, W) float32, as all that follow take."""

    def work(batch: slice, here: Tensor) -> Arrays:
        return {"logits": model(here).cpu().numpy()}

    with torch.no_grad():
        return joined(in_batches(images, BATCH, work, "logits"), len(images), first=["logits"])["logits"]


def measure_response(
    model: Classifier,
    images: Images | Tensor,
    labels: Tensor,
    attack: OneStepAttack,
    eps: np.ndarray,
    randomness: Randomness,
) -> Arrays:
    """gamma (N, K), and zero_gradient, not_finite, threshold, threshold_class, recovery (N,) as in a sweep.

    Those on the grid eps (E,). An image whose gamma is no number is `not_finite` too.
    """

    def work(batch: slice, here: Tensor) -> Arrays:
        direction, _ = one_step_direction(model, here, labels[batch], attack, randomness.draws(batch))
        return {"gamma": logit_response(model, here, direction)[1].cpu().numpy()}

    found = joined(in_batches(images, BATCH, work, "response"), len(images), first=["gamma"])
    swept = sweep_one_step(model, images, labels, attack, eps, randomness, BATCH)
    kept = ("zero_gradient", "not_finite", "threshold", "threshold_class", "recovery")
    found |= {name: swept[name] for name in kept}
    found["not_finite"] |= ~np.isfinite(found["gamma"]).all(axis=1)
    return found


def follow_rays(
    model: Classifier, images: Images | Tensor, labels: Tensor, threshold: np.ndarray, eps: np.ndarray, rays: Rays
) -> Arrays:
    """Logits along L2 rays, in float64 (Cubuk Fig. 3a), and how far they are from their linear response.

    Of the images that flip, the `rays.followed` (n,) at even quantiles of the measured `threshold` (N,): image (n,),
    eps (1 + E,) from 0, logits (1 + E, n, K) and gamma (n, K). Of the first `rays.residual` images (m,) that are right:
    residual (R, m) at residual_eps (R,), a grid that begins three decades lower, where float32 would show rounding.
    """
    chosen = at_quantiles(threshold, rays.followed)
    points = np.concatenate([[0.0], eps])
    one = images[:1]
    gamma = one.new_zeros(0, model(one).shape[1])  # nothing flips, nothing is followed
    logits = gamma.expand(len(points), *gamma.shape)
    if len(chosen):
        exact, pixels, direction = _exact_rays(model, images[chosen], labels[chosen])
        with torch.no_grad():
            logits = torch.stack([exact(pixels + e * direction) for e in points.tolist()])
        gamma = logit_response(exact, pixels, direction)[1]
    lower = np.geomspace(eps[0] / 10**RESIDUAL_DECADES, eps[-1], len(eps) + 10 * RESIDUAL_DECADES)
    some = np.flatnonzero(~np.isnan(threshold))[: rays.residual]

    def work(batch: slice, here: Tensor) -> Tensor:
        return residuals(*_exact_rays(model, here, labels[some[batch]]), lower.tolist())

    residual = one.new_zeros(len(lower), 0)
    if len(some):
        residual = torch.cat(list(in_batches(images[some], EXACT_BATCH, work, "residuals")), dim=1)
    return {
        "eps": points,
        "image": chosen,
        "logits": logits.cpu().numpy(),
        "gamma": gamma.cpu().numpy(),
        "residual_eps": lower,
        "residual": residual.cpu().numpy(),
    }


def at_quantiles(thresholds: np.ndarray, count: int) -> np.ndarray:
    """Indices (n,) of `count` images spread evenly over the ranks of the finite `thresholds` (N,), fewer if need be."""
    order = np.argsort(np.where(np.isfinite(thresholds), thresholds, np.inf), kind="stable")
    finite = int(np.isfinite(thresholds).sum())
    ranks = ((np.arange(count) + 0.5) / count * finite).astype(int)
    return order[np.unique(ranks[ranks < finite])]


def _exact_rays(model: Classifier, images: Tensor, labels: Tensor) -> tuple[Classifier, Tensor, Tensor]:
    """The net in float64, and the images with their L2 directions."""
    exact, pixels = copy.deepcopy(model).double(), images.double()
    direction, _ = one_step_direction(exact, pixels, labels, L2, Draws(0, (), range(0)))
    return exact, pixels, direction
