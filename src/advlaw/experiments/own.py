"""Take a person's own model: build it, and refuse what no attack could be measured on, before anything else runs."""

import copy
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from advlaw.config.pretrained import OwnFile, OwnModel, OwnModule
from advlaw.models.classifier import Classifier
from advlaw.models.foreign import NAMES_SHOWN, digest, read_tensors
from advlaw.models.own import Whole, contents, said, source_sha256
from advlaw.models.store import Spec, build, in_fast_layout

CHECKED = 6  # images that the model is tried on
SAME = 1e-3  # of the spread of the logits: answers that differ less are the same but for rounding
DYNAMIC = "torch.export.export(net, (images,), dynamic_shapes=({0: torch.export.Dim('batch')},))"


def own_model(
    key: str, settings: OwnModule | OwnFile, images: Tensor, n_labels: int
) -> tuple[Spec, dict[str, Tensor], dict[str, Any]]:
    """The spec and the tensors from which the store builds the model, and where they are from, for the table of models.

    `images` (N, C, H, W) are of its data set, on the device that it will run on, and `n_labels` is how many classes
    their labels know. Raises ValueError naming the entry `key`, what was found, what is allowed and the next step.
    """
    tried = images[:CHECKED]
    n_classes = _n_classes(key, settings, n_labels)
    spec: Spec = {"arch": settings.arch, "image_shape": list(images.shape[1:]), "n_classes": n_classes}
    if isinstance(settings, OwnModule):
        spec |= {"module": settings.module, "arguments": settings.arguments, "sources": source_sha256(settings.module)}
        source = {"source": "own", "module": settings.module, "file": settings.weights}
    else:
        spec |= {"file": settings.file, "sha256": hashlib.sha256(contents(settings.file)).hexdigest()}
        source = {"source": "own", "module": None, "file": settings.file}
    spec |= {"float64": True, "channels_last": False}
    model = _normalised(key, settings, build(spec))
    if isinstance(settings, OwnModule) and settings.weights is not None:
        _fill(key, _whole(model).net, settings.weights)
    model = model.to(images.device).eval().requires_grad_(False)
    check(key, model, tried, n_classes)
    tensors = {name: tensor.clone() for name, tensor in model.state_dict().items()}  # tied ones are kept twice
    spec["float64"] = _is_same(lambda: _in_float64(model, tried), model, tried)
    spec["channels_last"] = _is_same(lambda: in_fast_layout(copy.deepcopy(model))(tried), model, tried)
    _check_rebuilt(key, spec, tensors, model, tried)
    floats = {name: tensor.cpu() for name, tensor in tensors.items() if tensor.is_floating_point()}
    return spec, tensors, {**source, "sha256": digest(floats)}


def _n_classes(key: str, settings: OwnModel, n_labels: int) -> int:
    if settings.classes is not None and settings.classes < n_labels:
        raise ValueError(
            f"{key}.classes = {settings.classes}: {settings.dataset} has labels up to {n_labels - 1}, so at least "
            f"{n_labels} is needed; leave it out, or use the data that the model is made for"
        )
    return settings.classes or n_labels


def _normalised(key: str, settings: OwnModel, model: Classifier) -> Classifier:
    n_channels = len(model.head.mean)
    if len(settings.mean) != n_channels:
        raise ValueError(
            f"{key}.mean, std: {len(settings.mean)} values each; images of {settings.dataset} have {n_channels} "
            "channels; give one value for each"
        )
    model.head.mean.copy_(torch.tensor(settings.mean).view(-1, 1, 1))
    model.head.std.copy_(torch.tensor(settings.std).view(-1, 1, 1))
    return model


def _whole(model: Classifier) -> Whole:
    assert isinstance(model.tail, Whole)
    return model.tail


