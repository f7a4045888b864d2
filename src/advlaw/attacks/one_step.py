"""One-step attacks: images + eps * direction, with one direction per image whatever eps.

The methods of Kurakin App. A. Those that follow a gradient differ in whose loss it is of and in its normalisation:
FGSM (Cubuk Eq. 1), FGSM-pred, fast entropy, fast grad. L2 (Cubuk Eq. 3) and L-infinity, step l.l. (Cubuk Eq. 2) and
step rnd.; the two kinds of noise follow none.
"""

import torch
from torch import Tensor

from advlaw.attacks.draws import NOISE, Draws
from advlaw.attacks.gradient import LogitsFn, error_at_logits, input_gradient
from advlaw.attacks.norms import DIRECTIONS, largest, per_image
from advlaw.attacks.settings import OneStepAttack
from advlaw.attacks.targets import chosen_target


def one_step_direction(
    logits_fn: LogitsFn, images: Tensor, labels: Tensor, attack: OneStepAttack, draws: Draws | None = None
) -> tuple[Tensor, Tensor]:
    """Direction (B, C, H, W) within the unit ball, and which images have none, zero_gradient (B,) bool.

    images (B, C, H, W) in pixel units, labels (B,). An image without a gradient gets a zero direction. Noise and
    random targets need `draws`.
    """
    whose = attack.target
    if whose is None:
        assert draws is not None, "noise needs draws"
        noise = NOISE[attack.direction](draws, tuple(images.shape[1:])).to(images)
        return noise, torch.zeros(len(images), dtype=torch.bool, device=images.device)

    def error(logits: Tensor, labels: Tensor) -> Tensor:
        target, sign = chosen_target(whose, logits, labels, draws)
        return sign * error_at_logits(whose, attack.gradient)(logits, target)

    gradient = input_gradient(logits_fn, images, labels, error)
    return DIRECTIONS[attack.direction](gradient), largest(gradient) == 0


def perturbed(
    logits_fn: LogitsFn,
    images: Tensor,
    labels: Tensor,
    eps: float | Tensor,
    attack: OneStepAttack,
    draws: Draws | None = None,
) -> Tensor:
    """Adversarial images (B, C, H, W) at one eps, or at an eps (B,) for each image."""
    direction, _ = one_step_direction(logits_fn, images, labels, attack, draws)
    moved = images + per_image(eps, images) * direction
    return moved.clamp(0.0, 255.0) if attack.clip else moved
