"""Adam, SGD with momentum and RMSProp as torch's own kernels, fused where there are such.

The functional forms are called because constructing a `torch.optim` optimizer imports torch._dynamo, which takes
longer than training a small net does.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.rmsprop import rmsprop
from torch.optim.sgd import sgd

BETAS = (0.9, 0.999)
MOMENTUM = 0.9
RMSPROP = {"alpha": 0.9, "eps": 1.0}  # of Inception v3, which Kurakin Sec. 4 follows; torch adds eps outside the root


class Optimizer:
    """Adam (beta 0.9 and 0.999), SGD or RMSProp (both with momentum 0.9) on a list of parameters."""

    def __init__(
        self, kind: Literal["adam", "sgd", "rmsprop"], parameters: Sequence[Tensor], weight_decay: float
    ) -> None:
        self.kind = kind
        self.parameters = list(parameters)
        self.weight_decay = weight_decay
        self.first = [torch.zeros_like(p) for p in self.parameters]
        self.second = [torch.zeros_like(p) for p in self.parameters] if kind != "sgd" else []
        self.steps = [torch.zeros((), device=p.device) for p in self.parameters] if kind != "sgd" else []

    def state(self) -> dict[str, list[Tensor]]:
        """The tensors a resumed training needs."""
        return {"first": self.first, "second": self.second, "steps": self.steps}

    def restore(self, state: dict[str, list[Tensor]]) -> None:
        for name, tensors in self.state().items():
            for tensor, saved in zip(tensors, state[name], strict=True):
                tensor.copy_(saved)

    @property
    def is_fused(self) -> bool:
        return self.kind != "rmsprop"

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor], learning_rate: float | Tensor) -> None:
        """Move the parameters. A rate () on their device is for fused kernels alone.

        Fused kernels go through memory, so each gradient is laid out as its parameter is.
        """
        alike = [_laid_out_as(p, gradient) for p, gradient in zip(self.parameters, gradients, strict=True)]
        if self.kind == "adam":
            adam(
                self.parameters, alike, self.first, self.second, [], self.steps,
                fused=True, amsgrad=False, beta1=BETAS[0], beta2=BETAS[1], lr=learning_rate,
                weight_decay=self.weight_decay, eps=1e-8, maximize=False,
            )  # fmt: skip
        elif self.kind == "rmsprop":
            rmsprop(
                self.parameters, alike, self.second, [], self.first, self.steps,
                foreach=False, lr=learning_rate, alpha=RMSPROP["alpha"], eps=RMSPROP["eps"],
                weight_decay=self.weight_decay, momentum=MOMENTUM, centered=False,
            )  # fmt: skip
        else:
            sgd(
                self.parameters, alike, self.first,  # type: ignore[arg-type]
                fused=True, weight_decay=self.weight_decay, momentum=MOMENTUM, lr=learning_rate,
                dampening=0.0, nesterov=False, maximize=False,
            )  # fmt: skip


def _laid_out_as(parameter: Tensor, gradient: Tensor) -> Tensor:
    """The gradient in its parameter's layout: cuDNN may give that of a contiguous weight in channels-last."""
    if gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter, dtype=gradient.dtype).copy_(gradient)
