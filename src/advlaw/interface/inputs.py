"""The caller's images, in any units, as pixels in [0, 255], and their labels, checked."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from advlaw.core.images import Images
from advlaw.interface.units import Units

UNSIGNED = (torch.uint16, torch.uint32, torch.uint64)  # of which torch knows no minimum


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
    if labels is not None and isinstance(images, DataLoader | Dataset | Iterator):
        raise ValueError(f"labels: leave them out; the {_kind(images)} given as images has them")
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
    if isinstance(images, Dataset) and not isinstance(images, Iterable):
        raise ValueError(f"images: {_kind(images)} has single images; give a DataLoader of it, which makes batches")
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
    if len(found.shape) > 0 and len(found) == 0:
        raise ValueError(f"images{where}: no images, shape {tuple(found.shape)}; give a thousand or more")
    if found.ndim != 4 or min(found.shape) < 1:
        hint = "if they are grey, add a channel: images[:, None]" if found.ndim == 3 else "reshape them"
        if found.ndim == 3 and where:
            hint = f"give a DataLoader, which makes batches, or, {hint}"
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
    """Real numbers on the CPU."""
    try:
        if not isinstance(values, Tensor):  # torch takes no memory that it cannot write to
            values = torch.as_tensor(np.require(values, requirements=["C", "W"]))
        found = values.detach().cpu()
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: {_kind(values)}; give a tensor or an array of numbers ({error})") from None
    if found.is_complex():
        raise ValueError(f"{name}: {found.dtype}; give real numbers, such as the absolute values")
    return found.long() if found.dtype in UNSIGNED else found


def _kind(value: Any) -> str:
    return f"{type(value).__name__} {tuple(value.shape)}" if hasattr(value, "shape") else type(value).__name__
