"""Nets built from a spec, and kept as models/<study>/<model>/: spec.json, weights.safetensors, labels.npy.

Beside the final weights are those from training: snapshots/<accuracy>.safetensors and epochs/<number>.safetensors.
Each file holds the digest of its weights, and a net is used only if what it has after loading is what was saved.
"""

import hashlib
import importlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from advlaw.core.io import replacing, write_json
from advlaw.models.classifier import Classifier
from advlaw.models.settings import Spec

FINAL = "weights"
ABOUT, DIGEST = "about", "sha256"


def build(spec: Spec) -> Classifier:
    """The untrained net of a spec {arch, image_shape, n_classes, **sizes}; `arch` names a file of this folder."""
    sizes = {key: value for key, value in spec.items() if key not in ("arch", "image_shape", "n_classes")}
    module = importlib.import_module(f"advlaw.models.{spec['arch']}")
    return module.build(tuple(spec["image_shape"]), spec["n_classes"], **sizes)


def save_model(
    folder: Path,
    spec: Spec,
    states: Mapping[str, Mapping[str, Tensor]],
    labels: np.ndarray | None,
) -> None:
    """Write a trained net; `labels` (n,) are the labels it was fitted to where those were shuffled.

    `states` maps FINAL, `at_accuracy(...)` and `at_epoch(...)` to weights.
    """
    write_json(folder / "spec.json", spec)
    for state, tensors in states.items():
        with replacing(_weights_path(folder, state)) as temporary:
            temporary.write_bytes(packed(tensors))
    if labels is not None:
        with replacing(folder / "labels.npy") as temporary, temporary.open("wb") as file:
            np.save(file, labels)


def packed(tensors: Mapping[str, Tensor], **about: Any) -> bytes:
    """A safetensors file of weights with their digest and what else is to be known of them, as JSON can hold it.

    All under one key: safetensors writes several in any order.
    """
    plain = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    return save(plain, metadata={ABOUT: json.dumps({DIGEST: digest(plain), **about}, sort_keys=True)})


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A safetensors file to be read; ValueError where it is damaged, or holds other tensors than a net asks for."""
    try:
        with safe_open(path, "pt") as file:
            yield file
    except (SafetensorError, RuntimeError) as error:
        raise ValueError(
            f"{path}: cannot be loaded: {error}; make it anew with `dvc repro --force`, after `make clean-cache` if it "
            "is of a set"
        ) from error


def _about(file: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((file.metadata() or {}).get(ABOUT, "{}"))
    return found


def told_of(path: Path) -> dict[str, Any]:
    """What `packed` wrote beside the weights; ValueError where the file is damaged."""
    with _opened(path) as file:
        return _about(file)


def at_accuracy(snapshot: float | None) -> str:
    """The state after the first epoch with a training accuracy of `snapshot`; None is the end of training."""
    return FINAL if snapshot is None else f"snapshots/{snapshot:g}"


def at_epoch(epoch: int) -> str:
    """The state after an epoch."""
    return f"epochs/{epoch}"


def _weights_path(folder: Path, state: str) -> Path:
    return folder / f"{state}.safetensors"


def kept_epochs(folder: Path) -> list[int]:
    """The epochs after which weights were kept, rising."""
    return sorted(int(path.stem) for path in folder.glob("epochs/*.safetensors"))


def has_state(folder: Path, state: str) -> bool:
    """Whether training got as far as this state."""
    return _weights_path(folder, state).exists()


@dataclass(frozen=True)
class Stored:
    """A net that is kept: what it is, and the file with its weights."""

    spec: Spec
    weights: Path


def stored(folder: Path, state: str = FINAL) -> Stored:
    """The net in a folder, or a state from its training."""
    spec = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
    return Stored(spec, _weights_path(folder, state).absolute())


def load_model(folder: Path, device: torch.device, state: str = FINAL) -> Classifier:
    """The trained net, or a state from its training; see `load_net`."""
    kept = stored(folder, state)
    return load_net(kept.spec, kept.weights, device)


def load_net(spec: Spec, path: Path, device: torch.device) -> Classifier:
    """The net of a spec with the weights that `packed` wrote to `path`, in evaluation mode with frozen weights.

    Raises ValueError where the file is damaged, or the net's weights are not those that were saved.
    """
    model = build(spec)
    with _opened(path) as file:
        model.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118, it is no dict
        saved = _about(file).get(DIGEST)
    if digest(model.state_dict()) != saved:
        raise ValueError(
            f"self-check failed: weights loaded are the weights saved: {path}: the net has others after loading; make "
            "it anew with `dvc repro --force`, and see what its code does with a state dict"
        )
    return in_fast_layout(model.to(device)).eval().requires_grad_(False)


def digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of what a file says, whatever its format: names, types and shapes in JSON, then the values' bytes.

    All in the order of the sorted names; values row by row and little-endian.
    """
    names = sorted(tensors)
    header = [[name, str(tensors[name].dtype).removeprefix("torch."), list(tensors[name].shape)] for name in names]
    total = hashlib.sha256(json.dumps(header).encode())
    for name in names:
        total.update(tensors[name].cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return total.hexdigest()


def in_fast_layout(model: Classifier) -> Classifier:
    """The same net, on a CPU with its convolutions' weights channels-last: twice as fast there, slower on a GPU."""
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d) and not layer.weight.is_cuda:
            layer.to(memory_format=torch.channels_last)
    return model


def fitted_labels(folder: Path) -> np.ndarray | None:
    """The shuffled labels (n,) of the fitted split, or None where the true ones were used."""
    path = folder / "labels.npy"
    return np.load(path, allow_pickle=False) if path.exists() else None
