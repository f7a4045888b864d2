"""`sweeps`: one trained model under a list of attacks of one family."""

from typing import Annotated, Literal

from pydantic import Field

from advlaw.config.section import Name, Section

Split = Literal["train", "validation", "test", "train+validation"]


class Sweep(Section):
    model: Name
    dataset: Name
    split: Split = "test"
    family: Literal["one_step", "iterative"]
    attacks: Annotated[list[Name], Field(min_length=1)]
