"""One entry of `models` or `robust_models`: trained, and all it leaves behind written."""

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from advlaw.core.code import code_sha256, sha256
from advlaw.core.dataset import dataset_path
from advlaw.core.examples import read_examples
from advlaw.core.io import write_json
from advlaw.core.rng import Numbers
from advlaw.core.section import Section
from advlaw.core.tables import write_table
from advlaw.models.store import FINAL, at_accuracy, at_epoch, save_model
from advlaw.training.accuracy import accuracy
from advlaw.training.checkpoint import Checkpoint
from advlaw.training.parallel import started
from advlaw.training.settings import Net
from advlaw.trials.net import Defend, Trained, row, trained


def train_model(
    study: str,
    key: str,
    net: Net,
    seed: int,
    device: torch.device,
    defend: Defend | None = None,
    attack: Section | None = None,
) -> dict[str, Any]:
    """Train the net at `key` of the params, as models.fc, and write all it leaves behind; returns its row.

    Writes models/<study>/<name>/ (spec.json, weights.safetensors, row.json, and what `models.store` says of labels and
    states) and plots/<study>/training/<name>.csv; of several processes, the first does. `defend(validation examples)`
    makes the training adversarial, by `attack`.
    """
    name = key.partition(".")[2]
    dataset = dataset_path(net.dataset)
    modules = ("advlaw.trials.model", f"advlaw.models.{net.architecture.arch}")
    settings = {
        "seed": seed,
        "model": name,
        "device": device.type,
        "net": net.entry(),
        "attack": attack and attack.model_dump(),
    }
    code = code_sha256(*modules, *(["advlaw.trials.defence"] if defend else []))
    checkpoint = Checkpoint({**settings, "code": code}, [dataset])
    processes = started(device)
    numbers = Numbers(seed, (name,))
    found = trained(key, net, dataset, numbers, device, checkpoint, defend, processes)
    view = net.architecture.view()
    about = {"model": name, "dataset_sha256": sha256(dataset), **row(net, found, device)}
    about |= {"view": asdict(view)} if view else {}
    test = read_examples(dataset, "test", device, view=view)
    about |= {"n_pixels": math.prod(test.images.shape[-3:]), "test_accuracy": accuracy(found.model, test)}
    if processes.is_first:
        _write(found, about, name, study, net)
        checkpoint.remove()
    return about


def _write(found: Trained, about: dict[str, Any], name: str, study: str, net: Net) -> None:
    folder, history = Path("models") / study / name, found.history
    states = {
        FINAL: found.model.state_dict(),
        **{at_accuracy(reached): weights for reached, weights in history.snapshots.items()},
        **{at_epoch(epoch): weights for epoch, weights in history.epochs.items()},
    }
    save_model(folder, found.spec, states, found.shuffled)
    write_json(folder / "row.json", about)
    write_table(Path("plots") / study / "training" / f"{name}.csv", history.rows)
    for missed in sorted(set(net.training.snapshots) - history.snapshots.keys()):
        print(f"{folder}: a training accuracy of {missed:g} was never reached; it has no such snapshot")
    share = about["train_accuracy"]
    reached = f"train {share:.4f}, " if share is not None else ""
    print(f"{folder}: {about['epochs']} epochs, {reached}test {about['test_accuracy']:.4f}")
