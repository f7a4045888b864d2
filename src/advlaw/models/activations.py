"""What stands between the layers of a net: the activations that Kurakin App. D compares, and ELU (Sec. 5)."""

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn

from advlaw.models.settings import Activation


class ReluDecay(nn.Module):
    """relu(x) / (1 + beta relu(x)^2) (Kurakin App. D): rises up to x = 1 / sqrt(beta), then falls back towards 0."""

    def __init__(self, beta: float) -> None:
        super().__init__()
        self.beta = beta

    def forward(self, features: Tensor) -> Tensor:
        positive = features.relu()
        return positive / (1.0 + self.beta * positive.square())


ACTIVATIONS: dict[Activation, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "tanh": nn.Tanh,
    "elu": nn.ELU,
    "relu_decay_0.1": partial(ReluDecay, 0.1),
    "relu_decay_0.01": partial(ReluDecay, 0.01),
    "relu_decay_0.001": partial(ReluDecay, 0.001),
}


def after_normalisation(name: Activation) -> nn.Module:
    """The activation of batch-normalised features; relu takes their memory, which is what is slow there."""
    return nn.ReLU(inplace=True) if name == "relu" else ACTIVATIONS[name]()


def with_maximum(name: Activation) -> list[nn.Module]:
    """The activation, then the maximum of every 2x2 pixels.

    Where the activation rises everywhere the other order gives the same, for a quarter of the work.
    """
    layers = [ACTIVATIONS[name](), nn.MaxPool2d(2)]
    return layers if isinstance(layers[0], ReluDecay) else layers[::-1]
