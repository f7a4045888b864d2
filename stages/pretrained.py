"""Take one model that is not trained here: published weights, or a person's own model, which is checked first.

    python stages/pretrained.py MODEL --params params.yaml      # a key of `pretrained_models`
reads   data/datasets/<dataset>.npz  ·  $ADVLAW_MIRROR or the official place, for published weights
        ·  of a person's own model, the code or files that its entry names
writes  models/<study>/MODEL/:  spec.json  ·  weights.safetensors  ·  row.json (its line of the table of models)
"""

import math
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from advlaw.core.code import sha256
from advlaw.core.command import run, stage_arguments
from advlaw.core.dataset import dataset_path, read_dataset
from advlaw.core.examples import examples
from advlaw.core.io import write_json
from advlaw.core.progress import download_progress
from advlaw.core.runtime import configure
from advlaw.core.section import read_section, read_sections
from advlaw.data.download import DownloadPlace, fetch_for_verification, forget_downloads
from advlaw.foreign.checks import RANGED
from advlaw.foreign.settings import OwnFile, OwnModule, PretrainedModel
from advlaw.foreign.taken import own_model
from advlaw.foreign.weights import pretrained
from advlaw.models.store import FINAL, Spec, in_fast_layout, load_model, save_model
from advlaw.training.accuracy import accuracy


def main() -> None:
    arguments = stage_arguments(__doc__, "model")
    name, params = arguments.model, arguments.params
    settings = read_section(params, f"pretrained_models.{name}", PretrainedModel)
    study, threads, device_name, portable = read_sections(params, study=str, threads=int, device=str, portable=bool)
    device = configure(threads, device_name, portable)
    path = dataset_path(settings.dataset)
    dataset = read_dataset(path)
    test = examples(dataset, "test", device)

    folder = Path("models") / study / name
    downloads = Path("data/downloads/pretrained_models") / study / name
    if isinstance(settings, OwnModule | OwnFile):
        key = f"{params}: pretrained_models.{name}"
        spec, tensors, source = own_model(key, settings, test.images[:RANGED], dataset.n_classes)
    else:
        shape = list(test.images.shape), dataset.n_classes
        spec, tensors, source = _published(settings, shape, downloads, device)
    save_model(folder, spec, {FINAL: tensors}, None)
    model = load_model(folder, device)
    row = {
        "model": name,
        "dataset": settings.dataset,
        "dataset_sha256": sha256(path),
        "arch": settings.arch,
        "labels": "original",
        "n_pixels": math.prod(test.images.shape),
        "n_parameters": sum(p.numel() for p in model.parameters()),
        **dict.fromkeys(("optimizer", "learning_rate", "schedule", "epochs")),
        **dict.fromkeys(("defence", "entropy_weight", "adversarial_images", "overfitted_at")),
        "train_accuracy": None,
        "validation_accuracy": None,
        "test_accuracy": accuracy(model, test),
        "device": device.type,
        "snapshots": [],
        "weights": source,
    }
    write_json(folder / "row.json", row)
    print(f"{folder}: weights from {source['source']}, test {row['test_accuracy']:.4f}")


def _published(
    settings: Any, shape: tuple[list[int], int], downloads: Path, device: torch.device
) -> tuple[Spec, dict[str, Tensor], dict[str, Any]]:
    """The spec, the verified weights, and where they are from."""
    place = DownloadPlace(os.environ.get("ADVLAW_MIRROR"), downloads, download_progress())
    weights = settings.weights
    path, source = fetch_for_verification(weights.file, weights.url, place)
    spec = settings.architecture.spec(*shape)
    try:
        model = in_fast_layout(pretrained(spec, settings, path).to(device))
    finally:
        forget_downloads(place)  # also what is not as it should be: to be fetched anew
    return spec, model.state_dict(), {"source": source, **weights.model_dump(include={"file", "url", "sha256"})}


if __name__ == "__main__":
    run(main)
