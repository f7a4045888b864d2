"""Weights that others trained and published: read without running anything, verified, given our names.

A published file is one of safetensors, or what `torch.save` wrote; the latter is a pickle, which may hold code, and is
opened with `weights_only=True` and in no other way.
"""

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load
from torch import Tensor

from advlaw.config.pretrained import Pretrained, Weights
from advlaw.models.classifier import Classifier
from advlaw.models.store import Spec, build

DATA_PARALLEL = "module."
NAMES_SHOWN = 3


def pretrained(spec: Spec, settings: Pretrained, path: Path) -> Classifier:
    """The net of `spec` with the verified weights in the file `path` and the entry's statistics.

    Raises ValueError naming the file, what is wrong with it and what to do next.
    """
    tensors = read_tensors(path.read_bytes(), path)
    found = digest(tensors)
    if found != settings.weights.sha256:
        raise ValueError(
            f"{path}: other weights than the entry's: sha256 of the tensors expected {settings.weights.sha256}, "
            f"found {found}; get the file anew; if these are meant after all, set weights.sha256 to what was found"
        )
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


def read_tensors(content: bytes, path: Path) -> dict[str, Tensor]:
    """The floating-point tensors of a safetensors or torch file by name; `path` is for the message.

    Others, such as batch normalisation's counters of batches, are left out. Of a torch file it is the entry
    `state_dict` where there is one; the prefix `module.` of a parallel training is dropped. Raises ValueError where
    the file is neither, or holds more than tensors and plain values.
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
    if not isinstance(found, dict) or not all(map(_is_named_tensor, found.keys(), found.values())):
        raise ValueError(f"{path}: holds no mapping of names to tensors; save the net's state_dict() and use that")
    prefix = DATA_PARALLEL if all(name.startswith(DATA_PARALLEL) for name in found) else ""
    return {name.removeprefix(prefix): tensor.detach() for name, tensor in found.items() if tensor.is_floating_point()}


def _is_named_tensor(name: object, value: object) -> bool:
    return isinstance(name, str) and isinstance(value, Tensor) and value.layout == torch.strided


def digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of what a file says, whatever its format: names, types and shapes in JSON, then the values' bytes.

    All in the order of the sorted names; values row by row and little-endian.
    """
    names = sorted(tensors)
    header = [[name, str(tensors[name].dtype).removeprefix("torch."), list(tensors[name].shape)] for name in names]
    total = hashlib.sha256(json.dumps(header).encode())
    for name in names:
        total.update(tensors[name].contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return total.hexdigest()


def our_name(theirs: str, weights: Weights) -> str | None:
    """What a tensor is called in our net: its longest prefix in `keys` replaced, else `other_keys` put in front."""
    parts = theirs.split(".")
    for length in range(len(parts), 0, -1):
        ours = weights.keys.get(".".join(parts[:length]))
        if ours is not None:
            return ".".join([ours, *parts[length:]])
    return None if weights.other_keys is None else f"{weights.other_keys}.{theirs}"


def fill(model: Classifier, tensors: Mapping[str, Tensor], weights: Weights, path: Path) -> None:
    """Copy tensors into the net: every weight and every statistic of a batch normalisation, each once.

    Raises ValueError with a line for what is missing, what has no place and what has another shape.
    """
    wanted = {
        name: value
        for name, value in model.state_dict().items()
        if value.is_floating_point() and name not in ("head.mean", "head.std")  # these are the entry's own
    }
    theirs = {our_name(name, weights): name for name in sorted(tensors)}  # of two with one name, the last
    missing = [name for name in wanted if name not in theirs]
    placed = {name for ours, name in theirs.items() if ours in wanted}
    homeless = [_without_place(name, our_name(name, weights)) for name in sorted(tensors.keys() - placed)]
    misshapen = [
        f"{theirs[name]} {tuple(tensors[theirs[name]].shape)} -> {name} {tuple(value.shape)}"
        for name, value in wanted.items()
        if name in theirs and tensors[theirs[name]].shape != value.shape
    ]
    if missing or homeless or misshapen:
        raise ValueError(
            f"{path}: these weights are not of this net:\n"
            + _line("the net has, but the file does not", missing)
            + _line("the file has, but the net does not", homeless)
            + _line("of another shape in the net", misshapen)
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
