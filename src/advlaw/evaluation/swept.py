"""Any attack over the whole grid of eps."""

import importlib
import math

from torch import Tensor

from advlaw.attacks.settings import Attack, Grid, OneStepAttack
from advlaw.core.images import Images
from advlaw.core.io import Arrays
from advlaw.evaluation.each_eps import sweep_each_eps
from advlaw.evaluation.sweep import Randomness, grid, sweep_one_step
from advlaw.models.classifier import Classifier


def swept(
    model: Classifier,
    images: Images | Tensor,
    labels: Tensor,
    family: str,
    attack: Attack,
    points: Grid,
    randomness: Randomness,
) -> Arrays:
    """What `sweep_one_step` or `sweep_each_eps` finds; the latter takes `perturbed` of advlaw.attacks.<family>."""
    eps = grid(points.eps_min, points.eps_max, points.count, attack.norm, math.prod(images.shape[-3:]))
    if isinstance(attack, OneStepAttack):
        return sweep_one_step(model, images, labels, attack, eps, randomness)
    perturb = importlib.import_module(f"advlaw.attacks.{family}").perturbed
    return sweep_each_eps(model, images, labels, attack, perturb, eps, randomness)
