"""`fit`: how exponents are estimated, and which of them go into summary.json."""

from typing import Annotated

from pydantic import Field

from advlaw.core.section import Section


class Fit(Section):
    """Range: from the smallest eps with `min_errors` net errors up to `max_error` times clean accuracy.

    Or up to `eps_last` of the shared grid, where a paper names its range.
    `headline` names curves (`sweep/attack`, `sweep/attack@snapshot`) whose exponents and intervals go into
    metrics/<study>/summary.json.
    """

    min_errors: Annotated[int, Field(ge=1)]
    max_error: Annotated[float, Field(gt=0, lt=1)]
    eps_last: Annotated[float, Field(gt=0)] | None = None
    bootstrap: Annotated[int, Field(ge=100)]
    confidence: Annotated[float, Field(gt=0, lt=1)]
    headline: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+/[A-Za-z0-9_-]+(@[0-9.]+)?$")]]
