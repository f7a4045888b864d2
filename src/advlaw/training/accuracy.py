"""How accurate a net is, and what a training that went wrong ends in."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from advlaw.core.images import Examples

EVALUATION_BATCH = 250  # what a convolution makes of more does not fit the CPU's cache: five times the time


class TrainingError(ValueError):
    """A training that did not reach what its params ask for."""


class Diverged(TrainingError):
    """A training whose loss, or a net whose logits, are no numbers."""


@torch.inference_mode()
def accuracy(model: nn.Module, examples: Examples, first: int | None = None) -> float:
    """The share of images classified as labelled, in evaluation mode; Diverged if a logit is not finite.

    Of the first so many of them, if `first` says so.
    """
    model.eval()
    labels = examples.labels[:first]
    starts = range(0, len(labels), EVALUATION_BATCH)
    batches: Iterable[Tensor] = (
        examples.images[start : min(start + EVALUATION_BATCH, len(labels))] for start in starts
    )
    logits = torch.cat([model(batch) for batch in batches])
    lost = int((~logits.isfinite()).any(dim=1).sum())
    if lost:
        raise Diverged(
            f"the net's logits are not finite for {lost} of {len(logits)} images: if it was trained here its weights "
            "have blown up, so lower its learning_rate; if not, see its code, and that mean and std fit it"
        )
    return float((logits.argmax(dim=1) == labels).double().mean())
