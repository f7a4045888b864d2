"""How an audit's images are shown to its model: which pixels of a file, and how they are normalised."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advlaw.audit.params import DATASET
from advlaw.core.dataset import Dataset
from advlaw.core.pictures import Files
from advlaw.core.section import validate
from advlaw.foreign.settings import Normalised, Timm
from advlaw.foreign.timm_record import filled

IMAGENET = ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375])
SIZE, CROP = 224, 0.875  # of ImageNet's classifiers: 224 of 256


@dataclass(frozen=True)
class Look:
    """What is given of it; None is what is usual, or what timm records."""

    mean: list[float] | None
    std: list[float] | None
    size: int | None
    resize: int | None
    interpolation: str | None
    channels: int

    def check(self) -> None:
        """ValueError for what fits no images."""
        given = self.mean or self.std
        if given is not None:
            usual = _usual(len(given))
            entry = {"dataset": DATASET, "mean": self.mean or usual[0], "std": self.std or usual[1]}
            validate(entry, Normalised, Path("--mean, --std"))
        if self.size is not None and self.resize is not None and self.resize < self.size:
            raise ValueError(f"--resize {self.resize}: must be at least --size {self.size}, which is cut from it")


def shown(look: Look, model: dict[str, Any], dataset: Dataset) -> dict[str, Any]:
    """What the entry of `pretrained_models` says of it; of a timm net, None is what timm records."""
    if model["arch"] == "timm":
        return {"mean": look.mean, "std": look.std, "input": _timm_input(look, model)}
    n_channels = look.channels if isinstance(dataset.images, Files) else dataset.images.shape[1]
    mean, std = _statistics(look, n_channels)
    entry = {"classes": dataset.n_classes, "mean": mean, "std": std}
    if isinstance(dataset.images, Files):
        size = look.size or SIZE
        resize, interpolation = look.resize or round(size / CROP), look.interpolation or "bilinear"
        entry["input"] = {"size": size, "resize": resize, "interpolation": interpolation}
    return entry


def image_shape(entry: dict[str, Any], dataset: Dataset) -> tuple[int, ...]:
    """(C, H, W) of an image, those of ImageNet's classifiers where timm knows them and we do not yet."""
    if not isinstance(dataset.images, Files):
        return dataset.image_shape
    size = entry["input"]["size"] if entry["input"] else SIZE
    return len(entry["mean"] or IMAGENET[0]), size, size


def _timm_input(look: Look, model: dict[str, Any]) -> dict[str, Any] | None:
    if look.size is look.resize is look.interpolation is None:
        return None  # and timm, which takes seconds to import, is not asked here
    net = validate({"dataset": DATASET, **model}, Timm, Path("--timm"))
    record = filled("--timm", net).input
    assert record is not None
    size = look.size or record.size
    resize = look.resize or round(size / record.size * record.resize)
    return {"size": size, "resize": resize, "interpolation": look.interpolation or record.interpolation}


def _usual(n_channels: int) -> tuple[list[float], list[float]]:
    return IMAGENET if n_channels == len(IMAGENET[0]) else ([0.0] * n_channels, [255.0] * n_channels)


def _statistics(look: Look, n_channels: int) -> tuple[list[float], list[float]]:
    found = (look.mean or _usual(n_channels)[0], look.std or _usual(n_channels)[1])
    for option, values in zip(("--mean", "--std"), found, strict=True):
        if len(values) != n_channels:
            raise ValueError(
                f"{option}: {len(values)} values, but the images have {n_channels} channels; give one per channel"
            )
    return found
