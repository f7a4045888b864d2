"""Take one model that is not trained here: published weights, or a person's own model, which is checked first.

    python stages/pretrained.py MODEL --params params.yaml      # a key of `pretrained_models`
reads   data/datasets/<dataset>.npz  ·  $ADVLAW_MIRROR or the official place, for published weights
        ·  of a person's own model, the code or files that its entry names
writes  models/<study>/MODEL/:  spec.json  ·  weights.safetensors  ·  row.json (its line of the table of models)
"""

import math
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor

from advlaw.core.code import sha256
from advlaw.core.command import run, stage_arguments
from advlaw.core.dataset import dataset_path, read_dataset
from advlaw.core.examples import examples
from advlaw.core.images import Images, is_small
from advlaw.core.io import write_json
from advlaw.core.progress import download_progress
from advlaw.core.runtime import configure
from advlaw.core.section import read_section, read_sections
from advlaw.data.download import DownloadPlace, fetch_for_verification, forget_downloads
from advlaw.foreign.checks import RANGED, optimises
from advlaw.foreign.settings import OwnModule, Place, PretrainedModel, Timm
from advlaw.foreign.taken import own_model, view_of
from advlaw.foreign.timm_record import filled
from advlaw.foreign.weights import pretrained
from advlaw.models.classifier import Classifier
from advlaw.models.store import FINAL, Spec, in_fast_layout, load_model, save_model
from advlaw.models.wrapped import Whole
from advlaw.training.accuracy import ranked_accuracy

FEW = 24  # as many of large ones


def main() -> None:
    arguments = stage_arguments(__doc__, "model")
    name, params = arguments.model, arguments.params
    key = f"{params}: pretrained_models.{name}"
    settings = read_section(params, f"pretrained_models.{name}", PretrainedModel)
    study, threads, device_name, portable = read_sections(params, study=str, threads=int, device=str, portable=bool)
    device = configure(threads, device_name, portable)
    if isinstance(settings, Timm):
        settings = filled(key, settings)
    path = dataset_path(settings.dataset)
    dataset = read_dataset(path)
    view = view_of(key, settings, dataset)
    test = examples(dataset, "test", device, view=view)

    folder = Path("models") / study / name
    place = DownloadPlace(
        os.environ.get("ADVLAW_MIRROR"), Path("data/downloads/pretrained_models") / study / name, download_progress()
    )
    spec, tensors, source = _taken(key, settings, test.images, dataset.n_classes, place)
    save_model(folder, spec, {FINAL: tensors}, None)
    model = load_model(folder, device)
    defence = settings.defence or _defence(key, model, test.images)
    right, in_top = ranked_accuracy(model, test)
    row = {
        "model": name,
        "dataset": settings.dataset,
        "dataset_sha256": sha256(path),
        "holds": dataset.holds,
        "view": view and asdict(view),
        "arch": settings.arch,
        "network": getattr(settings, "name", None),
        "labels": "original",
        "n_pixels": math.prod(test.images.shape),
        "n_parameters": sum(p.numel() for p in model.parameters()),
        **dict.fromkeys(("optimizer", "learning_rate", "schedule", "epochs")),
        **dict.fromkeys(("entropy_weight", "adversarial_images", "overfitted_at")),
        "defence": defence,
        "stands_for": settings.stands_for,
        "train_accuracy": None,
        "validation_accuracy": None,
        "test_accuracy": right,
        "test_top5_accuracy": in_top,
        "published_accuracy": settings.published_accuracy,
        "device": device.type,
        "snapshots": [],
        "weights": source,
    }
    write_json(folder / "row.json", row)
    print(f"{folder}: weights from {source['source']}, test {right:.4f}")


def _defence(key: str, model: Classifier, images: Images | Tensor) -> str | None:
    """What a model shows of one that its entry does not name."""
    if not isinstance(model.tail, Whole) or not optimises(model, images[:RANGED]):
        return None
    print(
        f"warning: {key}: takes gradients to give its answers, as a defence that optimises when it is tested: attacks "
        "see of that only what its own graph lets through, and it may be less robust than it looks"
    )
    return "optimises when tested"


def _taken(
    key: str, settings: Any, images: Images | Tensor, n_classes: int, place: DownloadPlace
) -> tuple[Spec, dict[str, Tensor], dict[str, Any]]:
    """The spec, the weights, and where they are from."""
    tried = images[: RANGED if is_small(images.shape) else FEW]
    weights = getattr(settings, "weights", None)
    if not isinstance(weights, Place):
        return own_model(key, settings, tried, n_classes)
    path, source = fetch_for_verification(weights.file, weights.url, place)
    origin = {"source": source, **weights.model_dump(include={"file", "url", "sha256"})}
    try:
        if isinstance(settings, OwnModule | Timm):
            spec, tensors, found = own_model(key, settings, tried, n_classes, path)
            if weights.sha256 is None:
                print(f"{key}.weights: sha256 {found['published_sha256']}; put it into the entry to have it checked")
            return spec, tensors, {**origin, "sha256": found["published_sha256"]}
        spec = settings.architecture.spec(list(images.shape), n_classes)
        return spec, in_fast_layout(pretrained(spec, settings, path).to(images.device)).state_dict(), origin
    finally:
        forget_downloads(place)  # also what is not as it should be: to be fetched anew


if __name__ == "__main__":
    run(main)
