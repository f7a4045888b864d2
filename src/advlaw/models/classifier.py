"""The form every net here has: an affine first layer on pixels, and the rest.

A model takes pixels (B, C, H, W) in [0, 255] and gives logits (B, K); it normalises inside. Because the first
layer is affine, logits along a ray of images are `tail(head(images) + eps * head.linear(direction))`: the first
layer is computed once for all eps (`advlaw.evaluation.rays`).
"""

import torch
from torch import Tensor, nn

from advlaw.core.images import Images, Pixels, mean_and_std


class AffineHead(nn.Module):
    """`layer((images - mean) / std)` with the statistics (C,) of the fitted pixels; `layer` is affine."""

    mean: Tensor
    std: Tensor

    def __init__(self, layer: nn.Linear | nn.Conv2d, n_channels: int) -> None:
        super().__init__()
        self.layer = layer
        self.register_buffer("mean", torch.zeros(n_channels, 1, 1))
        self.register_buffer("std", torch.ones(n_channels, 1, 1))

    def set_statistics(self, images: Pixels) -> None:
        """Those per channel of images (N, C, H, W)."""
        self.normalise_by(*(images.mean_and_std if isinstance(images, Images) else mean_and_std(images)))

    def normalise_by(self, mean: Tensor, std: Tensor) -> None:
        """Take these statistics (C,), in pixel units."""
        self.mean.copy_(mean.view_as(self.mean))
        self.std.copy_(std.view_as(self.std))

    def forward(self, images: Tensor) -> Tensor:
        return self._apply_layer((images - self.mean) / self.std, self.layer.bias)

    def linear(self, direction: Tensor) -> Tensor:
        """The linear part: head(x + d) - head(x)."""
        return self._apply_layer(direction / self.std, None)

    def _apply_layer(self, pixels: Tensor, bias: Tensor | None) -> Tensor:
        layer = self.layer
        if isinstance(layer, nn.Linear):
            return nn.functional.linear(pixels.flatten(1), layer.weight, bias)
        return nn.functional.conv2d(pixels, layer.weight, bias, layer.stride, layer.padding)


class Classifier(nn.Module):
    """Logits (B, K) of pixels (B, C, H, W)."""

    def __init__(self, head: AffineHead, tail: nn.Module) -> None:
        super().__init__()
        self.head = head
        self.tail = tail

    def forward(self, images: Tensor) -> Tensor:
        return self.tail(self.head(images))