def _fill(key: str, net: nn.Module, file: str) -> None:
    """Copy the weights in a file into the net: each of its floating-point tensors, and no others."""
    path = Path(file)
    if not path.is_file():
        raise ValueError(f"{key}.weights = {file!r}: no such file from {Path.cwd()}; give the path of a state dict")
    tensors = read_tensors(path.read_bytes(), path)
    wanted = {name: tensor for name, tensor in net.state_dict().items() if tensor.is_floating_point()}
    shapes = {
        name: f"{tuple(tensors[name].shape)}, not {tuple(wanted[name].shape)}" for name in tensors.keys() & wanted
    }
    problems = {
        "the net has, but the file does not": sorted(wanted.keys() - tensors.keys()),
        "the file has, but the net does not": sorted(tensors.keys() - wanted.keys()),
        "of another shape in the file": [
            f"{name} {shapes[name]}" for name in sorted(shapes) if tensors[name].shape != wanted[name].shape
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
            f"{key}.weights = {file!r}: these weights are not of this net:\n"
            + "\n".join(lines)
            + "\n  Next: compare module and arguments with where the file comes from"
        )
    with torch.no_grad():
        for name, tensor in wanted.items():
            tensor.copy_(tensors[name])


def check(key: str, model: Classifier, images: Tensor, n_classes: int) -> None:
    """Whether the model gives logits (B, n_classes) that attacks can be measured on, for a few images (B, C, H, W)."""
    logits = _answer(key, model, images)
    if logits.shape[1] != n_classes:
        raise ValueError(
            f"{key}: gives {logits.shape[1]} logits; the data set has {n_classes} classes; use a model of these, or, "
            f"if it has more classes, of which labels are the numbers, say classes: {logits.shape[1]}"
        )
    if not logits.isfinite().all():
        raise ValueError(f"{key}: logits of clean images are not finite; see its weights, and that mean and std fit it")
    if bool((logits >= 0).all()) and bool(((logits.double().sum(dim=1) - 1).abs() < SAME).all()):
        raise ValueError(
            f"{key}: gives probabilities (no entry is negative, rows sum to 1), in which float32 loses small errors; "
            "return logits: drop the last softmax"
        )
    if not _agree(logits, _answer(key, model, images)):
        raise ValueError(
            f"{key}: gives the same images different logits the second time, although eval() was called; take out what "
            "is random, as dropout with training=True is, or export it after eval()"
        )
    alone = torch.cat([_answer(key, model, image[None]) for image in images])
    if not _agree(logits, alone):
        raise ValueError(
            f"{key}: an image's logits depend on the other images of its batch; normalise with fixed statistics, as "
            "batch normalisation does after eval(), or export it after eval()"
        )
    _check_gradient(key, model, images)


def _answer(key: str, model: Classifier, images: Tensor) -> Tensor:
    """Logits (B, K) float32, or a ValueError."""
    shape = tuple(images.shape)
    try:
        with torch.no_grad():
            logits: object = _whole(model).net(model.head(images))
    except Exception as error:  # whatever the person's code raises
        raise ValueError(
            f"{key}: does not take images (B, C, H, W) = {shape}: {said(error)}; give it the data it is made for, and "
            f"if it was exported for a fixed number of images, export it with a dynamic batch: {DYNAMIC}"
        ) from error
    if not isinstance(logits, Tensor):
        raise ValueError(f"{key}: returns {type(logits).__name__}; return the tensor of logits (B, K) alone")
    if logits.dtype != torch.float32:
        raise ValueError(f"{key}: returns {logits.dtype} of float32 pixels; return float32: call .float() on the model")
    if logits.ndim != 2 or len(logits) != len(images):
        raise ValueError(
            f"{key}: returns shape {tuple(logits.shape)} of images {shape}; return logits (B, K), a row for each image"
        )
    return logits


def _check_gradient(key: str, model: Classifier, images: Tensor) -> None:
    pixels = images.clone().requires_grad_(True)
    with torch.enable_grad():
        logits = model(pixels)
    if not logits.requires_grad:
        raise ValueError(
            f"{key}: its logits have no gradient; take out detach(), no_grad(), inference_mode() and NumPy from forward"
        )
    top = logits.max(dim=1).values - logits.mean(dim=1)
    (gradient,) = torch.autograd.grad(top.sum(), pixels, allow_unused=True)
    if gradient is None or not bool((gradient != 0).any()):
        raise ValueError(
            f"{key}: its logits do not change with the pixels to first order, in any of {len(images)} images; take out "
            "what rounds, quantises or detaches, since attacks follow the gradient"
        )
    if not bool(gradient.isfinite().all()):
        raise ValueError(f"{key}: its gradient is not finite; see what divides by or takes a root of zero in forward")


def _agree(one: Tensor, other: Tensor) -> bool:
    """Whether logits (B, K) are the same but for rounding."""
    spread = float(one.max() - one.min()) or 1.0
    return float((one - other).abs().max()) <= SAME * spread


def _is_same(answer: Callable[[], Tensor], model: Classifier, images: Tensor) -> bool:
    """Whether another way to compute the logits works, and gives the same."""
    with torch.no_grad():
        try:
            found = answer()
        except Exception:  # whatever the person's code raises: then it is computed in the plain way
            return False
        return _agree(model(images), found)


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
