"""`sweeps`: one trained model, and snapshots from its training, under a list of attacks of one family."""

from typing import Annotated, Literal

from pydantic import Field

from advlaw.config.attack import Family
from advlaw.config.section import Name, Section, Snapshots

Split = Literal["train", "validation", "test", "train+validation"]


class Sweep(Section):
    model: Name
    dataset: Name
    split: Split = "test"
    family: Family
    attacks: Annotated[list[Name], Field(min_length=1)]
    snapshots: Snapshots

    def states(self) -> list[float | None]:
        """The states of the net that are attacked: each snapshot, and None for the end of training."""
        return [*self.snapshots, None]


def curve_name(attack: str, snapshot: float | None) -> str:
    """Name of an attack's file and curve: `fgsm`, or `fgsm@0.99` on a snapshot."""
    return attack if snapshot is None else f"{attack}@{snapshot:g}"
