"""The caller's images, in any units, as pixels in [0, 255], and their labels."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from advlaw.core.images import Images

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
        self, mean: Sequence[float] | None, std: Sequence[float] | None, n_channels: int
    ) -> dict[str, list[float]]:
        """`mean` and `std` of an entry of `pretrained_models`, in pixel units.

        The caller gives them in the units of the images; without them the model takes the images unchanged.
        """
        found = {
            name: [usual] * n_channels if values is None else [float(value) for value in values]
            for name, values, usual in (("mean", mean, 0.0), ("std", std, 1.0))
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


@dataclass(frozen=True)
class Given:
    """Pixels (N, C, H, W), uint8 if all are whole numbers, else float32, and labels (N,) int64."""

    pixels: Tensor
    labels: Tensor

    def images(self, device: torch.device) -> Images | Tensor:
        """Pixels as sweeps take them: float32 on the device; uint8 is converted batch by batch."""
        if self.pixels.dtype == torch.uint8:
            return Images(self.pixels.to(device), device)
        return self.pixels.to(device)


def given(images: Any, labels: Any, in_units: Units) -> Given:
    """A tensor or array (N, C, H, W) and labels (N,), or an iterable of batches (images, labels).

    Raises ValueError naming the argument, what was found, and what to give instead.
    """
    batches = _stream(images) if labels is None else [(images, labels)]
    pixels, targets, shape = list[Tensor](), list[Tensor](), None
    for number, (some, their_labels) in enumerate(batches):
        where = "" if labels is not None else f" of batch {number}"
        checked = _images(some, where, in_units)
        if shape not in (None, checked.shape[1:]):
            shapes = f"shape {tuple(checked.shape[1:])}, but {tuple(shape)} before"
            raise ValueError(f"images{where}: {shapes}; give all batches the same image shape")
        shape = checked.shape[1:]
        pixels.append(in_units.pixels(checked))
        targets.append(_labels(their_labels, len(checked), where))
    if not pixels:
        raise ValueError(
            "images: the iterable has no batches; give a DataLoader, or an iterator that has not been read"
        )
    if any(part.dtype != torch.uint8 for part in pixels):
        pixels = [part.float() for part in pixels]
    return Given(torch.cat(pixels), torch.cat(targets))


def _stream(images: Any) -> Iterable[tuple[Any, Any]]:
    """The batches of an iterable, each checked to be a pair."""
    if isinstance(images, Tensor | np.ndarray) or not isinstance(images, Iterable):
        raise ValueError(
            f"labels are missing for images of type {_kind(images)}; give labels (N,), or an iterable of batches "
            "(images, labels), such as a DataLoader"
        )
    for number, batch in enumerate(images):
        if not isinstance(batch, tuple | list) or len(batch) != 2:
            raise ValueError(f"images: batch {number} is {_kind(batch)}; each must be a pair (images, labels)")
        yield batch[0], batch[1]


def _images(images: Any, where: str, in_units: Units) -> Tensor:
    """Images (B, C, H, W) on the CPU, numbers within the bounds."""
    found = _tensor(images, f"images{where}")
    if found.ndim != 4 or min(found.shape) < 1:
        hint = "give a DataLoader, which makes batches" if found.ndim == 3 else "reshape them"
        raise ValueError(f"images{where}: shape {tuple(found.shape)}; must be (N, C, H, W): {hint}")
    if found.shape[-1] in (1, 3) and found.shape[1] not in (1, 3):
        raise ValueError(f"images{where}: shape {tuple(found.shape)} has channels last; transpose to (N, C, H, W)")
    if not bool(torch.isfinite(found).all()):
        raise ValueError(f"images{where}: some values are NaN or infinite; check how the images are made")
    low, high = float(found.min()), float(found.max())
    slack = 1e-4 * (in_units.high - in_units.low)
    if low < in_units.low - slack or high > in_units.high + slack:
        raise ValueError(
            f"images{where}: values from {low:g} to {high:g} exceed bounds = ({in_units.low:g}, {in_units.high:g}); "
            "correct the bounds, or, if the images are normalised, give them unnormalised, with mean and std"
        )
    if found.is_floating_point() and in_units.high > 1 and 0 < high <= 1:
        raise ValueError(
            f"images{where}: values up to {high:g} look like images in [0, 1], but bounds = ({in_units.low:g}, "
            f"{in_units.high:g}); give bounds=(0, 1), or pixels"
        )
    return found


def _labels(labels: Any, n_images: int, where: str) -> Tensor:
    """Labels (B,) int64 on the CPU."""
    found = _tensor(labels, f"labels{where}")
    if found.shape != (n_images,):
        raise ValueError(f"labels{where}: shape {tuple(found.shape)} for {n_images} images; must be ({n_images},)")
    if found.is_floating_point() or found.dtype == torch.bool or int(found.min()) < 0:
        raise ValueError(f"labels{where}: {found.dtype}, smallest {found.min()}; must be class numbers 0, 1, ...")
    return found.long()


def _tensor(values: Any, name: str) -> Tensor:
    try:
        return (values if isinstance(values, Tensor) else torch.as_tensor(np.asarray(values))).detach().cpu()
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: {_kind(values)}; give a tensor or an array of numbers ({error})") from None


def _kind(value: Any) -> str:
    return f"{type(value).__name__} {tuple(value.shape)}" if hasattr(value, "shape") else type(value).__name__
