"""Take a person's own model: build it, and refuse what no attack could be measured on, before anything else runs."""

import copy
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from advlaw.core.dataset import Dataset
from advlaw.core.pictures import Files, View
from advlaw.foreign.checks import CHECKED, agree, check, whole
from advlaw.foreign.settings import Normalised, OwnFile, OwnModel, OwnModule, Place, Taken, Timm
from advlaw.foreign.timm_record import library
from advlaw.foreign.weights import NAMES_SHOWN, described, fits, is_counter, other_weights, read_tensors
from advlaw.models.classifier import Classifier
from advlaw.models.folded import foldable
from advlaw.models.store import Spec, build, digest, in_fast_layout
from advlaw.models.wrapped import contents, source_sha256


def own_model(
    key: str, settings: OwnModule | OwnFile | Timm, images: Tensor, n_labels: int, weights: Path | None = None
) -> tuple[Spec, dict[str, Tensor], dict[str, Any]]:
    """The spec and the tensors from which the store builds the model, and where they are from, for the table of models.

    `images` (N, C, H, W) are of its data set, on the device that it will run on, `n_labels` is how many classes their
    labels know, and `weights` is where the file of a timm net lies. Raises ValueError naming the entry `key`, what was
    found, what is allowed and the next step.
    """
    tried = images[:CHECKED]
    n_classes = _n_classes(key, settings, n_labels)
    spec: Spec = {"arch": settings.arch, "image_shape": list(images.shape[1:]), "n_classes": n_classes}
    if isinstance(settings, OwnModule):
        spec |= {"module": settings.module, "arguments": settings.arguments, "sources": source_sha256(settings.module)}
        source = {"source": "own", "module": settings.module, "file": settings.weights}
    elif isinstance(settings, Timm):
        spec |= {"name": settings.name, "arguments": settings.arguments, "version": library().__version__}
        source = {"source": "own", "module": None, "file": settings.weights}  # of a `Place`, the stage knows better
    else:
        spec |= {"file": settings.file, "sha256": hashlib.sha256(contents(settings.file)).hexdigest()}
        source = {"source": "own", "module": None, "file": settings.file}
    spec |= {"float64": True, "channels_last": False}
    model = _normalised(key, settings, build(spec))
    _check_state(key, whole(model).net)
    if isinstance(own := getattr(settings, "weights", None), str):
        weights = Path(own)
    if weights is not None:
        source |= {"published_sha256": _fill(key, settings, whole(model).net, weights)}
    model = model.to(images.device).eval().requires_grad_(False)
    check(key, model, images, n_classes)
    tensors = {name: tensor.clone() for name, tensor in model.state_dict().items()}  # tied ones are kept twice
    spec["float64"] = _is_same(lambda: _in_float64(model, tried), model, tried)
    spec["channels_last"] = _is_same(lambda: in_fast_layout(copy.deepcopy(model))(tried), model, tried)
    if not isinstance(settings, OwnFile):
        spec["folded"] = foldable(whole(model).net, model.head(tried), spec["float64"])
    _check_rebuilt(key, spec, tensors, model, tried)
    return spec, tensors, {**source, "sha256": digest(tensors)}


def view_of(key: str, settings: Taken, dataset: Dataset) -> View | None:
    """What the net is shown of the files of its data set; None where that holds pixels. ValueError for a mismatch."""
    shown = getattr(settings, "input", None)
    if not isinstance(dataset.images, Files):
        if shown is not None and not isinstance(settings, Timm):
            raise ValueError(f"{key}.input: {settings.dataset} holds pixels and not files; leave it out")
        return None
    if shown is None:
        raise ValueError(
            f"{key}: {settings.dataset} is a folder of files, and the entry has no input; give its size, resize and "
            "interpolation"
        )
    assert isinstance(settings, Normalised | Timm)
    return View(**shown.model_dump(), channels=len(settings.mean or ()))


def _n_classes(key: str, settings: OwnModel | Timm, n_labels: int) -> int:
    if isinstance(settings, Timm):
        return n_labels
    if settings.classes is not None and settings.classes < n_labels:
        raise ValueError(
            f"{key}.classes = {settings.classes}: {settings.dataset} has labels up to {n_labels - 1}, so at least "
            f"{n_labels} is needed; leave it out, or use the data that the model is made for"
        )
    return settings.classes or n_labels


