"""Supervised training, on CPU or GPU, by one process or several."""

import math
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from advlaw.core.images import Examples, Images, read_ahead
from advlaw.core.progress import progress
from advlaw.core.rng import Numbers
from advlaw.training.accuracy import Diverged, TrainingError, accuracy
from advlaw.training.captured import CapturedStep, can_be_captured, on_gpu
from advlaw.training.checkpoint import BEGUN, Checkpoint, Done, Saver
from advlaw.training.minibatches import Minibatch, Minibatches, ReplaceOfEpoch, has_dropout
from advlaw.training.optimizer import Optimizer
from advlaw.training.parallel import ALONE, Processes
from advlaw.training.settings import Training
from advlaw.training.step import EagerStep, Step

SECONDS_BETWEEN_CHECKPOINTS = 2.0
SECONDS_WITHIN_AN_EPOCH = 300.0
Row = dict[str, float | int | None]
Weights = dict[str, Tensor]


@dataclass
class History:
    """What a training leaves behind: a row for every epoch, and the weights at accuracies and epochs to be kept."""

    rows: list[Row]
    snapshots: dict[float, Weights]
    epochs: dict[int, Weights]

    def first_at(self, accuracy: float) -> Row | None:
        """The first epoch with at least this accuracy on the fitted images."""
        return next((row for row in self.rows if (row["train_accuracy"] or 0.0) >= accuracy), None)


@dataclass(frozen=True)
class Defence:
    """What adversarial training adds to the loop.

    `replace_of(numbers, epoch, number of fitted images)` gives what replaces images of an epoch's minibatches, see
    `advlaw.training.minibatches.Minibatch`; `probe(model)` what is added to the row of an epoch.
    """

    replace_of: ReplaceOfEpoch
    probe: Callable[[nn.Module], Row]


def train(
    key: str,
    model: nn.Module,
    fitted: Examples,
    validation: Examples,
    settings: Training,
    numbers: Numbers,
    checkpoint: Checkpoint | None,
    defence: Defence | None = None,
    processes: Processes = ALONE,
) -> History:
    """Train `model` in place; a row an epoch holds epoch, train_loss, train_accuracy and validation_accuracy.

    `key` is where the net is in the params, say `models.fc`. With a `defence` minibatches are changed before they are
    learnt, and its probe adds to the row. Where `settings.watched` is 0, train_accuracy is None, and so is in all rows
    but the last what else would be measured.

    Stops after the first epoch whose accuracy on the fitted images, in evaluation mode, reaches
    `until_train_accuracy`, and keeps the weights after the first epoch that reaches each of `snapshots`, as far as any
    does, and after each of `snapshot_epochs`. What is drawn depends on `numbers` and the epoch alone, so a resumed
    training gives the same bytes as an uninterrupted one, and several processes as one. Raises Diverged where the
    loss is not finite, TrainingError where `until_train_accuracy` is not reached, ValueError where the processes
    cannot share a step.
    """
    processes.check(key, settings.minibatches)
    optimizer = Optimizer(settings.optimizer, list(model.parameters()), settings.weight_decay)
    history, done = _resume(model, optimizer, checkpoint, processes)
    replace_of = defence.replace_of if defence else None
    minibatches = Minibatches(settings, numbers, fitted.labels, has_dropout(model), replace_of)
    eager = EagerStep(model, fitted.images, settings, optimizer, processes)
    step = CapturedStep(eager, on_gpu()) if can_be_captured(eager) else eager
    saver = Saver(
        checkpoint if processes.is_first else None,
        lambda: {"model": model.state_dict(), "optimizer": optimizer.state(), **vars(history)},
    )
    for epoch in _shown(_epochs_left(history, settings), key, settings.epochs - len(history.rows), processes):
        train_loss = _run_epoch(eager, step, minibatches, epoch, done, saver)
        done = BEGUN
        _refuse_if_not_finite(train_loss, key, epoch, settings, defence is not None)
        measured = _measured(model, fitted, validation, settings, defence, epoch)
        history.rows.append({"epoch": epoch, "train_loss": train_loss, **measured})
        _keep(history, model, settings)
        saver.save_after(SECONDS_BETWEEN_CHECKPOINTS)
    _check_reached(key, history, settings)
    last = history.rows[-1]
    history.rows = [{name: row.get(name) for name in last} for row in history.rows]
    return history


def _keep(history: History, model: nn.Module, settings: Training) -> None:
    """Add the weights after the last epoch to the history where they are wanted."""
    epoch = len(history.rows)
    reached = [at for at in settings.snapshots if at not in history.snapshots and history.first_at(at)]
    for at in reached:
        history.snapshots[at] = _copied(model)
    if epoch in settings.snapshot_epochs:
        history.epochs[epoch] = _copied(model)


