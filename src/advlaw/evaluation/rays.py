"""Logits along rays: images + eps * direction, for any eps, at the price of the layers behind the first."""

import torch
from torch import Tensor

from advlaw.attacks.norms import largest, per_image
from advlaw.models.classifier import Classifier


class Ray:
    """Rays of one batch: images (B, C, H, W) and directions of the same shape, clipped to [0, 255] or not.

    The first layer is affine, so it is computed once, for the images and for the directions, wherever that is
    exact: without clipping at every eps; with clipping of whole pixels as long as no pixel moves by more than 1,
    for then a pixel at 0 or 255 that would leave the range stays, and no other can reach it.
    """

    def __init__(self, model: Classifier, images: Tensor, direction: Tensor, clip: bool) -> None:
        self.model, self.images, self.direction, self.clip = model, images, direction, clip
        self.affine_up_to = self._affine_range()
        inward = self._inward() if clip else direction
        if self.affine_up_to > 0:
            self.start, self.slope = model.head(images), model.head.linear(inward)

    def logits(self, eps: float | Tensor, rows: Tensor | None = None) -> Tensor:
        """Logits (B, K) at one eps, or at an eps (R,) for each of the images in `rows` (R,)."""
        largest_eps = float(eps.max()) if isinstance(eps, Tensor) else eps
        if largest_eps <= self.affine_up_to:
            return self.model.tail(_along(_take(self.start, rows), eps, _take(self.slope, rows)))
        pixels = _along(_take(self.images, rows), eps, _take(self.direction, rows))
        return self.model(pixels.clamp(0.0, 255.0) if self.clip else pixels)

    def _affine_range(self) -> float:
        """The largest eps up to which the first layer moves linearly."""
        if not self.clip:
            return float("inf")
        if not torch.equal(self.images, self.images.round()):
            return 0.0
        fastest = float(largest(self.direction).max())
        return 1.0 / fastest if fastest > 0 else float("inf")

    def _inward(self) -> Tensor:
        """The direction without what would leave [0, 255] at once."""
        leaves = ((self.images <= 0) & (self.direction < 0)) | ((self.images >= 255) & (self.direction > 0))
        return self.direction.masked_fill(leaves, 0.0)


def _take(values: Tensor, rows: Tensor | None) -> Tensor:
    return values if rows is None else values[rows]


def _along(start: Tensor, eps: float | Tensor, slope: Tensor) -> Tensor:
    return start + per_image(eps, start) * slope