def _normalised(key: str, settings: OwnModel | Timm, model: Classifier) -> Classifier:
    assert settings.mean is not None
    assert settings.std is not None
    n_channels = len(model.head.mean)
    if len(settings.mean) != n_channels:
        raise ValueError(
            f"{key}.mean, std: {len(settings.mean)} values each; images of {settings.dataset} have {n_channels} "
            "channels; give one value for each"
        )
    model.head.mean.copy_(torch.tensor(settings.mean).view(-1, 1, 1))
    model.head.std.copy_(torch.tensor(settings.std).view(-1, 1, 1))
    return model


def _check_state(key: str, net: nn.Module) -> None:
    """A state dict may hold anything; here it must be tensors, which are kept and read without running code."""
    for name, value in net.state_dict().items():
        if not isinstance(value, Tensor) or value.layout != torch.strided or value.is_quantized:
            raise ValueError(
                f"{key}: its state_dict() holds {name!r}, which is no plain tensor and cannot be kept; "
                "put what it computes with into parameters and buffers, or export the model with torch.export"
            )


def _fill(key: str, settings: OwnModel | Timm, net: nn.Module, path: Path) -> str:
    """Copy a file's tensors into the net: all that its state dict holds but for counters of batches, and no others.

    Returns their SHA-256, which is that of the entry if it has one.
    """
    if not path.is_file():
        raise ValueError(
            f"{key}.weights = {str(path)!r}: no such file from {Path.cwd()}; give the path of a state dict"
        )
    tensors = read_tensors(path.read_bytes(), path)
    found = digest(tensors)
    place = getattr(settings, "weights", None)
    if isinstance(place, Place) and place.sha256 not in (None, found):
        raise ValueError(other_weights(path, place.sha256, found))
    wanted = {name: value for name, value in net.state_dict().items() if not is_counter(name)}
    both = sorted(tensors.keys() & wanted.keys())
    problems = {
        "the net has, but the file does not": sorted(wanted.keys() - tensors.keys()),
        "the file has, but the net does not": sorted(tensors.keys() - wanted.keys()),
        "of another shape or type in the file": [
            f"{name} {described(tensors[name])}, not {described(wanted[name])}"
            for name in both
            if not fits(tensors[name], wanted[name])
        ],
    }
    if any(problems.values()):
        lines = [
            f"  {what}: {', '.join(names[:NAMES_SHOWN])}"
            + f" and {len(names) - NAMES_SHOWN} more" * (len(names) > NAMES_SHOWN)
            for what, names in problems.items()
            if names
        ]
        raise ValueError(
            f"{key}.weights = {str(path)!r}: these weights are not of this net:\n"
            + "\n".join(lines)
            + "\n  Next: compare module and arguments with where the file comes from"
        )
    with torch.no_grad():
        for name, tensor in wanted.items():
            tensor.copy_(tensors[name])
    return found


def _is_same(answer: Callable[[], Tensor], model: Classifier, images: Tensor) -> bool:
    """Whether another way to compute the logits works, and gives the same."""
    with torch.no_grad():
        try:
            found = answer()
        except Exception:  # whatever the person's code raises: then it is computed in the plain way
            return False
        return agree(model(images), found)


def _in_float64(model: Classifier, images: Tensor) -> Tensor:
    logits = copy.deepcopy(model).double()(images.double())
    if logits.dtype != torch.float64:
        raise ValueError("it computes in single precision all the same")
    return logits


def _check_rebuilt(key: str, spec: Spec, tensors: Mapping[str, Tensor], model: Classifier, images: Tensor) -> None:
    again = build(spec)
    again.load_state_dict(tensors)
    again = in_fast_layout(again.to(images.device)).eval().requires_grad_(False)
    if not _is_same(lambda: again(images), model, images):
        raise ValueError(
            f"{key}: made anew with the same weights it gives other logits; keep all that it computes with in its "
            "state_dict(): use register_buffer, and no random numbers outside of parameters"
        )
