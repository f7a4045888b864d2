"""The loss of a minibatch: cross-entropy, weighted image by image, and the entropy penalty."""

import torch
from torch import Tensor, nn

from advlaw.training.settings import Training


def minibatch_loss(
    logits: Tensor, labels: Tensor, settings: Training, made: float = 1.0, weights: Tensor | None = None
) -> Tensor:
    """L = sum(w_i L_i) / sum(w_i) + entropy_weight * mean(H_i), logits (m, K), labels and weights (m,) -> ().

    With weights 1 on the m - k clean images and lambda on the k adversarial ones the first term is Kurakin's
    loss (Sec. 3), with its divisor (m - k) + lambda k. H is the entropy of a prediction (Cubuk Sec. 3.2), over the
    whole minibatch and not weighted, once a share `made` of all steps is past `entropy_delay`. Without weights all
    images count the same.
    """
    smoothing = settings.label_smoothing
    if weights is None:
        loss = nn.functional.cross_entropy(logits, labels, label_smoothing=smoothing)
    else:
        losses = nn.functional.cross_entropy(logits, labels, reduction="none", label_smoothing=smoothing)
        loss = (weights * losses).sum() / weights.sum()
    if has_penalty(settings, made):
        loss = loss + settings.entropy_weight * entropy(logits).mean()
    return loss


def summed_loss(
    logits: Tensor, labels: Tensor, settings: Training, made: float = 1.0, weights: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """D L, with L of `minibatch_loss`, and D = sum(w_i): a step's loss is sum(D L) / sum(D) over its minibatches."""
    weights = torch.ones(len(labels), device=labels.device) if weights is None else weights
    smoothing = settings.label_smoothing
    losses = nn.functional.cross_entropy(logits, labels, reduction="none", label_smoothing=smoothing)
    loss, divisor = (weights * losses).sum(), weights.sum()
    if has_penalty(settings, made):
        loss = loss + divisor * settings.entropy_weight * entropy(logits).mean()
    return loss, divisor


def has_penalty(settings: Training, made: float) -> bool:
    """Whether the entropy penalty counts after a share `made` of all steps."""
    return settings.entropy_weight != 0.0 and made >= settings.entropy_delay


def entropy(logits: Tensor) -> Tensor:
    """H = -sum_i p_i log p_i of every prediction, (B, K) -> (B,)."""
    log_p = logits.log_softmax(dim=1)
    return -torch.sum(log_p.exp() * log_p, dim=1)
