"""`robust_models`: nets trained on adversarial examples (Kurakin Sec. 3, Algorithm 1)."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from advlaw.config.model import Convolutional, FullyConnected, Linear, Residual, WideResidual
from advlaw.config.section import Section

Size = Annotated[float, Field(gt=0, le=255)]


class RandomEps(Section):
    """|N(0, sigma)| truncated to [0, largest], drawn for every image (Kurakin Sec. 3)."""

    sigma: Size
    largest: Size


class FixedEps(Section):
    fixed: Size


class Adversarial(Section):
    """How minibatches are changed: see `advlaw.training.adversarial`.

    `attack` is a key of `attacks`, one that clips. `images` of each minibatch are replaced, with `weight` lambda in the
    loss, after a share `delay` of all steps. `batch_norm` is the mode of batch normalisation while the attack runs.
    At `probe_eps` the net is attacked after every epoch, to see catastrophic overfitting.
    """

    attack: Annotated[str, Field(pattern=r"^(one_step|iterative)\.[A-Za-z0-9_-]+$")]
    images: Annotated[int, Field(ge=1)]
    weight: Annotated[float, Field(gt=0)]
    eps: RandomEps | FixedEps
    delay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    batch_norm: Literal["eval", "train"] = "eval"
    probe_eps: Size

    @property
    def family(self) -> str:
        return self.attack.split(".")[0]


class Robust(Section):
    """What the entry of an adversarially trained net says beside what a model's does."""

    adversarial: Adversarial
    batch_size: int  # as in every training

    @model_validator(mode="after")
    def _replaces_what_is_there(self) -> "Robust":
        if self.adversarial.images > self.batch_size:
            raise ValueError(f"adversarial.images = {self.adversarial.images}: batch_size is {self.batch_size}")
        return self


class RobustLinear(Linear, Robust):
    """A linear net."""


class RobustFullyConnected(FullyConnected, Robust):
    """A fully connected net."""


class RobustConvolutional(Convolutional, Robust):
    """A convolutional net."""


class RobustResidual(Residual, Robust):
    """A ResNet."""


class RobustWideResidual(WideResidual, Robust):
    """A Wide ResNet."""


RobustModel = Annotated[
    RobustLinear | RobustFullyConnected | RobustConvolutional | RobustResidual | RobustWideResidual,
    Field(discriminator="arch"),
]
