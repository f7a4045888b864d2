"""Architectures that are both trained here and read from published weights: what an entry says of the net itself."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from advlaw.config.section import Section


class ResNet(Section):
    """See `advlaw.models.resnet`."""

    arch: Literal["resnet"]
    depth: int

    @field_validator("depth")
    @classmethod
    def _has_whole_stages(cls, depth: int) -> int:
        if depth < 8 or depth % 6 != 2:
            raise ValueError("must be 6n + 2, as 20, 32, 44, 56 or 110 are")
        return depth


class WideResNet(Section):
    """See `advlaw.models.wide_resnet`."""

    arch: Literal["wide_resnet"]
    depth: int
    width: Annotated[int, Field(ge=1)]
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0

    @field_validator("depth")
    @classmethod
    def _has_whole_stages(cls, depth: int) -> int:
        if depth < 10 or depth % 6 != 4:
            raise ValueError("must be 6n + 4, as 16, 22, 28, 34 or 40 are")
        return depth
