"""Supervised training on tensors that stay in memory, on CPU or GPU."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from advlaw.core.images import Examples
from advlaw.core.progress import progress
from advlaw.core.rng import derived_seed, generator
from advlaw.training.augment import crop_and_flip
from advlaw.training.checkpoint import Checkpoint
from advlaw.training.objective import minibatch_loss
from advlaw.training.optimizer import Optimizer
from advlaw.training.settings import Training

SECONDS_BETWEEN_CHECKPOINTS = 2.0
EVALUATION_BATCH = 250  # what a convolution makes of more does not fit the CPU's cache: five times the time
Row = dict[str, float | int]
Weights = dict[str, Tensor]


class TrainingError(ValueError):
    """A training that did not reach what its params ask for."""


@dataclass
class History:
    """What a training leaves behind: a row for every epoch, and the weights at accuracies and epochs to be kept."""

    rows: list[Row]
    snapshots: dict[float, Weights]
    epochs: dict[int, Weights]

    def first_at(self, accuracy: float) -> Row | None:
        """The first epoch with at least this accuracy on the fitted images."""
        return next((row for row in self.rows if row["train_accuracy"] >= accuracy), None)


@dataclass(frozen=True)
class Defence:
    """What adversarial training adds to the loop.

    `replace(model, images, labels, share of all steps made)` gives the minibatch that is learnt and the weight of each
    image's loss, or None where all count the same; `probe(model)` what is added to the row of an epoch.
    """

    replace: Callable[[nn.Module, Tensor, Tensor, float], tuple[Tensor, Tensor | None]]
    probe: Callable[[nn.Module], Row]


SCHEDULES: dict[str, Callable[[float, int], float]] = {
    "constant": lambda made, epochs: 1.0,
    "cosine": lambda made, epochs: 0.5 * (1.0 + math.cos(math.pi * made)),
    "steps": lambda made, epochs: 0.1 ** ((made >= 0.5) + (made >= 0.75)),
    "exponential": lambda made, epochs: 0.94 ** (made * epochs // 2),
}


def learning_rate(settings: Training, progress_made: float) -> float:
    """The rate at a fraction of all steps.

    `constant`; `cosine`: half of one down to zero; `steps`: over ten after a half and after three quarters of all steps
    (He et al. 2015); `exponential`: times 0.94 every two epochs (Szegedy et al. 2015, whom Kurakin Sec. 4 follows).
    """
    return settings.learning_rate * SCHEDULES[settings.schedule](progress_made, settings.epochs)


def train(
    name: str,
    model: nn.Module,
    fitted: Examples,
    validation: Examples,
    settings: Training,
    seed: int,
    checkpoint: Checkpoint,
    defence: Defence | None = None,
) -> History:
    """Train `model` in place; a row an epoch holds epoch, train_loss, train_accuracy and validation_accuracy.

    With a `defence` minibatches are changed before they are learnt, and its probe adds to the row.

    Stops after the first epoch whose accuracy on the fitted images, in evaluation mode, reaches
    `until_train_accuracy`, and keeps the weights after the first epoch that reaches each of `snapshots`, as far as any
    does, and after each of `snapshot_epochs`. The order of images and the dropout of an epoch depend on (seed, name,
    epoch) only, so a resumed training gives the same bytes as an uninterrupted one. Raises TrainingError where the
    loss is not finite or `until_train_accuracy` is not reached.
    """
    parameters = list(model.parameters())
    optimizer = Optimizer(settings.optimizer, parameters, settings.weight_decay)
    history = _resume(model, optimizer, checkpoint)
    watched = Examples(fitted.images[: settings.watched], fitted.labels[: settings.watched])
    saved = time.monotonic()
    left = settings.epochs - len(history.rows)
    for epoch in progress(_epochs_left(history, settings), f"train {name}", total=left):
        train_loss = _run_epoch(name, model, fitted, settings, optimizer, seed, epoch, defence)
        history.rows.append(
            {
                "epoch": epoch,
                "train_loss": train_loss,
                "train_accuracy": accuracy(model, watched),
                "validation_accuracy": accuracy(model, validation),
                **(defence.probe(model) if defence else {}),
            }
        )
        for wanted in settings.snapshots:
            if wanted not in history.snapshots and history.first_at(wanted):
                history.snapshots[wanted] = _copied(model)
        if epoch in settings.snapshot_epochs:
            history.epochs[epoch] = _copied(model)
        if time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS:
            checkpoint.save({"model": model.state_dict(), "optimizer": optimizer.state(), **vars(history)})
            saved = time.monotonic()
    _check_reached(_key(name, defence), history, settings)
    return history


def _copied(model: nn.Module) -> Weights:
    return {key: value.clone() for key, value in model.state_dict().items()}


def _epochs_left(history: History, settings: Training) -> Iterator[int]:
    """Epochs yet to run, counted from 1; `history` grows as they are run."""
    until = settings.until_train_accuracy
    while len(history.rows) < settings.epochs and (until is None or history.first_at(until) is None):
        yield len(history.rows) + 1


def _key(name: str, defence: Defence | None) -> str:
    """Where in the params this net is."""
    return f"robust_models.{name}" if defence else f"models.{name}"


def _check_reached(key: str, history: History, settings: Training) -> None:
    wanted = settings.until_train_accuracy
    if wanted is not None and history.first_at(wanted) is None:
        raise TrainingError(
            f"{key}.until_train_accuracy = {wanted:g}: training accuracy is "
            f"{history.rows[-1]['train_accuracy']:.6g} after all {settings.epochs} epochs; raise "
            f"{key}.epochs, change its learning_rate or schedule, or widen the net"
        )


def _resume(model: nn.Module, optimizer: Optimizer, checkpoint: Checkpoint) -> History:
    state = checkpoint.load()
    if state is None:
        return History([], {}, {})
    model.load_state_dict(state["model"])
    optimizer.restore(state["optimizer"])
    print(f"going on after epoch {len(state['rows'])}, where an earlier run was stopped")
    return History(state["rows"], state["snapshots"], state["epochs"])


def _run_epoch(
    name: str,
    model: nn.Module,
    fitted: Examples,
    settings: Training,
    optimizer: Optimizer,
    seed: int,
    epoch: int,
    defence: Defence | None,
) -> float:
    """One pass over the fitted images; returns the mean loss of its minibatches."""
    model.train()
    torch.manual_seed(derived_seed(seed, "dropout", name, epoch))
    n_images, device = len(fitted.labels), fitted.labels.device
    order = torch.from_numpy(generator(seed, "order", name, epoch).permutation(n_images)).to(device)
    batches = order.split(settings.batch_size)
    total_loss = torch.zeros((), device=device, dtype=torch.float64)
    for step, batch in enumerate(batches):
        made = (epoch - 1 + step / len(batches)) / settings.epochs
        images, labels, weights = fitted.images[batch], fitted.labels[batch], None
        if settings.augment == "crop_flip":
            images = crop_and_flip(images)
        if defence:
            images, weights = defence.replace(model, images, labels, made)
        with torch.autocast(device.type, torch.bfloat16, enabled=settings.precision == "bfloat16"):
            logits = model(images)
        loss = minibatch_loss(logits.float(), labels, settings, made, weights)
        gradients = torch.autograd.grad(loss, optimizer.parameters)
        optimizer.step(gradients, learning_rate(settings, made))
        total_loss += loss.detach() * len(batch)
    mean_loss = float(total_loss) / n_images
    if not math.isfinite(mean_loss):
        key = _key(name, defence)
        raise TrainingError(
            f"{key}: the training loss is {mean_loss} in epoch {epoch} at learning_rate = "
            f"{settings.learning_rate:g}; lower {key}.learning_rate"
            + ", or, if it is low already, the attack met a gradient that is NaN or infinite: see its layers"
            * (defence is not None)
        )
    return mean_loss


@torch.inference_mode()
def accuracy(model: nn.Module, examples: Examples) -> float:
    """The share of images classified as labelled, in evaluation mode; TrainingError if a logit is not finite."""
    model.eval()
    starts = range(0, len(examples.images), EVALUATION_BATCH)
    logits = torch.cat([model(examples.images[start : start + EVALUATION_BATCH]) for start in starts])
    lost = int((~logits.isfinite()).any(dim=1).sum())
    if lost:
        raise TrainingError(
            f"the net's logits are not finite for {lost} of {len(logits)} images: if it was trained here its weights "
            "have blown up, so lower its learning_rate; if not, see its code, and that mean and std fit it"
        )
    return float((logits.argmax(dim=1) == examples.labels).double().mean())
