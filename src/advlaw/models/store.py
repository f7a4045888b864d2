"""Nets built from a spec, and kept as models/<study>/<model>/: spec.json, weights.safetensors, labels.npy."""

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load, save
from torch import nn

from advlaw.core.io import replacing, write_json
from advlaw.models.classifier import Classifier

Spec = dict[str, Any]


def build(spec: Spec) -> Classifier:
    """The untrained net of a spec {arch, image_shape, n_classes, **sizes}; `arch` names a file of this folder."""
    sizes = {key: value for key, value in spec.items() if key not in ("arch", "image_shape", "n_classes")}
    module = importlib.import_module(f"advlaw.models.{spec['arch']}")
    return module.build(tuple(spec["image_shape"]), spec["n_classes"], **sizes)


def save_model(folder: Path, spec: Spec, model: nn.Module, labels: np.ndarray | None) -> None:
    """Write a trained net; `labels` (n,) are the labels it was fitted to where those were shuffled."""
    write_json(folder / "spec.json", spec)
    tensors = {name: tensor.cpu().contiguous() for name, tensor in model.state_dict().items()}
    with replacing(folder / "weights.safetensors") as temporary:
        temporary.write_bytes(save(tensors))
    if labels is not None:
        with replacing(folder / "labels.npy") as temporary, temporary.open("wb") as file:
            np.save(file, labels)


def load_model(folder: Path, device: torch.device) -> Classifier:
    """The trained net in evaluation mode, with frozen weights."""
    model = build(json.loads((folder / "spec.json").read_text(encoding="utf-8")))
    model.load_state_dict(load((folder / "weights.safetensors").read_bytes()))
    return in_fast_layout(model.to(device)).eval().requires_grad_(False)


def in_fast_layout(model: Classifier) -> Classifier:
    """The same net with the weights of its convolutions in channels-last layout, which doubles their speed."""
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            layer.to(memory_format=torch.channels_last)
    return model


def fitted_labels(folder: Path) -> np.ndarray | None:
    """The shuffled labels (n,) of the fitted split, or None where the true ones were used."""
    path = folder / "labels.npy"
    return np.load(path, allow_pickle=False) if path.exists() else None
