"""Projected gradient descent in L-infinity and L2 (Madry et al. 2017; Cubuk Fig. 2c, Sec. 4).

Kurakin's basic iterative method and iter. l.l. (Sec. 2.2) are PGD with steps of one pixel unit (alpha = 1), as many
as `steps: from_eps` says, up the loss of the true label or down that of the least likely one. Up to eps = 1 the first
step reaches the ball's surface, so there they are FGSM and step l.l.
"""

import torch
from torch import Tensor

from advlaw.attacks.draws import Draws, unit_ball
from advlaw.attacks.gradient import LogitsFn, error_at_logits, input_gradient
from advlaw.attacks.norms import per_image, project, steepest
from advlaw.attacks.settings import IterativeAttack
from advlaw.attacks.targets import chosen_target


def pgd(
    logits_fn: LogitsFn,
    images: Tensor,
    labels: Tensor,
    eps: float | Tensor,
    attack: IterativeAttack,
    start: Tensor | None = None,
    draws: Draws | None = None,
) -> Tensor:
    """Adversarial images (B, C, H, W) within eps of `images`, after `attack.n_steps(eps)` steps.

    eps is one for all, or (B,). Starts at the image, or at `start` (B, C, H, W) in the unit ball times eps. Whose loss
    is followed is chosen on the clean image. An image whose perturbation repeats exactly (a fixed point, or a cycle of
    two) gets its final value without further steps.
    """
    with torch.no_grad():
        logits = logits_fn(images)
    target, sign = chosen_target(attack.target, logits, labels, draws)
    error = error_at_logits(attack.target, attack.gradient)
    here = images
    current = torch.zeros_like(images) if start is None else _within(per_image(eps, start) * start, images, eps, attack)
    before = torch.full_like(current, torch.nan)
    final = torch.empty_like(current)
    active = torch.arange(len(images), device=images.device)
    left = _steps(eps, attack, len(images)).to(images.device)
    while len(active) > 0:
        gradient = input_gradient(logits_fn, here + current, target, error)
        step = per_image(attack.step(eps), gradient)
        moved = _within(current + sign * step * steepest(gradient, attack.norm), here, eps, attack)
        left = left - 1
        is_cycle = _equal(moved, before)
        done = _equal(moved, current) | is_cycle | (left == 0)
        if done.any():
            ends_before = per_image(is_cycle & (left % 2 == 1), moved)
            final[active[done]] = torch.where(ends_before, current, moved)[done]
            active, here, target, left = active[~done], here[~done], target[~done], left[~done]
            moved, current = moved[~done], current[~done]
            eps = eps[~done] if isinstance(eps, Tensor) else eps
        before, current = current, moved
    return images + final


def perturbed(
    logits_fn: LogitsFn, images: Tensor, labels: Tensor, eps: float | Tensor, attack: IterativeAttack, draws: Draws
) -> Tensor:
    """`pgd` from where the attack says it starts; random numbers are those of `draws`."""
    start = unit_ball(draws, tuple(images.shape[1:]), attack.norm).to(images) if attack.random_start else None
    return pgd(logits_fn, images, labels, eps, attack, start, draws)


def _steps(eps: float | Tensor, attack: IterativeAttack, n_images: int) -> Tensor:
    """The number of steps of every image (B,)."""
    sizes = eps.tolist() if isinstance(eps, Tensor) else [eps]
    return torch.tensor([attack.n_steps(size) for size in sizes]).expand(n_images)


def _within(perturbation: Tensor, images: Tensor, eps: float | Tensor, attack: IterativeAttack) -> Tensor:
    """Inside the eps-ball and, where the attack clips, inside [0, 255]."""
    perturbation = project(perturbation, eps, attack.norm)
    return (images + perturbation).clamp(0.0, 255.0) - images if attack.clip else perturbation


def _equal(a: Tensor, b: Tensor) -> Tensor:
    return (a == b).flatten(1).all(dim=1)
