"""A torch module as the sweeps take it: a copy, from pixels to logits, checked like an entry of `pretrained_models`."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from advlaw.core.images import Images
from advlaw.foreign.checks import CHECKED, RANGED, agree, check, whole
from advlaw.models.classifier import Classifier
from advlaw.models.folded import Pair, foldable
from advlaw.models.store import in_fast_layout
from advlaw.models.wrapped import classifier, said


def device_of(net: nn.Module) -> torch.device:
    """Where the model's first parameter or buffer lies; the CPU if it has none. ValueError if it is no module."""
    if not isinstance(net, nn.Module):
        raise ValueError(
            f"model: {type(net).__name__} is not a torch.nn.Module; wrap it in one whose forward takes images "
            "(B, C, H, W) and returns logits (B, K)"
        )
    return next((tensor.device for tensor in [*net.parameters(), *net.buffers()]), torch.device("cpu"))


def taken(
    net: nn.Module, statistics: dict[str, list[float]], images: Images | Tensor, n_labels: int
) -> tuple[Classifier, int]:
    """A copy of the model, from pixels (B, C, H, W) to logits, in evaluation mode; and how many classes it has.

    `statistics`, mean and std in pixel units, are what pixels are normalised with; `images` are on the model's device.
    Raises ValueError for a model that no attack can be measured on, and for labels beyond its classes.
    """
    pixels = images[:RANGED]
    plain = _classifier(net, statistics, pixels, float64=True, channels_last=False)
    _check_kind(plain, pixels[:1])
    n_classes = _n_classes(plain, pixels, n_labels)
    check("model", plain, pixels, n_classes)
    if n_labels > n_classes:
        raise ValueError(
            f"labels: the largest is {n_labels - 1}, but the model has {n_classes} classes; give class numbers "
            f"from 0 to {n_classes - 1}"
        )
    tried = pixels[:CHECKED]
    channels_last = _answers_alike(plain, in_fast_layout(copy.deepcopy(plain)), tried)
    float64 = _answers_alike(plain, copy.deepcopy(plain).double(), tried.double())
    folded = foldable(whole(plain).net, plain.head(tried), float64)
    return _classifier(net, statistics, pixels, float64, channels_last, folded), n_classes


def _classifier(
    net: nn.Module,
    statistics: dict[str, list[float]],
    pixels: Tensor,
    float64: bool,
    channels_last: bool,
    folded: Sequence[Pair] = (),
) -> Classifier:
    try:
        own = copy.deepcopy(net)
    except Exception as error:  # whatever the person's code raises
        raise ValueError(f"model: copy.deepcopy fails: {said(error)}; correct its __deepcopy__") from error
    model = classifier(own, pixels.shape[1], float64, channels_last, folded)
    for name, values in statistics.items():
        getattr(model.head, name).copy_(torch.tensor(values).view(-1, 1, 1))
    return in_fast_layout(model.to(pixels.device)).eval().requires_grad_(False)


def _check_kind(model: Classifier, pixels: Tensor) -> None:
    """ValueError for class numbers, and for a model that is not of single precision; the checks see to all else."""
    with torch.no_grad():
        try:
            found = model(pixels)
        except Exception:  # whatever the person's code raises
            found = None
    if isinstance(found, Tensor) and not found.is_floating_point():
        raise ValueError(
            f"model: returns {found.dtype}, shape {tuple(found.shape)} for one image, as class numbers are; return the "
            "logits (B, K): drop the last argmax"
        )
    types = {weight.dtype for weight in model.tail.parameters() if weight.is_floating_point()} - {torch.float32}
    if types and (found is None or found.dtype != torch.float32):
        raise ValueError(
            f"model: its parameters are {', '.join(sorted(map(str, types)))}, but attacks are run in torch.float32; "
            "call .float() on the model"
        )


def _n_classes(model: Classifier, pixels: Tensor, n_labels: int) -> int:
    """How many logits the model gives; where it gives none, the checks say why."""
    with torch.no_grad():
        try:
            return int(model(pixels[:1]).shape[1])
        except Exception:  # whatever the person's code raises
            return n_labels


def _answers_alike(model: Classifier, other: Classifier, pixels: Tensor) -> bool:
    """Whether the other also works, in the precision of these pixels, and gives the same logits."""
    with torch.no_grad():
        try:
            logits = other(pixels)
        except Exception:  # whatever the person's code raises
            return False
        return logits.dtype == pixels.dtype and agree(model(pixels.float()), logits)
