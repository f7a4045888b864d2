"""Wide residual nets: Zagoruyko & Komodakis 2016 (arXiv 1605.07146), WRN-depth-width.

A 3x3 convolution, three stages of n blocks with 16k, 32k and 64k channels for a width of k, then normalisation, relu
or another activation, the mean over all positions and a linear layer. depth = 6n + 4 counts the 1x1 convolutions of
the three shortcuts.
"""

from torch import Tensor, nn

from advlaw.models.activations import after_normalisation
from advlaw.models.classifier import AffineHead, Classifier
from advlaw.models.settings import Activation

STEM = 16


def build(
    image_shape: tuple[int, int, int],
    n_classes: int,
    depth: int,
    width: int,
    dropout: float = 0.0,
    activation: Activation = "relu",
) -> Classifier:
    """WRN-28-10, WRN-16-4, …; raises ValueError for a depth that is not 6n + 4."""
    n_blocks, rest = divmod(depth - 4, 6)
    if rest or n_blocks < 1:
        raise ValueError(f"wide_resnet: depth = {depth}: must be 6n + 4, as 16, 22, 28, 34 or 40 are")
    head = AffineHead(_convolution(image_shape[0], STEM), image_shape[0])
    return Classifier(head, _Tail(n_blocks, width, dropout, n_classes, activation))


class _Tail(nn.Module):
    """All but the first convolution: features (B, 16, H, W) to logits (B, K)."""

    def __init__(self, n_blocks: int, width: int, dropout: float, n_classes: int, activation: Activation) -> None:
        super().__init__()
        self.layer1 = _stage(STEM, 16 * width, 1, n_blocks, dropout, activation)
        self.layer2 = _stage(16 * width, 32 * width, 2, n_blocks, dropout, activation)
        self.layer3 = _stage(32 * width, 64 * width, 2, n_blocks, dropout, activation)
        self.bn = nn.BatchNorm2d(64 * width)
        self.activation = after_normalisation(activation)
        self.linear = nn.Linear(64 * width, n_classes)

    def forward(self, features: Tensor) -> Tensor:
        features = self.layer3(self.layer2(self.layer1(features)))
        return self.linear(self.activation(self.bn(features)).mean(dim=(2, 3)))


class _Block(nn.Module):
    """shortcut + F(x), normalised and activated ahead of each of its two convolutions, dropout between them.

    The shortcut is x itself; where the width changes, a 1x1 convolution of the normalised and activated x.
    """

    def __init__(self, n_in: int, n_out: int, stride: int, dropout: float, activation: Activation) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(n_in)
        self.conv1 = _convolution(n_in, n_out, stride)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.activation = after_normalisation(activation)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = _convolution(n_out, n_out)
        self.shortcut = _convolution(n_in, n_out, stride, size=1) if n_in != n_out else None

    def forward(self, features: Tensor) -> Tensor:
        active = self.activation(self.bn1(features))
        inner = self.dropout(self.activation(self.bn2(self.conv1(active))))
        shortcut = features if self.shortcut is None else self.shortcut(active)
        return self.conv2(inner).add_(shortcut)  # in place, as relu is


def _stage(n_in: int, n_out: int, stride: int, n_blocks: int, dropout: float, activation: Activation) -> nn.Sequential:
    others = [_Block(n_out, n_out, 1, dropout, activation) for _ in range(n_blocks - 1)]
    return nn.Sequential(_Block(n_in, n_out, stride, dropout, activation), *others)


def _convolution(n_in: int, n_out: int, stride: int = 1, size: int = 3) -> nn.Conv2d:
    """Without bias, which the next batch normalisation holds; He initialisation (arXiv 1502.01852)."""
    layer = nn.Conv2d(n_in, n_out, size, stride, padding=size // 2, bias=False)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return layer
