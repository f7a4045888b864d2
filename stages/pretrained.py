"""Take one model whose weights others published.

    python stages/pretrained.py MODEL --params params.yaml      # a key of `pretrained_models`
reads   data/datasets/<dataset>.npz  ·  $ADVLAW_MIRROR or the official place, for the weights
writes  models/<study>/MODEL/:  spec.json  ·  weights.safetensors  ·  row.json (its line of the table of models)
"""

import os
from pathlib import Path

import torch

from advlaw.config.pretrained import PretrainedModel
from advlaw.config.section import read_section, read_sections
from advlaw.core.command import run, stage_arguments
from advlaw.core.io import write_json
from advlaw.core.progress import download_progress
from advlaw.core.runtime import configure
from advlaw.data.dataset import read_dataset
from advlaw.data.download import Place, fetch_for_verification, forget_downloads
from advlaw.models.foreign import pretrained
from advlaw.models.store import FINAL, in_fast_layout, save_model
from advlaw.training.loop import Examples, accuracy


def main() -> None:
    arguments = stage_arguments(__doc__, "model")
    name, params = arguments.model, arguments.params
    settings = read_section(params, f"pretrained_models.{name}", PretrainedModel)
    study, threads, device_name = read_sections(params, study=str, threads=int, device=str)
    device = configure(threads, device_name)
    dataset = read_dataset(Path("data/datasets") / f"{settings.dataset}.npz")
    images, labels = dataset.split("test")

    downloads = Path("data/downloads/pretrained_models") / study / name
    place = Place(os.environ.get("ADVLAW_MIRROR"), downloads, download_progress())
    path, source = fetch_for_verification(settings.weights.file, settings.weights.url, place)
    spec = {**settings.architecture(), "image_shape": list(images.shape[1:]), "n_classes": dataset.n_classes}
    try:
        model = in_fast_layout(pretrained(spec, settings, path).to(device))
    except ValueError:
        forget_downloads(place)  # not what it should be: to be fetched anew
        raise
    test = Examples(torch.from_numpy(images).to(device).float(), torch.from_numpy(labels).to(device))
    row = {
        "model": name,
        "dataset": settings.dataset,
        "arch": settings.arch,
        "labels": "original",
        "n_pixels": images[0].size,
        "n_parameters": sum(p.numel() for p in model.parameters()),
        **dict.fromkeys(("optimizer", "learning_rate", "schedule", "epochs")),
        **dict.fromkeys(("defence", "entropy_weight", "adversarial_images", "overfitted_at")),
        "train_accuracy": None,
        "validation_accuracy": None,
        "test_accuracy": accuracy(model, test),
        "device": device.type,
        "snapshots": [],
        "weights": {"source": source, **settings.weights.model_dump(include={"file", "url", "sha256"})},
    }
    folder = Path("models") / study / name
    save_model(folder, spec, {FINAL: model.state_dict()}, None)
    write_json(folder / "row.json", row)
    forget_downloads(place)
    print(f"{folder}: weights from {source}, test {row['test_accuracy']:.4f}")


if __name__ == "__main__":
    run(main)
