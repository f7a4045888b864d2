"""`robustness`: nets under strong attacks, to see what the accuracy under a weak one is worth."""

from typing import Annotated

from pydantic import Field, field_validator

from advlaw.config.attack import AttackKey
from advlaw.config.section import Name, Section

Keys = Annotated[list[AttackKey], Field(min_length=1)]


class Stressed(Section):
    """A net; adversarial images of `source`, trained independently, are transferred to it.

    `baseline`: the net that it is to be more robust than; None where it is compared with none.
    """

    dataset: Name
    source: Name
    baseline: Name | None = None


class Protocol(Section):
    """On the first `images` test images, at each of `eps`, which all attacks share.

    `weak` is the attack whose verdict is checked; `attacks` and, from each net's source, `transferred` are the others.
    All are keys of `attacks`, like `iterative.pgd`.
    """

    images: Annotated[int, Field(ge=10)]
    eps: Annotated[list[Annotated[float, Field(gt=0, le=255)]], Field(min_length=1)]
    weak: AttackKey
    attacks: Keys
    transferred: Keys

    @field_validator("eps")
    @classmethod
    def _rise(cls, eps: list[float]) -> list[float]:
        if sorted(set(eps)) != eps:
            raise ValueError(f"{eps}: must rise")
        return eps

    def methods(self) -> dict[str, str]:
        """Every attack that a net meets: what it is called -> its key; `transferred:` marks those from another net."""
        return {
            **{key: key for key in (self.weak, *self.attacks)},
            **{f"transferred:{key}": key for key in self.transferred},
        }


class Robustness(Section):
    """`nets` has models as keys."""

    protocol: Protocol
    nets: dict[Name, Stressed]
