"""One child of a search: a net of a drawn cell, trained for a short time and measured on images it was not fitted to.

What becomes of it depends on its entry, its cell, its seed and the data, not on the search that drew it: a cell that
two searches draw, or one search twice, is trained once.
"""

import json
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from advlaw.attacks.settings import Attacks, IterativeAttack, OneStepAttack
from advlaw.core.code import code_sha256
from advlaw.core.dataset import Dataset, read_dataset
from advlaw.core.examples import examples
from advlaw.core.images import Examples
from advlaw.core.io import Cells
from advlaw.core.kept import kept_path
from advlaw.core.rng import Numbers
from advlaw.core.runtime import configure
from advlaw.evaluation.ranks import Method, clean_ranks, ranks
from advlaw.evaluation.sweep import Randomness
from advlaw.models.classifier import Classifier
from advlaw.models.store import build, in_fast_layout
from advlaw.search.settings import Measured
from advlaw.training.accuracy import Diverged
from advlaw.training.loop import Defence, train
from advlaw.training.settings import Net
from advlaw.trials.defence import adversarial_defence
from advlaw.trials.train import flops, n_parameters


@dataclass(frozen=True)
class Child:
    """`cell` is the net's, in its canonical form; `seed` 0 is that of a search, others are of cells trained anew."""

    cell: str
    net: Net
    seed: int = 0


@dataclass(frozen=True)
class ChildPlan:
    """What the children of a search have in common: the data set's file and hash, the attacks, where they train.

    They are fitted to the first `images` training images (None: all) and measured on `held_out` ones, on test images
    too if `on_test`.
    """

    dataset: Path
    data: str
    images: int | None
    held_out: int | None
    attacks: Attacks
    measured: Measured
    seed: int
    device: str
    portable: bool
    on_test: bool = False


def path_of(child: Child, plan: ChildPlan) -> Path:
    """Where a child's file is kept: under the hash of all that decides it."""
    adversarial = child.net.adversarial
    keys = [plan.measured.attack, *([adversarial.attack] if adversarial else [])]
    families = {f"advlaw.attacks.{key.partition('.')[0]}" for key in keys}
    return kept_path(
        "children",
        {
            "net": child.net.entry(),
            "numbers": [plan.seed, child.seed],
            "images": [plan.images, plan.held_out, plan.on_test],
            "attacks": [plan.attacks.by_key(key).model_dump() for key in keys],
            "measured": plan.measured.model_dump(),
            "data": plan.data,
            "device": plan.device,
            "portable": plan.portable,
            "code": code_sha256("advlaw.search.child", "advlaw.models.cell", *families),
            "torch": torch.__version__,
        },
    )


def train_child(plan: ChildPlan, child: Child) -> bytes:
    """JSON of a child: diverged, n_parameters, flops, clean_accuracy, adversarial_accuracy, and both with test_ before.

    Accuracies are None where its training diverged, those on test images where they are not asked for.
    """
    device = configure(1, plan.device, plan.portable)
    net, numbers = child.net, Numbers(plan.seed, ("child", child.cell, child.seed))
    changed = plan.dataset.stat().st_mtime_ns
    data, fitted, held_out = _read(plan.dataset, changed, plan.images, plan.held_out, device)
    spec = net.architecture.spec(list(data.image_shape), data.n_classes)
    about: Cells = {"n_parameters": n_parameters(spec), "flops": flops(spec)}
    torch.manual_seed(numbers.seed_of("weights"))
    model = build(spec)
    model.head.set_statistics(fitted.images)
    model = in_fast_layout(model.to(device))
    try:
        train(f"the child {child.cell}", model, fitted, held_out, net.training, numbers, None, _defence(net, plan))
        model.eval()
        found = _measured(model, held_out, plan)
        on_test = _measured(model, examples(data, "test", device), plan) if plan.on_test else dict.fromkeys(found)
        diverged = False
    except Diverged:
        found, diverged = dict.fromkeys(("clean_accuracy", "adversarial_accuracy")), True
        on_test = found
    about |= {"diverged": diverged, **found, **{f"test_{name}": value for name, value in on_test.items()}}
    return json.dumps(about, sort_keys=True).encode()


@lru_cache(maxsize=1)
def _read(
    dataset: Path, changed: int, images: int | None, held_out: int | None, device: torch.device
) -> tuple[Dataset, Examples, Examples]:
    """The data set and its `split`, once for many children; `changed` is when its file was."""
    data = read_dataset(dataset)
    return data, *split(data, images, held_out, device)


def _measured(model: Classifier, held_out: Examples, plan: ChildPlan) -> Cells:
    return accuracies(model, held_out, plan.attacks, plan.measured, plan.seed)


def split(data: Dataset, images: int | None, held_out: int | None, device: torch.device) -> tuple[Examples, Examples]:
    """Examples that children are fitted to, and those they are measured on: validation images, then the last to train.

    Raises ValueError where there are not so many.
    """
    train_index, validation = data.splits["train"], data.splits["validation"]
    n_fitted = len(train_index) if images is None else images
    n_held_out = len(validation) if held_out is None else held_out
    rest = max(0, n_held_out - len(validation))
    if n_fitted + rest > len(train_index):
        raise ValueError(
            f"search.images = {n_fitted} and held_out = {n_held_out}: the data set has {len(train_index)} training and "
            f"{len(validation)} validation images"
        )
    chosen = np.concatenate([validation[:n_held_out], train_index[len(train_index) - rest :]])
    parts = replace(data, splits={"fitted": train_index[:n_fitted], "held_out": chosen})
    return examples(parts, "fitted", device), examples(parts, "held_out", device)


def _defence(net: Net, plan: ChildPlan) -> Defence | None:
    """The adversarial training of a child, which no probe watches: its accuracies are taken once, at the end."""
    if net.adversarial is None:
        return None
    attack = plan.attacks.by_key(net.adversarial.attack)
    assert isinstance(attack, OneStepAttack | IterativeAttack)
    nobody = Examples(torch.empty(0, 1, 1, 1), torch.empty(0, dtype=torch.int64))
    return replace(adversarial_defence(net.adversarial, attack, net.training.batch_size, nobody), probe=lambda _: {})


def accuracies(model: Classifier, examples: Examples, attacks: Attacks, measured: Measured, seed: int) -> Cells:
    """clean_accuracy and adversarial_accuracy of a net in evaluation mode."""
    family = measured.attack.partition(".")[0]
    randomness = Randomness(seed, ("child", measured.attack))
    method = Method(family, attacks.by_key(measured.attack), (measured.eps,), randomness)
    clean = clean_ranks(model, examples.images, examples.labels)
    attacked = ranks(model, examples.images, examples.labels, method)["rank"][0]
    return {"clean_accuracy": float((clean == 0).mean()), "adversarial_accuracy": float((attacked == 0).mean())}
