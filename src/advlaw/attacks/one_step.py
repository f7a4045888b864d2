"""One-step attacks: images + eps * direction, with one direction per image whatever eps.

FGSM (Cubuk Eq. 1), L2 FGSM (Cubuk Eq. 3), step l.l. (Cubuk Eq. 2) and FGSM with the predicted label (Kurakin
App. A) differ in the target and the normalisation only.
"""

import torch
from torch import Tensor

from advlaw.attacks.gradient import ERRORS, LogitsFn, input_gradient
from advlaw.attacks.norms import largest, steepest
from advlaw.attacks.targets import chosen_target
from advlaw.config.attack import OneStepAttack


def one_step_direction(
    logits_fn: LogitsFn, images: Tensor, labels: Tensor, attack: OneStepAttack
) -> tuple[Tensor, Tensor]:
    """Direction (B, C, H, W) of unit norm, and which images have none, zero_gradient (B,) bool.

    images (B, C, H, W) in pixel units, labels (B,). An image without a gradient gets a zero direction.
    """
    with torch.no_grad():
        logits = logits_fn(images)
    target, sign = chosen_target(attack.target, logits, labels)
    gradient = input_gradient(logits_fn, images, target, ERRORS[attack.gradient])
    return sign * steepest(gradient, attack.norm), largest(gradient) == 0
