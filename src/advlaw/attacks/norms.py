"""What differs between attacks in L-infinity and in L2: the steepest unit step, and the ball."""

from collections.abc import Callable
from typing import Literal

from torch import Tensor

Norm = Literal["linf", "l2"]


def per_image(values: Tensor, like: Tensor) -> Tensor:
    """(B,) reshaped to broadcast over images (B, C, H, W)."""
    return values.view(-1, *[1] * (like.dim() - 1))


def largest(gradient: Tensor) -> Tensor:
    """The largest absolute entry of every image (B,)."""
    return gradient.flatten(1).abs().amax(dim=1)


def over_largest(gradient: Tensor) -> Tensor:
    """The gradient over its L-infinity norm, image by image; zero where it is zero."""
    scale = largest(gradient)
    return gradient / per_image(scale.where(scale > 0, 1.0), gradient)


def over_length(gradient: Tensor) -> Tensor:
    """The gradient over its L2 norm, image by image; exact, since it is first scaled by its largest entry."""
    scaled = over_largest(gradient)
    length = scaled.flatten(1).norm(dim=1)
    return scaled / per_image(length.where(length > 0, 1.0), gradient)


DIRECTIONS: dict[str, Callable[[Tensor], Tensor]] = {"sign": Tensor.sign, "l2": over_length, "linf": over_largest}


def steepest(gradient: Tensor, norm: Norm) -> Tensor:
    """The step of unit norm that raises the loss most: sign (linf) or gradient over its L2 norm (l2)."""
    return DIRECTIONS["sign" if norm == "linf" else "l2"](gradient)


def project(perturbation: Tensor, eps: float, norm: Norm) -> Tensor:
    """The closest point of the ball of radius eps (pixel units)."""
    if norm == "linf":
        return perturbation.clamp(-eps, eps)
    length = perturbation.flatten(1).norm(dim=1)
    shrink = (eps / length.clamp_min(1e-30)).clamp_max(1.0)
    return perturbation * per_image(shrink, perturbation)
