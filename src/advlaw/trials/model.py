"""One entry of `models` or `robust_models`: trained, and all it leaves behind written."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from advlaw.core.code import code_sha256
from advlaw.core.io import write_csv, write_json
from advlaw.core.rng import Numbers
from advlaw.data.examples import read_examples
from advlaw.models.store import FINAL, at_accuracy, at_epoch, save_model
from advlaw.training.accuracy import accuracy
from advlaw.training.checkpoint import Checkpoint
from advlaw.training.parallel import started
from advlaw.training.settings import Net
from advlaw.trials.net import Defend, Trained, row, trained


@dataclass(frozen=True)
class Place:
    """Which study a net belongs to, the seed of all its random numbers, and where it is trained."""

    study: str
    seed: int
    device: torch.device


def train_model(section: str, name: str, net: Net, place: Place, defend: Defend | None = None) -> dict[str, Any]:
    """Train the net called `name` and write all it leaves behind; returns its row of the table of models.

    Writes models/<study>/<name>/ (spec.json, weights.safetensors, row.json, and what `models.store` says of labels and
    states) and plots/<study>/training/<name>.csv; of several processes, the first does. `defend(validation examples)`
    makes the training adversarial.
    """
    dataset = Path("data/datasets") / f"{net.dataset}.npz"
    modules = ("advlaw.trials.model", f"advlaw.models.{net.architecture.arch}")
    settings = {"seed": place.seed, "model": name, "device": place.device.type, "net": net.entry()}
    code = code_sha256(*modules, *(["advlaw.trials.defence"] if defend else []))
    checkpoint = Checkpoint({**settings, "code": code}, [dataset])
    processes = started(place.device)
    numbers = Numbers(place.seed, (name,))
    found = trained(f"{section}.{name}", net, dataset, numbers, place.device, checkpoint, defend, processes)
    about = {"model": name, **row(net, found, place.device)}
    test = read_examples(dataset, "test", place.device)
    about |= {"n_pixels": math.prod(test.images.shape[-3:]), "test_accuracy": accuracy(found.model, test)}
    if processes.is_first:
        _write(found, about, name, place, net)
        checkpoint.remove()
    return about


def _write(found: Trained, about: dict[str, Any], name: str, place: Place, net: Net) -> None:
    folder, history = Path("models") / place.study / name, found.history
    states = {
        FINAL: found.model.state_dict(),
        **{at_accuracy(reached): weights for reached, weights in history.snapshots.items()},
        **{at_epoch(epoch): weights for epoch, weights in history.epochs.items()},
    }
    save_model(folder, found.spec, states, found.shuffled)
    write_json(folder / "row.json", about)
    write_csv(Path("plots") / place.study / "training" / f"{name}.csv", list(history.rows[0]), history.rows)
    for missed in sorted(set(net.training.snapshots) - history.snapshots.keys()):
        print(f"{folder}: a training accuracy of {missed:g} was never reached; it has no such snapshot")
    share = about["train_accuracy"]
    reached = f"train {share:.4f}, " if share is not None else ""
    print(f"{folder}: {about['epochs']} epochs, {reached}test {about['test_accuracy']:.4f}")
