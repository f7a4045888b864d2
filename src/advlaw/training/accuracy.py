"""How accurate a net is, and what a training that went wrong ends in."""

import torch
from torch import nn

from advlaw.core.images import Examples, batches, most_at_once

TOP = 5
EVALUATION_BATCH = 250  # what a convolution makes of more does not fit the CPU's cache: five times the time


class TrainingError(ValueError):
    """A training that did not reach what its params ask for."""


class Diverged(TrainingError):
    """A training whose loss, or a net whose logits, are no numbers."""


def accuracy(model: nn.Module, examples: Examples, first: int | None = None) -> float:
    """The share of images classified as labelled, in evaluation mode; Diverged if a logit is not finite.

    Of the first so many of them, if `first` says so.
    """
    return ranked_accuracy(model, examples.first(first))[0]


@torch.no_grad()  # in inference mode a model cannot take gradients of its own
def ranked_accuracy(model: nn.Module, examples: Examples) -> tuple[float, float]:
    """The shares of images whose label has the largest logit, and one of the five largest; see `accuracy`."""
    model.eval()
    images, labels = examples.images, examples.labels
    size = most_at_once(EVALUATION_BATCH, images.shape, labels.device)
    parts = [slice(start, min(start + size, len(labels))) for start in range(0, len(labels), size)]
    logits = torch.cat([model(batch) for batch in batches(images, parts)])
    lost = int((~logits.isfinite()).any(dim=1).sum())
    if lost:
        raise Diverged(
            f"the net's logits are not finite for {lost} of {len(logits)} images: if it was trained here its weights "
            "have blown up, so lower its learning_rate; if not, see its code, and that mean and std fit it"
        )
    in_top = (logits > logits.gather(1, labels[:, None])).sum(dim=1) < TOP
    return float((logits.argmax(dim=1) == labels).double().mean()), float(in_top.double().mean())
