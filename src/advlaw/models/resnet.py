"""Residual nets for small images: He et al. 2015 (arXiv 1512.03385), Sec. 4.2.

A 3x3 convolution, three stages of n blocks with 16, 32 and 64 channels, the mean over all positions and a linear layer:
6n + 2 layers with weights. Shortcuts are the paper's option A: where the width changes, every second pixel, and zeros
in the new channels; no parameters. In the tail, names (`bn1`, `layer1.0.conv1`, `linear`) are those that published
weights have.
"""

from torch import Tensor, nn, relu_
from torch.nn.functional import pad

from advlaw.models.classifier import AffineHead, Classifier

WIDTHS = (16, 32, 64)


def build(image_shape: tuple[int, int, int], n_classes: int, depth: int) -> Classifier:
    """ResNet-20, -32, -44, …; raises ValueError for a depth that is not 6n + 2."""
    n_blocks, rest = divmod(depth - 2, 6)
    if rest or n_blocks < 1:
        raise ValueError(f"resnet: depth = {depth}: must be 6n + 2, as 20, 32, 44, 56 or 110 are")
    head = AffineHead(_convolution(image_shape[0], WIDTHS[0]), image_shape[0])
    return Classifier(head, _Tail(n_blocks, n_classes))


class _Tail(nn.Module):
    """All but the first convolution: features (B, 16, H, W) to logits (B, K)."""

    def __init__(self, n_blocks: int, n_classes: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        self.layer1 = _stage(WIDTHS[0], WIDTHS[0], 1, n_blocks)
        self.layer2 = _stage(WIDTHS[0], WIDTHS[1], 2, n_blocks)
        self.layer3 = _stage(WIDTHS[1], WIDTHS[2], 2, n_blocks)
        self.linear = nn.Linear(WIDTHS[2], n_classes)

    def forward(self, features: Tensor) -> Tensor:
        features = relu_(self.bn1(features))
        features = self.layer3(self.layer2(self.layer1(features)))
        return self.linear(features.mean(dim=(2, 3)))


class _Block(nn.Module):
    """relu(shortcut(x) + F(x)), where F is two convolutions, each with batch normalisation."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _convolution(n_in, n_out, stride)
        self.bn1 = nn.BatchNorm2d(n_out)
        self.conv2 = _convolution(n_out, n_out)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.stride = stride
        self.n_new = n_out - n_in

    def forward(self, features: Tensor) -> Tensor:
        inner = relu_(self.bn1(self.conv1(features)))
        return relu_(self.bn2(self.conv2(inner)).add_(self._shortcut(features)))  # in place: memory is what is slow

    def _shortcut(self, features: Tensor) -> Tensor:
        """Option A; half of the new channels lie before the old ones, half behind them."""
        if self.n_new == 0:
            return features
        if features.stride(1) == 1:  # channels-last: a gradient in another layout makes all behind it slow
            kept = features.permute(0, 2, 3, 1)[:, :: self.stride, :: self.stride].permute(0, 3, 1, 2)
        else:
            kept = features[:, :, :: self.stride, :: self.stride]
        return pad(kept, (0, 0, 0, 0, self.n_new // 2, self.n_new // 2))


def _stage(n_in: int, n_out: int, stride: int, n_blocks: int) -> nn.Sequential:
    others = [_Block(n_out, n_out, 1) for _ in range(n_blocks - 1)]
    return nn.Sequential(_Block(n_in, n_out, stride), *others)


def _convolution(n_in: int, n_out: int, stride: int = 1) -> nn.Conv2d:
    """3x3 without bias, which the batch normalisation behind it holds; He initialisation (arXiv 1502.01852)."""
    layer = nn.Conv2d(n_in, n_out, 3, stride, padding=1, bias=False)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return layer
