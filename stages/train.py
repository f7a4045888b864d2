"""Train one model.

    python stages/train.py MODEL --params params.yaml      # a key of `models`
reads   data/datasets/<dataset>.npz
writes  models/<study>/MODEL/:  spec.json  ·  weights.safetensors  ·  row.json (its line of the table of models)
        ·  labels.npy where labels were shuffled  ·  snapshots/<accuracy>.safetensors
        ·  epochs/<number>.safetensors
        plots/<study>/training/MODEL.csv: the training curve
"""

from pathlib import Path

import numpy as np
import torch

from advlaw.config.model import Model, architecture
from advlaw.config.section import read_section, read_sections
from advlaw.core.command import run, stage_arguments
from advlaw.core.io import write_csv, write_json
from advlaw.core.rng import derived_seed
from advlaw.core.runtime import configure
from advlaw.data.dataset import read_dataset, shuffled_labels
from advlaw.models.store import FINAL, at_accuracy, at_epoch, build, in_fast_layout, save_model
from advlaw.training.checkpoint import Checkpoint
from advlaw.training.loop import Examples, accuracy, train


def main() -> None:
    arguments = stage_arguments(__doc__, "model")
    name, params = arguments.model, arguments.params
    settings = read_section(params, f"models.{name}", Model)
    study, seed, threads, device_name = read_sections(params, study=str, seed=int, threads=int, device=str)
    device = configure(threads, device_name)
    dataset_path = Path("data/datasets") / f"{settings.dataset}.npz"
    dataset = read_dataset(dataset_path)

    def examples(images: np.ndarray, labels: np.ndarray) -> Examples:
        return Examples(torch.from_numpy(images).to(device).float(), torch.from_numpy(labels).to(device))

    images, labels = dataset.split("train")
    is_shuffled = settings.labels == "shuffled"
    if is_shuffled:
        labels = shuffled_labels(labels, seed, settings.dataset)
    fitted = examples(images, labels)

    spec = {**architecture(settings), "image_shape": list(images.shape[1:]), "n_classes": dataset.n_classes}
    torch.manual_seed(derived_seed(seed, "weights", name))
    model = build(spec)
    model.head.set_statistics(fitted.images.cpu())
    model = in_fast_layout(model.to(device))
    checkpoint = Checkpoint(
        {"seed": seed, "model": name, "device": device.type, **settings.model_dump(mode="json")}, [dataset_path]
    )
    history = train(name, model, fitted, examples(*dataset.split("validation")), settings, seed, checkpoint)

    folder = Path("models") / study / name
    rows = history.rows
    row = {
        "model": name,
        "dataset": settings.dataset,
        "arch": settings.arch,
        "labels": settings.labels,
        "n_pixels": fitted.images[0].numel(),
        "n_parameters": sum(p.numel() for p in model.parameters()),
        "optimizer": settings.optimizer,
        "schedule": settings.schedule,
        "epochs": len(rows),
        "train_accuracy": rows[-1]["train_accuracy"],
        "validation_accuracy": rows[-1]["validation_accuracy"],
        "test_accuracy": accuracy(model, examples(*dataset.split("test"))),
        "device": device.type,
        "snapshots": [{"snapshot": at, **(history.first_at(at) or {})} for at in history.snapshots],
    }
    states = {
        FINAL: model.state_dict(),
        **{at_accuracy(accuracy): weights for accuracy, weights in history.snapshots.items()},
        **{at_epoch(epoch): weights for epoch, weights in history.epochs.items()},
    }
    save_model(folder, spec, states, labels if is_shuffled else None)
    write_json(folder / "row.json", row)
    write_csv(Path("plots") / study / "training" / f"{name}.csv", list(rows[0]), rows)
    checkpoint.remove()
    for missed in sorted(set(settings.snapshots) - history.snapshots.keys()):
        print(f"{folder}: a training accuracy of {missed:g} was never reached; it has no such snapshot")
    print(f"{folder}: {row['epochs']} epochs, train {row['train_accuracy']:.4f}, test {row['test_accuracy']:.4f}")


if __name__ == "__main__":
    run(main)
