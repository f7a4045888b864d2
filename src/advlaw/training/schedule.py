"""The learning rate over a training."""

import math
from collections.abc import Callable

from advlaw.training.settings import Training

SCHEDULES: dict[str, Callable[[float, int], float]] = {
    "constant": lambda made, epochs: 1.0,
    "cosine": lambda made, epochs: 0.5 * (1.0 + math.cos(math.pi * made)),
    "steps": lambda made, epochs: 0.1 ** ((made >= 0.5) + (made >= 0.75)),
    "exponential": lambda made, epochs: 0.94 ** (made * epochs // 2),
}


def learning_rate(settings: Training, made: float) -> float:
    """The rate after a share `made` of all steps.

    `constant`; `cosine`: half of one down to zero; `steps`: over ten after a half and after three quarters of all steps
    (He et al. 2015); `exponential`: times 0.94 every two epochs (Szegedy et al. 2015, whom Kurakin Sec. 4 follows).
    """
    return settings.learning_rate * SCHEDULES[settings.schedule](made, settings.epochs)
