"""`response`, `theory`, `order_statistics`: from clean logits to predicted adversarial errors (Cubuk Sec. 3)."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from advlaw.attacks.settings import Grid
from advlaw.core.section import Name, Section

CutOffs = Annotated[list[Annotated[float, Field(gt=0, lt=1)]], Field(min_length=1)]
Law = Literal["uniform", "normal", "gumbel", "exponential"]
RANKS = 5  # gaps Delta_1j are followed up to j = 5, as in Cubuk Fig. 6


class ResponseNet(Section):
    """A model's test images under the theory's L2 attack (Cubuk Eq. 3), and under these other one-step `attacks`.

    Of the first `images` of them, if that is given; clean logits are those of all.
    """

    attacks: list[Name]
    images: Annotated[int, Field(ge=10)] | None = None

    @field_validator("attacks")
    @classmethod
    def _l2_is_implied(cls, attacks: list[str]) -> list[str]:
        if "l2" in attacks:
            raise ValueError(f"{attacks}: leave out l2, which is always measured")
        return attacks


class Rays(Grid):
    """The grid that brackets thresholds, with an eps_max of its own.

    The logits of `followed` images are kept along their L2 rays, and of `residual` images the distance of logits from
    their linear response.
    """

    followed: Annotated[int, Field(ge=1)]
    residual: Annotated[int, Field(ge=10)]


class Response(Section):
    """`nets` has models as keys."""

    rays: Rays
    nets: dict[Name, ResponseNet]


class Theory(Section):
    """`cut_offs`: tail exponents of gaps are estimated from these smallest shares. `compared`: nets of Fig. 6."""

    cut_offs: CutOffs
    compared: list[Name]


class OrderStatistics(Section):
    """Gaps between sorted i.i.d. logits: `samples` images of `classes` logits from each law (Cubuk Fig. 4b)."""

    laws: Annotated[list[Law], Field(min_length=1)]
    classes: Annotated[int, Field(ge=RANKS)]
    samples: Annotated[int, Field(ge=1000)]
    cut_offs: CutOffs
