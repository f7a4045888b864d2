"""How long a net takes for an image, measured on a few: from which the time of a sweep, or of a response, follows."""

import copy
import time
from collections.abc import Callable

import torch
from torch import Tensor

from advlaw.attacks.draws import Draws
from advlaw.attacks.one_step import one_step_direction
from advlaw.core.images import Examples
from advlaw.evaluation.response import L2
from advlaw.models.classifier import Classifier
from advlaw.theory.response import logit_response

FIRST = {True: 8, False: 2}  # images, by whether they are small
ROUNDS = 2  # of which the faster counts


def of_attacks(model: Classifier, few: Examples) -> dict[str, float]:
    """Seconds of a forward pass, and of an attack's gradient, for an image."""
    pixels, labels = few.images[:], few.labels
    return {
        "forward": _seconds(lambda: model(pixels), len(labels)),
        "gradient": _seconds(lambda: _direction(model, pixels, labels), len(labels)),
    }


def of_response(model: Classifier, few: Examples) -> dict[str, float]:
    """Those, of the linear response of logits, and in double precision of a forward pass and of that response."""
    pixels, labels = few.images[:], few.labels
    direction, exact = _direction(model, pixels, labels), copy.deepcopy(model).double()
    doubled = [value.double() for value in (pixels, direction)]
    return {
        **of_attacks(model, few),
        "response": _seconds(lambda: logit_response(model, pixels, direction)[1], len(labels)),
        "exact_forward": _seconds(lambda: exact(doubled[0]), len(labels)),
        "exact_response": _seconds(lambda: logit_response(exact, *doubled)[1], len(labels)),
    }


def _direction(model: Classifier, pixels: Tensor, labels: Tensor) -> Tensor:
    return one_step_direction(model, pixels, labels, L2, Draws(0, (), range(0)))[0]


def _seconds(compute: Callable[[], Tensor], n_images: int) -> float:
    found = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        with torch.no_grad():
            compute().cpu()  # which waits for a GPU
        found.append(time.perf_counter() - start)
    return min(found) / n_images