def _copied(model: nn.Module) -> Weights:
    return {key: value.clone() for key, value in model.state_dict().items()}


def _shown(epochs: Iterator[int], key: str, left: int, processes: Processes) -> Iterator[int]:
    """The epochs, their progress shown by the first process alone."""
    return progress(epochs, f"train {key}", total=left) if processes.is_first else epochs


def _epochs_left(history: History, settings: Training) -> Iterator[int]:
    """Epochs yet to run, counted from 1; `history` grows as they are run."""
    until = settings.until_train_accuracy
    while len(history.rows) < settings.epochs and (until is None or history.first_at(until) is None):
        yield len(history.rows) + 1


def _check_reached(key: str, history: History, settings: Training) -> None:
    wanted = settings.until_train_accuracy
    if wanted is not None and history.first_at(wanted) is None:
        raise TrainingError(
            f"{key}.until_train_accuracy = {wanted:g}: training accuracy is "
            f"{history.rows[-1]['train_accuracy']:.6g} after all {settings.epochs} epochs; raise "
            f"{key}.epochs, change its learning_rate or schedule, or widen the net"
        )


def _resume(
    model: nn.Module, optimizer: Optimizer, checkpoint: Checkpoint | None, processes: Processes
) -> tuple[History, Done]:
    """Go on from the first process's checkpoint, if it has one: what was left behind, and how far an epoch was."""
    state = processes.of_first(checkpoint.load() if checkpoint and processes.is_first else None)
    if state is None:
        return History([], {}, {}), BEGUN
    model.load_state_dict(state["model"])
    optimizer.restore(state["optimizer"])
    if processes.is_first:
        more = f" and {state['steps']} steps" if state["steps"] else ""
        print(f"going on after epoch {len(state['rows'])}{more}, where an earlier run was stopped")
    return History(state["rows"], state["snapshots"], state["epochs"]), Done(state["steps"], state["loss"])


def _run_epoch(eager: EagerStep, step: Step, minibatches: Minibatches, epoch: int, done: Done, saver: Saver) -> float:
    """What is left of one pass over the fitted images; returns their mean loss."""
    eager.model.train()
    steps, epochs = minibatches.steps(epoch), minibatches.settings.epochs
    total_loss = torch.full((), done.loss, device=minibatches.labels.device, dtype=torch.float64)
    for number, together in enumerate(_read_ahead(eager, steps[done.steps :]), done.steps):
        total_loss += step(together, (epoch - 1 + number / len(steps)) / epochs)
        if number + 1 < len(steps):
            saver.save_after(SECONDS_WITHIN_AN_EPOCH, number + 1, total_loss.item)
    return float(total_loss) / len(minibatches.labels)


def _read_ahead(eager: EagerStep, steps: list[list[Minibatch]]) -> Generator[list[Minibatch]]:
    """The steps; where images are read from a disk, those that this process plays have their pixels, read ahead."""
    images, n_minibatches = eager.images, eager.settings.minibatches
    if not isinstance(images, Images) or not images.readers:
        yield from steps
        return
    mine = [minibatch for step in steps for minibatch in eager.processes.share(step, n_minibatches)]
    with closing(read_ahead(eager.read, mine, images.readers)) as found:
        for step in steps:
            share = eager.processes.share(step, n_minibatches)
            read = {id(minibatch): replace(minibatch, pixels=next(found)) for minibatch in share}
            yield [read.get(id(minibatch), minibatch) for minibatch in step]


def _refuse_if_not_finite(loss: float, key: str, epoch: int, settings: Training, is_attacked: bool) -> None:
    if not math.isfinite(loss):
        raise Diverged(
            f"{key}: the training loss is {loss} in epoch {epoch} at learning_rate = "
            f"{settings.learning_rate:g}; lower {key}.learning_rate"
            + ", or, if it is low already, the attack met a gradient that is NaN or infinite: see its layers"
            * is_attacked
        )


def _measured(
    model: nn.Module, fitted: Examples, validation: Examples, settings: Training, defence: Defence | None, epoch: int
) -> Row:
    """The accuracies after an epoch."""
    if settings.watched == 0 and epoch < settings.epochs:
        return {"train_accuracy": None, "validation_accuracy": None}
    return {
        "train_accuracy": None if settings.watched == 0 else accuracy(model, fitted, settings.watched),
        "validation_accuracy": accuracy(model, validation),
        **(defence.probe(model) if defence else {}),
    }
