"""One net from its params to models/<study>/<name>/: built, trained, measured on the test images, written."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from advlaw.core.io import write_csv, write_json
from advlaw.core.rng import derived_seed
from advlaw.data.dataset import Dataset, read_dataset, shuffled_labels
from advlaw.models.classifier import Classifier
from advlaw.models.store import FINAL, at_accuracy, at_epoch, build, in_fast_layout, save_model
from advlaw.training.checkpoint import Checkpoint
from advlaw.training.loop import Defence, Examples, History, accuracy, train
from advlaw.training.overfitting import overfitted_at
from advlaw.training.settings import Training, architecture


@dataclass(frozen=True)
class Place:
    """Which study a net belongs to, the seed of all its random numbers, and where it is trained."""

    study: str
    seed: int
    device: torch.device


def train_net(
    name: str, settings: Training, place: Place, defend: Callable[[Examples], Defence] | None = None
) -> dict[str, Any]:
    """Train the net called `name` and write all it leaves behind; returns its row of the table of models.

    Writes models/<study>/<name>/ (spec.json, weights.safetensors, row.json, and what `models.store` says of labels and
    states) and plots/<study>/training/<name>.csv. `defend(validation examples)` makes the training adversarial.
    """
    dataset_path = Path("data/datasets") / f"{settings.dataset}.npz"
    dataset = read_dataset(dataset_path)
    fitted, shuffled = _fitted(dataset, settings, place)
    validation, test = (_on(place.device, *dataset.split(split)) for split in ("validation", "test"))
    spec = {**architecture(settings), "image_shape": list(fitted.images.shape[1:]), "n_classes": dataset.n_classes}
    torch.manual_seed(derived_seed(place.seed, "weights", name))
    model = build(spec)
    model.head.set_statistics(fitted.images.cpu())
    model = in_fast_layout(model.to(place.device))
    checkpoint = Checkpoint(
        {"seed": place.seed, "model": name, "device": place.device.type, **settings.model_dump(mode="json")},
        [dataset_path],
    )
    defence = defend(validation) if defend else None
    history = train(name, model, fitted, validation, settings, place.seed, checkpoint, defence)

    folder = Path("models") / place.study / name
    row = _row(name, settings, model, history, place)
    row |= {"n_pixels": fitted.images[0].numel(), "test_accuracy": accuracy(model, test)}
    save_model(folder, spec, _states(model, history), shuffled)
    write_json(folder / "row.json", row)
    write_csv(Path("plots") / place.study / "training" / f"{name}.csv", list(history.rows[0]), history.rows)
    checkpoint.remove()
    for missed in sorted(set(settings.snapshots) - history.snapshots.keys()):
        print(f"{folder}: a training accuracy of {missed:g} was never reached; it has no such snapshot")
    print(f"{folder}: {row['epochs']} epochs, train {row['train_accuracy']:.4f}, test {row['test_accuracy']:.4f}")
    return row


def _fitted(dataset: Dataset, settings: Training, place: Place) -> tuple[Examples, np.ndarray | None]:
    """The fitted images with their labels, and those labels (n,) where they were shuffled."""
    images, labels = dataset.split("train")
    if settings.labels == "original":
        return _on(place.device, images, labels), None
    shuffled = shuffled_labels(labels, place.seed, settings.dataset)
    return _on(place.device, images, shuffled), shuffled


def _on(device: torch.device, images: np.ndarray, labels: np.ndarray) -> Examples:
    return Examples(torch.from_numpy(images).to(device).float(), torch.from_numpy(labels).to(device))


def _row(name: str, settings: Training, model: Classifier, history: History, place: Place) -> dict[str, Any]:
    rows = history.rows
    adversarial = getattr(settings, "adversarial", None)
    entropy = "entropy" if settings.entropy_weight else None
    attack = adversarial.attack.partition(".")[2] if adversarial else None
    return {
        "model": name,
        "dataset": settings.dataset,
        "arch": architecture(settings)["arch"],
        "labels": settings.labels,
        "n_parameters": sum(p.numel() for p in model.parameters()),
        "optimizer": settings.optimizer,
        "learning_rate": settings.learning_rate,
        "schedule": settings.schedule,
        "epochs": len(rows),
        "defence": " + ".join(part for part in (attack, entropy) if part) or None,
        "entropy_weight": settings.entropy_weight,
        "adversarial_images": adversarial.images / settings.batch_size if adversarial else 0.0,
        "overfitted_at": overfitted_at(rows) if adversarial else None,
        "train_accuracy": rows[-1]["train_accuracy"],
        "validation_accuracy": rows[-1]["validation_accuracy"],
        "device": place.device.type,
        "snapshots": [{"snapshot": at, **(history.first_at(at) or {})} for at in history.snapshots],
    }


def _states(model: Classifier, history: History) -> dict[str, Any]:
    return {
        FINAL: model.state_dict(),
        **{at_accuracy(reached): weights for reached, weights in history.snapshots.items()},
        **{at_epoch(epoch): weights for epoch, weights in history.epochs.items()},
    }
