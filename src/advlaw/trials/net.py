"""One net from its params: built, trained, measured on the test images."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from advlaw.core.dataset import Dataset, read_dataset, shuffled_labels
from advlaw.core.examples import examples
from advlaw.core.images import Examples
from advlaw.core.rng import Numbers
from advlaw.core.view import View
from advlaw.models.classifier import Classifier
from advlaw.models.settings import Spec
from advlaw.models.store import build, in_fast_layout
from advlaw.training.checkpoint import Checkpoint
from advlaw.training.loop import Defence, History, train
from advlaw.training.overfitting import overfitted_at
from advlaw.training.parallel import ALONE, Processes
from advlaw.training.settings import Net

Defend = Callable[[Examples], Defence]


@dataclass(frozen=True)
class Trial:
    """One net of a set; `key` is its place in the params, `numbers` are the random numbers of its training."""

    name: str
    key: str
    net: Net
    numbers: Numbers


@dataclass(frozen=True)
class Trained:
    """A net, its spec, the epochs it went through, and the labels (n,) it was fitted to where those were shuffled."""

    model: Classifier
    spec: Spec
    history: History
    shuffled: np.ndarray | None


def trained(
    key: str,
    net: Net,
    dataset: Path,
    numbers: Numbers,
    device: torch.device,
    checkpoint: Checkpoint | None = None,
    defend: Defend | None = None,
    processes: Processes = ALONE,
) -> Trained:
    """The net of the entry at `key`, trained on the data set's fitted images.

    All random numbers are those of `numbers`, but for shuffled labels, which nets of one data set and seed share.
    `defend(validation examples)` makes the training adversarial. Raises TrainingError: see `training.loop.train`.
    """
    settings, shuffled, view = net.training, None, net.architecture.view()
    is_cut = settings.augment == "resized_crop"
    data, fitted, validation = _read(dataset, dataset.stat().st_mtime_ns, device, view, is_cut)
    if settings.labels == "shuffled":
        shuffled = shuffled_labels(data.labels[data.index("train")], numbers.seed, settings.dataset)
        fitted = replace(fitted, labels=torch.from_numpy(shuffled).to(device))
    spec = net.architecture.spec(list(view.shape if view else data.image_shape), data.n_classes)
    torch.manual_seed(numbers.seed_of("weights"))
    model = build(spec)
    statistics = net.architecture.statistics()
    if statistics is None:
        model.head.set_statistics(fitted.images)
    else:
        model.head.normalise_by(*(torch.tensor(values, dtype=torch.float64) for values in statistics))
    model = in_fast_layout(model.to(device))
    defence = defend(validation) if defend else None
    history = train(key, model, fitted, validation, settings, numbers, checkpoint, defence, processes)
    return Trained(model, spec, history, shuffled)


@lru_cache(maxsize=1)
def _read(
    dataset: Path, changed: int, device: torch.device, view: View | None, is_cut: bool
) -> tuple[Dataset, Examples, Examples]:
    """The data set, its fitted and its validation images, once for many nets; `changed` is when its file was."""
    data = read_dataset(dataset)
    fitted = examples(data, "train", device, view=view, stays=is_cut)
    return data, fitted, examples(data, "validation", device, view=view)


def row(net: Net, trained: Trained, device: torch.device) -> dict[str, Any]:
    """What the table of models says of a trained net, but for its name and its test accuracy."""
    settings, adversarial, history = net.training, net.adversarial, trained.history
    rows = history.rows
    entropy = "entropy" if settings.entropy_weight else None
    attack = adversarial.attack.partition(".")[2] if adversarial else None
    return {
        "dataset": settings.dataset,
        "arch": net.architecture.arch,
        "labels": settings.labels,
        "n_parameters": sum(p.numel() for p in trained.model.parameters()),
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
        "device": device.type,
        "snapshots": [{"snapshot": at, **(history.first_at(at) or {})} for at in history.snapshots],
    }
