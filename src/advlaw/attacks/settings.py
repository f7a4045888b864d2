"""`attack` and `attacks`: the grid of perturbation sizes, and the attacks themselves."""

import math
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from advlaw.core.section import Name, Section

Target = Literal["true_label", "predicted_label", "least_likely", "random_class", "entropy"]
Gradient = Literal["scale_free", "naive", "margin"]
AttackKey = Annotated[str, Field(pattern=r"^(one_step|iterative|apgd|query)\.[A-Za-z0-9_-]+$")]  # family.name
Positive = Annotated[int, Field(ge=1)]
NOISE = ("random_sign", "truncated_normal")


def _refuse_margin_of_entropy(gradient: str, target: str | None) -> None:
    if gradient == "margin" and target == "entropy":
        raise ValueError("gradient = 'margin': entropy is no label; name another target")


class Grid(Section):
    """The shared grid of eps: log-spaced, pixel units, L-infinity. L2 attacks use it times sqrt(C*H*W)."""

    eps_min: Annotated[float, Field(gt=0)]
    eps_max: Annotated[float, Field(gt=0, le=255)]
    count: Annotated[int, Field(ge=2, le=1000)]

    @model_validator(mode="after")
    def _ordered(self) -> "Grid":
        if self.eps_min >= self.eps_max:
            raise ValueError(f"eps_min = {self.eps_min:g} must be below eps_max = {self.eps_max:g}")
        return self


class OneStepAttack(Section):
    """images + eps * direction: a gradient's sign, or the gradient over its L2 or L-infinity norm, or noise.

    The gradient is of cross-entropy, `scale_free` or `naive` (float32, kept to show what it does wrong), or of the
    `margin` between the two largest logits. Noise follows no gradient and has no `target`; else it is the true label.
    """

    direction: Literal["sign", "l2", "linf", "random_sign", "truncated_normal"]
    target: Target | None = None
    clip: bool
    gradient: Gradient = "scale_free"

    @property
    def norm(self) -> Literal["linf", "l2"]:
        """The norm that eps measures."""
        return "l2" if self.direction == "l2" else "linf"

    @model_validator(mode="before")
    @classmethod
    def _gradients_are_of_the_true_label(cls, given: Any) -> Any:
        is_gradient = isinstance(given, dict) and given.get("direction") not in NOISE
        return {"target": "true_label", **given} if is_gradient else given

    @model_validator(mode="after")
    def _noise_has_no_target(self) -> "OneStepAttack":
        if self.direction in NOISE and (self.target is not None or self.gradient != "scale_free"):
            raise ValueError(f"direction = {self.direction!r} is noise: leave out target and gradient")
        return self

    @model_validator(mode="after")
    def _margin_is_of_a_label(self) -> "OneStepAttack":
        _refuse_margin_of_entropy(self.gradient, self.target)
        return self


class RelativeStep(Section):
    relative: Annotated[float, Field(gt=0)]


class AbsoluteStep(Section):
    absolute: Annotated[float, Field(gt=0)]


class IterativeAttack(Section):
    """Projected gradient descent. A step is `relative` (times eps) or `absolute` (in the norm's own units).

    `steps: from_eps` is Kurakin's number, min(eps + 4, 1.25 eps) (Sec. 2.2), rounded, at least 1; eps counts steps of
    `absolute` size, which is 1 pixel unit there.
    """

    norm: Literal["linf", "l2"] = "linf"
    steps: Annotated[int, Field(ge=1)] | Literal["from_eps"]
    step_size: RelativeStep | AbsoluteStep
    target: Target = "true_label"
    clip: bool
    gradient: Gradient = "scale_free"
    random_start: bool = False
    restarts: Positive = 1

    @model_validator(mode="after")
    def _margin_is_of_a_label(self) -> "IterativeAttack":
        _refuse_margin_of_entropy(self.gradient, self.target)
        return self

    @model_validator(mode="after")
    def _steps_from_eps_are_of_kurakin_s_method(self) -> "IterativeAttack":
        if self.steps == "from_eps" and (self.norm != "linf" or isinstance(self.step_size, RelativeStep)):
            raise ValueError("steps = 'from_eps' needs norm: linf and an absolute step_size")
        return self

    @model_validator(mode="after")
    def _restarts_need_a_random_start(self) -> "IterativeAttack":
        if self.restarts > 1 and not self.random_start:
            raise ValueError(f"restarts = {self.restarts} needs random_start: true")
        return self

    def n_steps(self, eps: float) -> int:
        """The number of steps at perturbation size eps."""
        if self.steps == "from_eps":
            assert isinstance(self.step_size, AbsoluteStep)
            eps = eps / self.step_size.absolute
            return max(1, math.floor(min(eps + 4.0, 1.25 * eps) + 0.5))
        return self.steps

    def step(self, eps: Any) -> Any:
        """The length of one step at perturbation size eps: a number, or a tensor of one for each image."""
        size = self.step_size
        return size.relative * eps if isinstance(size, RelativeStep) else size.absolute


class AutoPGD(Section):
    """APGD of Croce and Hein (2020): momentum, and a step that is halved where the loss has stopped rising. L-infinity.

    `loss: dlr` is their difference of logits ratio, which no scaling of the logits changes.
    """

    loss: Literal["cross_entropy", "dlr"]
    steps: Positive
    restarts: Positive = 1
    clip: bool

    norm: ClassVar[str] = "linf"
    target: ClassVar[Target] = "true_label"


class Square(Section):
    """The Square attack of Andriushchenko et al. (2020): random search, no gradient. L-infinity.

    `queries`: how many perturbed images the net is asked about; `share` of the pixels is in the first square.
    """

    queries: Positive
    share: Annotated[float, Field(gt=0, le=1)] = 0.8
    restarts: Positive = 1
    clip: bool

    norm: ClassVar[str] = "linf"
    target: ClassVar[Target] = "true_label"


AtEachEps = IterativeAttack | AutoPGD | Square  # run anew at every eps
Attack = OneStepAttack | AtEachEps
Family = Literal["one_step", "iterative", "apgd", "query"]
KINDS: dict[str, type[Attack]] = {
    "one_step": OneStepAttack,
    "iterative": IterativeAttack,
    "apgd": AutoPGD,
    "query": Square,
}


class Attacks(Section):
    """Every attack, by family and name."""

    one_step: dict[Name, OneStepAttack]
    iterative: dict[Name, IterativeAttack]
    apgd: dict[Name, AutoPGD]
    query: dict[Name, Square]

    def by_key(self, key: str) -> Attack:
        """The attack of a key like `iterative.pgd`."""
        family, _, name = key.partition(".")
        return getattr(self, family)[name]
