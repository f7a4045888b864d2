"""The units of the caller's images and statistics, and numbers among the arguments."""

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

WHOLE = 2e-3  # pixels this close to whole numbers come from 8 bits per channel
BOUNDS = "give bounds=(0, 1), or bounds=(0, 255) for pixels"


@dataclass(frozen=True)
class Units:
    """The values of black and white in the caller's units."""

    low: float
    high: float

    @property
    def size(self) -> float:
        """One unit of the caller's, in pixel units."""
        return 255.0 / (self.high - self.low)

    def pixels(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) as pixels: uint8 where all are whole numbers, else float32."""
        found = (images.double() - self.low) * self.size
        whole = found.round()
        is_whole = bool((found - whole).abs().max() < WHOLE)
        return whole.to(torch.uint8) if is_whole else found.float().clamp(0.0, 255.0)

    def statistics(
        self, mean: float | Sequence[float] | None, std: float | Sequence[float] | None, n_channels: int
    ) -> dict[str, list[float]]:
        """`mean` and `std` of an entry of `pretrained_models`, in pixel units.

        The caller gives them in the units of the images, a number standing for that of every channel; without them the
        model takes the images unchanged.
        """
        found = {
            "mean": per_channel("mean", 0.0 if mean is None else mean, n_channels),
            "std": per_channel("std", 1.0 if std is None else std, n_channels),
        }
        for name, values in found.items():
            if len(values) != n_channels:
                raise ValueError(f"{name} = {values}: the images have {n_channels} channels; give a value for each")
        for value in found["mean"]:
            if not self.low <= value <= self.high:
                raise ValueError(
                    f"mean = {found['mean']}: must be in the units of the images, from {self.low:g} to "
                    f"{self.high:g}; give the mean of the images as passed"
                )
        for value in found["std"]:
            if not 0 < value < float("inf"):
                raise ValueError(f"std = {found['std']}: must be above 0, in the units of the images")
        return {
            "mean": [(value - self.low) * self.size for value in found["mean"]],
            "std": [value * self.size for value in found["std"]],
        }


def units(bounds: Sequence[float] | None) -> Units:
    """The units that `bounds` describes; ValueError if it is missing or does not contain 0."""
    if bounds is None:
        raise ValueError(f"bounds are missing: the values of black and white in the images; {BOUNDS}")
    try:
        low, high = (float(value) for value in bounds)
    except (TypeError, ValueError):
        raise ValueError(f"bounds = {bounds!r}: must be two numbers; {BOUNDS}") from None
    if not (low <= 0 < high < float("inf") and low > -float("inf")):
        raise ValueError(f"bounds = {bounds!r}: must be (black, white), finite, with black <= 0 < white; {BOUNDS}")
    return Units(low, high)


def per_channel(name: str, given: Any, n_channels: int) -> list[float]:
    """A number for each channel, from those or from one for all; ValueError where it is something else."""
    try:
        found = np.asarray(given.detach().cpu() if isinstance(given, Tensor) else given, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            f"{name} = {given!r}: must be numbers in the units of the images, one for each channel, or one for all"
        ) from None
    return [float(found)] * n_channels if found.ndim == 0 else found.ravel().tolist()


def real(name: str, given: Any, usual: float) -> float:
    """An eps as a float; ValueError where it is no number."""
    try:
        return float(given)
    except (TypeError, ValueError):
        raise ValueError(
            f"{name} = {given!r}: must be a number, in pixel units [0, 255]; the default is {usual:g}"
        ) from None


def whole(name: str, given: Any, least: int, usual: int) -> int:
    """A whole number, of NumPy's or torch's too; ValueError where it is none, or below `least`."""
    try:
        found = operator.index(given)
    except TypeError:
        found = least - 1
    if found < least:
        raise ValueError(
            f"{name} = {given!r}: must be a whole number, at least {least}; the default is {usual}"
        ) from None
    return found
