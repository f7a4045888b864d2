"""The gradient of the loss with respect to the pixels, without underflow.

Cross-entropy's error at the logits is delta = p - onehot(y) (Cubuk Eq. 12). In float32 a confident net rounds p_y
to 1 and delta to 0, which looks like robustness. The attacks here use only the gradient's direction, and
delta / (1 - p_y) has the same one: it is the softmax over the *other* logits minus onehot(y), and never vanishes.
"""

from collections.abc import Callable

import torch
from torch import Tensor

LogitsFn = Callable[[Tensor], Tensor]
ErrorFn = Callable[[Tensor, Tensor], Tensor]


def scale_free_error(logits: Tensor, labels: Tensor) -> Tensor:
    """delta / (1 - p_y) in float64: logits (B, K), labels (B,) -> (B, K), rows summing to 0 with -1 at y."""
    index = labels[:, None]
    others = logits.double().scatter(1, index, -torch.inf)
    return others.softmax(dim=1).scatter(1, index, -1.0)


def naive_error(logits: Tensor, labels: Tensor) -> Tensor:
    """delta = p - onehot(y) in the net's own precision: what attack libraries differentiate."""
    index = labels[:, None]
    return logits.softmax(dim=1).scatter_add(1, index, torch.full_like(logits[:, :1], -1.0))


ERRORS: dict[str, ErrorFn] = {"scale_free": scale_free_error, "naive": naive_error}


def input_gradient(logits_fn: LogitsFn, images: Tensor, labels: Tensor, error: ErrorFn = scale_free_error) -> Tensor:
    """J delta (B, C, H, W): one vector-Jacobian product, image by image (Cubuk Eq. 12).

    With the default error this is the cross-entropy gradient divided by 1 - p_y of each image.
    """
    pixels = images.detach().requires_grad_(True)
    with torch.enable_grad():
        logits = logits_fn(pixels)
        weights = error(logits.detach(), labels).to(logits.dtype)
        (gradient,) = torch.autograd.grad(logits, pixels, grad_outputs=weights)
    return gradient
