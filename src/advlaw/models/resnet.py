"""Residual nets for small images: He et al. 2015 (arXiv 1512.03385), Sec. 4.2.

A 3x3 convolution, three stages of n blocks with 16, 32 and 64 channels, the mean over all positions and a linear layer:
6n + 2 layers with weights. `width` multiplies the channels (Kurakin Sec. 4.3). Shortcuts are the paper's option A:
where the number of channels changes, every second pixel, and zeros in the new ones; no parameters. In the tail, names
(`bn1`, `layer1.0.conv1`, `linear`) are those that published weights have.
"""

from torch import Tensor, nn
from torch.nn.functional import pad

from advlaw.models.activations import after_normalisation
from advlaw.models.classifier import AffineHead, Classifier
from advlaw.models.settings import Activation, scaled

WIDTHS = (16, 32, 64)


def build(
    image_shape: tuple[int, int, int], n_classes: int, depth: int, width: float = 1.0, activation: Activation = "relu"
) -> Classifier:
    """ResNet-20, -32, -44, …; raises ValueError for a depth that is not 6n + 2."""
    n_blocks, rest = divmod(depth - 2, 6)
    if rest or n_blocks < 1:
        raise ValueError(f"resnet: depth = {depth}: must be 6n + 2, as 20, 32, 44, 56 or 110 are")
    widths = scaled(WIDTHS, width)
    head = AffineHead(_convolution(image_shape[0], widths[0]), image_shape[0])
    return Classifier(head, _Tail(n_blocks, widths, n_classes, activation))


class _Tail(nn.Module):
    """All but the first convolution: features (B, 16 width, H, W) to logits (B, K)."""

    def __init__(self, n_blocks: int, widths: list[int], n_classes: int, activation: Activation) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.activation = after_normalisation(activation)
        self.layer1 = _stage(widths[0], widths[0], 1, n_blocks, activation)
        self.layer2 = _stage(widths[0], widths[1], 2, n_blocks, activation)
        self.layer3 = _stage(widths[1], widths[2], 2, n_blocks, activation)
        self.linear = nn.Linear(widths[2], n_classes)

    def forward(self, features: Tensor) -> Tensor:
        features = self.activation(self.bn1(features))
        features = self.layer3(self.layer2(self.layer1(features)))
        return self.linear(features.mean(dim=(2, 3)))


class _Block(nn.Module):
    """relu(shortcut(x) + F(x)), where F is two convolutions, each with batch normalisation; or another activation."""

    def __init__(self, n_in: int, n_out: int, stride: int, activation: Activation) -> None:
        super().__init__()
        self.conv1 = _convolution(n_in, n_out, stride)
        self.bn1 = nn.BatchNorm2d(n_out)
        self.conv2 = _convolution(n_out, n_out)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.activation = after_normalisation(activation)
        self.stride = stride
        self.n_new = n_out - n_in

    def forward(self, features: Tensor) -> Tensor:
        inner = self.activation(self.bn1(self.conv1(features)))
        return self.activation(self.bn2(self.conv2(inner)).add_(self._shortcut(features)))  # in place, as relu is

    def _shortcut(self, features: Tensor) -> Tensor:
        """Option A; half of the new channels, rounded down, lie before the old ones, the others behind them."""
        if self.n_new == 0 and self.stride == 1:
            return features
        if features.stride(1) == 1:  # channels-last: a gradient in another layout makes all behind it slow
            kept = features.permute(0, 2, 3, 1)[:, :: self.stride, :: self.stride].permute(0, 3, 1, 2)
        else:
            kept = features[:, :, :: self.stride, :: self.stride]
        before = self.n_new // 2
        return pad(kept, (0, 0, 0, 0, before, self.n_new - before))


def _stage(n_in: int, n_out: int, stride: int, n_blocks: int, activation: Activation) -> nn.Sequential:
    others = [_Block(n_out, n_out, 1, activation) for _ in range(n_blocks - 1)]
    return nn.Sequential(_Block(n_in, n_out, stride, activation), *others)


def _convolution(n_in: int, n_out: int, stride: int = 1) -> nn.Conv2d:
    """3x3 without bias, which the batch normalisation behind it holds; He initialisation (arXiv 1502.01852)."""
    layer = nn.Conv2d(n_in, n_out, 3, stride, padding=1, bias=False)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return layer
