"""What differs between attacks in L-infinity and in L2: the steepest unit step, and the ball."""

from collections.abc import Callable
from typing import Literal, overload

import torch
from torch import Tensor

Norm = Literal["linf", "l2"]


@overload
def per_image(values: Tensor, like: Tensor) -> Tensor: ...
@overload
def per_image(values: float, like: Tensor) -> float: ...
def per_image(values: float | Tensor, like: Tensor) -> float | Tensor:
    """(B,) reshaped to broadcast over images (B, C, H, W); one number for all images as it is."""
    return values.view(-1, *[1] * (like.dim() - 1)) if isinstance(values, Tensor) else values


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


def signs(gradient: Tensor) -> Tensor:
    """The sign of every entry; NaN for an image whose gradient is no number, of which torch makes 0."""
    found = gradient.sign()
    lost = gradient.flatten(1)[:, 0].isnan()  # `input_gradient` leaves no image with some entries NaN
    if lost.any():
        found[lost] = torch.nan
    return found


DIRECTIONS: dict[str, Callable[[Tensor], Tensor]] = {"sign": signs, "l2": over_length, "linf": over_largest}


def steepest(gradient: Tensor, norm: Norm) -> Tensor:
    """The step of unit norm that raises the loss most: sign (linf) or gradient over its L2 norm (l2)."""
    return DIRECTIONS["sign" if norm == "linf" else "l2"](gradient)


def project(perturbation: Tensor, eps: float | Tensor, norm: Norm) -> Tensor:
    """The closest point of the ball of radius eps (pixel units), one for all images or (B,)."""
    if norm == "linf":
        bound = per_image(eps, perturbation)
        return torch.clamp(perturbation, -bound, bound)  # type: ignore[arg-type]
    length = perturbation.flatten(1).norm(dim=1)
    shrink = (eps / length.clamp_min(1e-30)).clamp_max(1.0)
    return perturbation * per_image(shrink, perturbation)
