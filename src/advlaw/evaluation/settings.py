"""`sweeps` and `worst_case`: which attacks a net meets.

A sweep has one family over the whole grid of eps; the worst case, every strong attack at a few.
"""

from typing import Annotated, Literal

from pydantic import Field

from advlaw.attacks.settings import AttackKey, Family
from advlaw.core.section import Name, Rising, Section, Snapshots

Keys = Annotated[list[AttackKey], Field(min_length=1)]
Split = Literal["train", "validation", "test", "train+validation"]


class Sweep(Section):
    """`shard`: so many images are attacked at once by each of `workers`, and kept, so that a killed sweep goes on."""

    model: Name
    split: Split = "test"
    family: Family
    attacks: Annotated[list[Name], Field(min_length=1)]
    snapshots: Snapshots
    shard: Annotated[int, Field(ge=1)] | None = None

    def states(self) -> list[float | None]:
        """The states of the net that are attacked: each snapshot, and None for the end of training."""
        return [*self.snapshots, None]


def curve_name(attack: str, snapshot: float | None) -> str:
    """Name of an attack's file and curve: `fgsm`, or `fgsm@0.99` on a snapshot."""
    return attack if snapshot is None else f"{attack}@{snapshot:g}"


class WorstCaseNet(Section):
    """A net; adversarial images of `source`, trained independently, are transferred to it."""

    source: Name


class Protocol(Section):
    """On the first `images` test images, at each of `eps`, which all attacks share.

    `weak` is the attack whose verdict is checked; `attacks` and, from each net's source, `transferred` are the others.
    All are keys of `attacks`, like `iterative.pgd`.
    """

    images: Annotated[int, Field(ge=10)]
    eps: Annotated[list[Annotated[float, Field(gt=0, le=255)]], Field(min_length=1), Rising]
    weak: AttackKey
    attacks: Keys
    transferred: Keys

    def methods(self) -> dict[str, str]:
        """Every attack that a net meets: what it is called -> its key; `transferred:` marks those from another net."""
        return {
            **{key: key for key in (self.weak, *self.attacks)},
            **{f"transferred:{key}": key for key in self.transferred},
        }


class WorstCase(Section):
    """`nets` has models as keys."""

    protocol: Protocol
    nets: dict[Name, WorstCaseNet]
