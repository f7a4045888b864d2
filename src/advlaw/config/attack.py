"""`attack` and `attacks`: the grid of perturbation sizes, and the attacks themselves."""

import math
from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from advlaw.config.section import Name, Section

Target = Literal["true_label", "predicted_label", "least_likely", "random_class", "entropy"]
NOISE = ("random_sign", "truncated_normal")


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

    `gradient: naive` is float32, kept to show what it does wrong. Noise follows no gradient and has no `target`.
    """

    direction: Literal["sign", "l2", "linf", "random_sign", "truncated_normal"]
    target: Target | None = None
    clip: bool
    gradient: Literal["scale_free", "naive"] = "scale_free"

    @property
    def norm(self) -> Literal["linf", "l2"]:
        """The norm that eps measures."""
        return "l2" if self.direction == "l2" else "linf"

    @model_validator(mode="after")
    def _noise_has_no_target(self) -> "OneStepAttack":
        is_noise = self.direction in NOISE
        if is_noise and (self.target is not None or self.gradient != "scale_free"):
            raise ValueError(f"direction = {self.direction!r} is noise: leave out target and gradient")
        if not is_noise and self.target is None:
            raise ValueError(f"direction = {self.direction!r} needs a target: {', '.join(get_args(Target))}")
        return self


class RelativeStep(Section):
    relative: Annotated[float, Field(gt=0)]


class AbsoluteStep(Section):
    absolute: Annotated[float, Field(gt=0)]


class IterativeAttack(Section):
    """Projected gradient descent. A step is `relative` (times eps) or `absolute` (in the norm's own units).

    `steps: from_eps` is Kurakin's number, min(eps + 4, 1.25 eps) (Sec. 2.2), rounded, at least 1.
    """

    norm: Literal["linf", "l2"]
    steps: Annotated[int, Field(ge=1)] | Literal["from_eps"]
    step_size: RelativeStep | AbsoluteStep
    target: Target
    clip: bool
    gradient: Literal["scale_free", "naive"] = "scale_free"
    random_start: bool = False
    restarts: Annotated[int, Field(ge=1)] = 1

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
            return max(1, math.floor(min(eps + 4.0, 1.25 * eps) + 0.5))
        return self.steps

    def step(self, eps: float) -> float:
        """The length of one step at perturbation size eps."""
        size = self.step_size
        return size.relative * eps if isinstance(size, RelativeStep) else size.absolute


class Attacks(Section):
    """Every attack, by family and name."""

    one_step: dict[Name, OneStepAttack]
    iterative: dict[Name, IterativeAttack]

    def by_name(self, family: str, name: str) -> OneStepAttack | IterativeAttack:
        return self.one_step[name] if family == "one_step" else self.iterative[name]


def attack_kind(family: str) -> type[OneStepAttack] | type[IterativeAttack]:
    """The section type of one family's attacks."""
    return OneStepAttack if family == "one_step" else IterativeAttack
