"""Weights that others trained and published: read without running anything, verified, given our names.

A published file is one of safetensors, or what `torch.save` wrote; the latter is a pickle, which may hold code, and is
opened with `weights_only=True` and in no other way.
"""

import io
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load
from torch import Tensor

from advlaw.foreign.settings import Published, Weights
from advlaw.models.classifier import Classifier
from advlaw.models.store import Spec, build, digest

DATA_PARALLEL = "module."
NAMES_SHOWN = 3


def pretrained(spec: Spec, settings: Published, path: Path) -> Classifier:
    """The net of `spec` with the verified weights in the file `path` and the entry's statistics.

    Raises ValueError naming the file, what is wrong with it and what to do next.
    """
    tensors = read_tensors(path.read_bytes(), path)
    found = digest(tensors)
    if found != settings.weights.sha256:
        raise ValueError(other_weights(path, settings.weights.sha256, found))
    model = build(spec)
    fill(model, tensors, settings.weights, path)
    n_channels = len(model.head.mean)
    if len(settings.mean) != n_channels:
        raise ValueError(
            f"mean, std: {len(settings.mean)} values each; images of {settings.dataset} have {n_channels} channels"
        )
    model.head.mean.copy_(torch.tensor(settings.mean).view(-1, 1, 1))
    model.head.std.copy_(torch.tensor(settings.std).view(-1, 1, 1))
    return model


def other_weights(path: Path, expected: str | None, found: str) -> str:
    return (
        f"{path}: other weights than the entry's: sha256 of the tensors expected {expected}, found {found}; get the "
        "file anew; if these are meant after all, set weights.sha256 to what was found"
    )


def read_tensors(content: bytes, path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors or torch file by name, whatever their type; `path` is for the message.

    Only batch normalisation's counters of batches, which no net in evaluation mode uses, are left out. Of a torch file
    it is the entry `state_dict` where there is one; the prefix `module.` of a parallel training is dropped. Raises
    ValueError where the file is neither, or holds what is no plain tensor.
    """
    found: object
    try:
        if content[8:9] == b"{":  # a header in JSON behind its length: safetensors
            found = load(content)
        else:
            found = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a reader stumbles over in a damaged file
        # torch's own message is left out: it advises to open the file in a way that runs its code
        raise ValueError(
            f"{path}: neither a safetensors file nor a torch file of nothing but tensors ({type(error).__name__}); "
            "get it anew, or save its tensors as safetensors where it comes from"
        ) from None
    if isinstance(found, dict):
        found = found.get("state_dict", found)
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise ValueError(f"{path}: holds no mapping of names to tensors; save the net's state_dict() and use that")
    for name, value in found.items():
        if not isinstance(value, Tensor) or value.layout != torch.strided or value.is_quantized:
            what = f"a {value.layout} tensor" if isinstance(value, Tensor) else type(value).__name__
            raise ValueError(
                f"{path}: holds no mapping of names to tensors alone: {name!r} is {what}; save the net's state_dict() "
                "of plain tensors and use that"
            )
    prefix = DATA_PARALLEL if all(name.startswith(DATA_PARALLEL) for name in found) else ""
    return {name.removeprefix(prefix): tensor.detach() for name, tensor in found.items() if not is_counter(name)}


def fits(given: Tensor, place: Tensor) -> bool:
    """Whether a file's tensor is what a net has there: of its shape, and of its type or floating point as it is."""
    is_float = given.is_floating_point() and place.is_floating_point()
    return given.shape == place.shape and (is_float or given.dtype == place.dtype)


def described(tensor: Tensor) -> str:
    return f"{tuple(tensor.shape)}{'' if tensor.is_floating_point() else f' {tensor.dtype}'}"


def is_counter(name: str) -> bool:
    """Whether it is batch normalisation's count of the batches it was trained on."""
    return name.rpartition(".")[2] == "num_batches_tracked"


def our_name(theirs: str, weights: Weights) -> str | None:
    """What a tensor is called in our net: its longest prefix in `keys` replaced, else `other_keys` put in front."""
    parts = theirs.split(".")
    for length in range(len(parts), 0, -1):
        ours = weights.keys.get(".".join(parts[:length]))
        if ours is not None:
            return ".".join([ours, *parts[length:]])
    return None if weights.other_keys is None else f"{weights.other_keys}.{theirs}"


def fill(model: Classifier, tensors: Mapping[str, Tensor], weights: Weights, path: Path) -> None:
    """Copy tensors into the net: all that its state dict holds but for counters of batches, each once.

    Raises ValueError with a line for what is missing, what has no place and what has another shape.
    """
    wanted = {
        name: value
        for name, value in model.state_dict().items()
        if not is_counter(name) and name not in ("head.mean", "head.std")  # these are the entry's own
    }
    theirs = {our_name(name, weights): name for name in sorted(tensors)}  # of two with one name, the last
    missing = [name for name in wanted if name not in theirs]
    placed = {name for ours, name in theirs.items() if ours in wanted}
    homeless = [_without_place(name, our_name(name, weights)) for name in sorted(tensors.keys() - placed)]
    misshapen = [
        f"{theirs[name]} {described(tensors[theirs[name]])} -> {name} {described(value)}"
        for name, value in wanted.items()
        if name in theirs and not fits(tensors[theirs[name]], value)
    ]
    if missing or homeless or misshapen:
        raise ValueError(
            f"{path}: these weights are not of this net:\n"
            + _line("the net has, but the file does not", missing)
            + _line("the file has, but the net does not", homeless)
            + _line("of another shape or type in the net", misshapen)
            + "  Next: compare arch, its sizes, dataset, keys and other_keys with where the file comes from"
        )
    for name, value in wanted.items():
        value.copy_(tensors[theirs[name]])


def _without_place(theirs: str, ours: str | None) -> str:
    return f"{theirs} (in no key)" if ours is None else f"{theirs} -> {ours}"


def _line(what: str, names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return f"  {what}: {', '.join(names[:NAMES_SHOWN])}{more}\n"
