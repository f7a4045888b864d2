"""Auto-PGD in L-infinity (Croce and Hein 2020, Algorithm 1): momentum, and a step that adapts to each image.

Where we differ: a move back to the best point costs no step, since its gradient is kept; an image is left alone once
it is fooled; cross-entropy is followed through its log-odds, which rise with it and do not underflow.
"""

from dataclasses import dataclass, fields
from itertools import pairwise

import torch
from torch import Tensor

from advlaw.attacks.draws import Draws, unit_ball
from advlaw.attacks.gradient import (
    ErrorFn,
    LogitsFn,
    dlr_error,
    log_odds,
    logits_and_gradient,
    logits_ratio,
    scale_free_error,
)
from advlaw.attacks.norms import per_image
from advlaw.attacks.settings import AutoPGD

ALPHA = 0.75  # of a move is the new step, the rest is the last move
RHO = 0.75  # of the steps must raise the loss
FIRST_STEP = 2.0  # times eps
LOSSES: dict[str, tuple[ErrorFn, ErrorFn]] = {
    "cross_entropy": (log_odds, scale_free_error),
    "dlr": (logits_ratio, dlr_error),
}


def checkpoints(steps: int) -> list[int]:
    """The steps w_0 = 0, w_1, ... at which step sizes are looked at: ceil(p_j steps), without repetitions.

    p_0 = 0, p_1 = 0.22, p_(j+1) = p_j + max(p_j - p_(j-1) - 0.03, 0.06); in whole hundredths, so that ceil is exact.
    """
    hundredths = [0, 22]
    while (following := hundredths[-1] + max(hundredths[-1] - hundredths[-2] - 3, 6)) <= 100:
        hundredths.append(following)
    return sorted({-(-share * steps // 100) for share in hundredths})


def perturbed(logits_fn: LogitsFn, images: Tensor, labels: Tensor, eps: float, attack: AutoPGD, draws: Draws) -> Tensor:
    """Adversarial images (B, C, H, W) within eps (pixel units) of `images`, after one run from a random start.

    An image ends where it is first fooled, on the clean image if that is wrong; else at its largest loss.
    """
    loss, error = LOSSES[attack.loss]
    ends = checkpoints(attack.steps)
    period = {0: 0, **{end: end - begin for begin, end in pairwise(ends)}}
    final = images.clone()
    search = _Search.begin(logits_fn, images, labels, eps, attack, draws)
    for step in range(attack.steps + 1):
        if len(search.row) == 0:
            break
        logits, gradient = logits_and_gradient(logits_fn, search.here, search.label, error)
        fooled = logits.argmax(dim=1) != search.label
        no_number = gradient.flatten(1)[:, 0].isnan() & ~(fooled & logits.isfinite().all(dim=1))
        fooled |= no_number
        final[search.row[fooled]] = search.here[fooled]
        final[search.row[no_number]] = torch.nan
        search.record(loss(logits, search.label), gradient)
        search.keep(~fooled)
        if step in period:
            search.adapt(period[step])
        search.move(momentum=step > 0)
    final[search.row] = search.best
    return final


@dataclass
class _Search:
    """The images not fooled yet: positions `row` (A,) in the batch, and for each of them where its search stands."""

    row: Tensor
    label: Tensor
    low: Tensor  # (A, C, H, W), as are high, here, before, best and the gradients
    high: Tensor
    here: Tensor
    before: Tensor
    gradient: Tensor
    loss: Tensor
    best: Tensor
    best_gradient: Tensor
    best_loss: Tensor
    best_loss_then: Tensor  # at the last checkpoint
    rises: Tensor  # steps that raised the loss since then
    was_halved: Tensor  # whether the step size was, then
    size: Tensor

    @classmethod
    def begin(
        cls, logits_fn: LogitsFn, images: Tensor, labels: Tensor, eps: float, attack: AutoPGD, draws: Draws
    ) -> "_Search":
        """A random point of the ball for every image that is right when clean."""
        low, high = images - eps, images + eps
        if attack.clip:
            low, high = low.clamp_min(0.0), high.clamp_max(255.0)
        start = (images + eps * unit_ball(draws, tuple(images.shape[1:]), "linf").to(images)).clamp(low, high)
        number = torch.zeros(len(images), dtype=torch.float64, device=images.device)
        search = cls(
            row=torch.arange(len(images), device=images.device),
            label=labels,
            low=low,
            high=high,
            here=start,
            before=start,
            gradient=torch.zeros_like(start),
            loss=number + torch.inf,  # so that the first loss is no rise
            best=start,
            best_gradient=torch.zeros_like(start),
            best_loss=number - torch.inf,
            best_loss_then=number - torch.inf,
            rises=number,
            was_halved=torch.zeros_like(labels, dtype=torch.bool),
            size=number + FIRST_STEP * eps,
        )
        with torch.no_grad():
            search.keep(logits_fn(images).argmax(dim=1) == labels)
        return search

    def keep(self, mask: Tensor) -> None:
        """Drop the images outside the mask (A,)."""
        if not mask.all():
            for field in fields(self):
                setattr(self, field.name, getattr(self, field.name)[mask])

    def record(self, loss: Tensor, gradient: Tensor) -> None:
        """Take in the loss (A,) and its gradient at `here`."""
        self.rises = self.rises + (loss > self.loss)
        self.loss, self.gradient = loss, gradient
        is_best = loss > self.best_loss
        self.best = _where(is_best, self.here, self.best)
        self.best_gradient = _where(is_best, gradient, self.best_gradient)
        self.best_loss = _where(is_best, loss, self.best_loss)

    def adapt(self, period: int) -> None:
        """Halve the step and go back to the best point, at a checkpoint `period` steps after the last.

        Where too few of these steps raised the loss, or where the step size was not halved the last time and the
        best loss has not risen since. At the start, w_0, neither can hold.
        """
        stalled = self.rises < RHO * period
        stalled |= ~self.was_halved & (self.best_loss <= self.best_loss_then)
        self.size = torch.where(stalled, self.size / 2, self.size)
        self.before = _where(stalled, self.here, self.before)
        self.here = _where(stalled, self.best, self.here)
        self.gradient = _where(stalled, self.best_gradient, self.gradient)
        self.loss = _where(stalled, self.best_loss, self.loss)
        self.best_loss_then, self.was_halved = self.best_loss, stalled
        self.rises = torch.zeros_like(self.rises)

    def move(self, momentum: bool) -> None:
        """One step up the loss, inside the ball, with momentum but for the first."""
        size = per_image(self.size.to(self.here.dtype), self.here)
        stepped = (self.here + size * self.gradient.sign()).clamp(self.low, self.high)
        alpha = ALPHA if momentum else 1.0
        moved = torch.lerp(self.here, stepped, alpha) + (1.0 - alpha) * (self.here - self.before)
        self.before, self.here = self.here, moved.clamp(self.low, self.high)


def _where(mask: Tensor, chosen: Tensor, other: Tensor) -> Tensor:
    """`chosen` where the mask (A,) holds, image by image."""
    return torch.where(per_image(mask, chosen), chosen, other)
