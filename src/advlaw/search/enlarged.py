"""The best cell of a search as a larger net: trained with every set of hyperparameters, of which validation chooses.

Cubuk Sec. 4; test images are seen once, by the net that was chosen.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from advlaw.core.code import code_sha256, sha256
from advlaw.core.examples import read_examples
from advlaw.core.io import Cells
from advlaw.core.kept import kept_path
from advlaw.core.rng import Numbers
from advlaw.core.runtime import configure
from advlaw.core.workers import Pool
from advlaw.models.store import load_net, told_of
from advlaw.search.child import accuracies
from advlaw.search.rounds import best
from advlaw.search.settings import Measured, Searches
from advlaw.trials.net import Trial
from advlaw.trials.train import Recipe, path_of, train_trial


@dataclass(frozen=True)
class Chosen:
    """What was tried and which of it is kept: the file of the weights, what its net is, and a row a set."""

    cell: str
    path: Path
    spec: dict[str, Any]
    row: Cells
    sets: list[Cells]


def winner(children: Sequence[Cells], arm: str) -> str:
    """The cell of the highest reward of one arm, whatever the seeds of its controllers."""
    return best([child for child in children if child["arm"] == arm])[0]


def enlarge(name: str, settings: Searches, children: Sequence[Cells], recipe: Recipe, seed: int, pool: Pool) -> Chosen:
    """Train the net `enlarged.nets.<name>` with every set of hyperparameters; `children` are those of its search.

    Raises ValueError where all of them diverge.
    """
    entry, measured = settings.enlarged.nets[name], settings.measured
    assert measured is not None
    cell = winner(children, entry.arm)
    tried = list(settings.enlarged_nets(name, cell))
    key, numbers = f"search.enlarged.nets.{name}", Numbers(seed, ("enlarged", entry.seed))
    trials = [Trial(f"{name} {i}", key, net, numbers) for i, (_, net) in enumerate(tried)]
    paths = [path_of(trial, recipe) for trial in trials]
    pool.fan_out(partial(train_trial, recipe), [(trial,) for trial in trials], paths, f"enlarge {name}")
    told = [told_of(path) for path in paths]
    whole = [(path, what) for path, what in zip(paths, told, strict=True) if not what["row"]["diverged"]]
    if not whole:
        raise ValueError(f"{key}: training diverged with every set of hyperparameters: {told[0]['row']['why']}")
    found = [_found_path(path, recipe, measured, seed) for path, _ in whole]
    items = [(path, what["spec"]) for path, what in whole]
    pool.fan_out(partial(validated, recipe, measured, seed), items, found, f"validate {name}")
    accuracies_of = {path: json.loads(file.read_bytes()) for (path, _), file in zip(whole, found, strict=True)}
    kind = "clean_accuracy" if entry.adversarial is None else "adversarial_accuracy"
    chosen = max(accuracies_of, key=lambda path: accuracies_of[path][kind])  # of equal ones the first
    nothing = dict.fromkeys(("clean_accuracy", "adversarial_accuracy"))
    sets = [
        {
            "values": values,
            "diverged": path not in accuracies_of,
            **accuracies_of.get(path, nothing),
            "is_chosen": path == chosen,
        }
        for (values, _), path in zip(tried, paths, strict=True)
    ]
    what = told_of(chosen)
    return Chosen(cell, chosen, what["spec"], what["row"], sets)


def validated(recipe: Recipe, measured: Measured, seed: int, path: Path, spec: dict[str, Any]) -> bytes:
    """JSON of a trained net's clean_accuracy and adversarial_accuracy on validation images."""
    device = configure(1, recipe.device, recipe.portable)
    model = load_net(spec, path, device)
    validation = read_examples(recipe.dataset, "validation", device)
    return json.dumps(accuracies(model, validation, recipe.attacks, measured, seed), sort_keys=True).encode()


def _found_path(path: Path, recipe: Recipe, measured: Measured, seed: int) -> Path:
    attack = recipe.attacks.by_key(measured.attack)
    return kept_path(
        "validated",
        {
            "weights": sha256(path),
            "measured": measured.model_dump(),
            "attack": attack.model_dump(),
            "seed": seed,
            "data": recipe.data,
            "device": recipe.device,
            "portable": recipe.portable,
            "code": code_sha256("advlaw.search.enlarged", f"advlaw.attacks.{measured.attack.partition('.')[0]}"),
        },
    )
