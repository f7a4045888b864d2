"""Where the label stands among a net's logits, clean and under attacks at a few eps: top-1 and top-5 accuracy at once.

A rank is how many classes come before the label, so that an image is right if it is 0, and among the five best below 5.
"""

import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from advlaw.attacks.norms import per_image
from advlaw.attacks.one_step import one_step_direction
from advlaw.attacks.settings import AtEachEps, Attack, OneStepAttack
from advlaw.core.images import Images
from advlaw.core.io import Arrays
from advlaw.evaluation.batches import in_batches, joined
from advlaw.evaluation.each_eps import Perturb, answer, unmoved, worst
from advlaw.evaluation.rays import Ray
from advlaw.evaluation.self_checks import FEW, check_clean
from advlaw.evaluation.sweep import Randomness, is_finite
from advlaw.models.classifier import Classifier

BATCH = 500
NOT_FINITE, LAST = 255, 254  # the rank where a logit is no number; the largest of the others


def rank(logits: Tensor, labels: Tensor) -> Tensor:
    """How many classes come before the label, (B, K) and (B,) -> (B,) uint8; 254 where there are more.

    Those with a larger logit, and of equal ones those with a smaller number, as argmax decides. 255 where a logit is
    not finite.
    """
    own = logits.gather(1, labels[:, None])
    is_smaller = torch.arange(logits.shape[1], device=labels.device) < labels[:, None]
    before = ((logits > own) | ((logits == own) & is_smaller)).sum(dim=1).clamp_max(LAST)
    return before.masked_fill(~is_finite(logits), NOT_FINITE).to(torch.uint8)


@dataclass(frozen=True)
class Method:
    """An attack with its family, whose module makes the images, at each of `eps`, with its random numbers."""

    family: str
    attack: Attack
    eps: Sequence[float]
    randomness: Randomness

    def logits(self, model: Classifier, images: Tensor, labels: Tensor, batch: slice) -> Iterator[Tensor]:
        """The net's own logits (B, K) under its attack at each eps; none a number where the attack ended in none.

        A one-step attack takes one gradient of every image, and then only forwards.
        """
        if isinstance(self.attack, OneStepAttack):
            direction, _ = one_step_direction(model, images, labels, self.attack, self.randomness.draws(batch))
            is_lost = ~is_finite(direction)
            ray = Ray(model, images, direction.masked_fill(per_image(is_lost, direction), 0.0), self.attack.clip)
            for size in self.eps:
                yield ray.logits(size).masked_fill(is_lost[:, None], torch.nan)
        else:
            yield from (logits for _, logits in self._worst(self.attack, model, images, labels, batch))

    def images(self, model: Classifier, images: Tensor, labels: Tensor, batch: slice) -> Iterator[Tensor]:
        """Adversarial images (B, C, H, W) of a net at each eps: those that it has `logits` of."""
        if isinstance(self.attack, OneStepAttack):
            direction, _ = one_step_direction(model, images, labels, self.attack, self.randomness.draws(batch))
            for size in self.eps:
                moved = images + size * direction
                yield moved.clamp(0.0, 255.0) if self.attack.clip else moved
        else:
            yield from (moved for moved, _ in self._worst(self.attack, model, images, labels, batch))

    def check(self, model: Classifier, images: Tensor, labels: Tensor) -> None:
        """The self-checks of the first batch: see `check_clean`."""
        first, wanted = images[:FEW], labels[:FEW]
        if isinstance(self.attack, OneStepAttack):
            at_zero = replace(self, eps=[0.0]).logits(model, first, wanted, slice(0, len(first)))
            check_clean(model, images, next(at_zero))
        else:
            check_clean(model, images, unmoved(model, first, wanted, self.attack, self._perturb, self.randomness))

    @property
    def _perturb(self) -> Perturb:
        perturb: Perturb = importlib.import_module(f"advlaw.attacks.{self.family}").perturbed
        return perturb

    def _worst(
        self, attack: AtEachEps, model: Classifier, images: Tensor, labels: Tensor, batch: slice
    ) -> Iterator[tuple[Tensor, Tensor]]:
        draws = [self.randomness.draws(batch, str(restart)) for restart in range(attack.restarts)]
        return (worst(model, images, labels, size, attack, self._perturb, draws) for size in self.eps)


def clean_ranks(model: Classifier, images: Images | Tensor, labels: Tensor, batch_size: int = BATCH) -> np.ndarray:
    """The ranks (N,) uint8 of labels (N,) on Images, or (N, C, H, W) float32 in pixel units."""

    def work(batch: slice, here: Tensor) -> Arrays:
        return {"rank": rank(model(here), labels[batch]).cpu().numpy()}

    with torch.no_grad():
        return joined(in_batches(images, batch_size, work, "clean"), len(images))["rank"]


def ranks(
    model: Classifier, images: Images | Tensor, labels: Tensor, method: Method, batch_size: int = BATCH
) -> Arrays:
    """rank (E, N) uint8 under one attack at each eps, and not_finite (N,) bool, of images as in `clean_ranks`.

    Of several restarts the worst counts. An image is not finite if any of its ranks is 255: at some eps the
    net answered with what is no number, or the attack ended so.
    """

    def work(batch: slice, here: Tensor) -> Arrays:
        wanted = labels[batch]
        if batch.start == 0:
            method.check(model, here, wanted)
        found = torch.stack([rank(logits, wanted) for logits in method.logits(model, here, wanted, batch)])
        return {"rank": found.cpu().numpy(), "not_finite": (found == NOT_FINITE).any(dim=0).cpu().numpy()}

    with torch.no_grad():
        return joined(in_batches(images, batch_size, work, "attack"), len(images))


def transferred_ranks(
    source: Classifier,
    targets: Mapping[str, Classifier],
    images: Images | Tensor,
    labels: Tensor,
    method: Method,
    batch_size: int = BATCH,
) -> Arrays:
    """<target>/rank (E, N) uint8 of every target on one and the same adversarial images of the source (Kurakin App. C).

    All the images are moved, those too that the source is wrong on.
    """

    def work(batch: slice, here: Tensor) -> Arrays:
        wanted = labels[batch]
        if batch.start == 0:
            method.check(source, here, wanted)
        found: dict[str, list[Tensor]] = {f"{name}/rank": [] for name in targets}
        for moved in method.images(source, here, wanted, batch):
            for name, target in targets.items():
                found[f"{name}/rank"].append(rank(answer(target, moved), wanted))
        return {name: torch.stack(each).cpu().numpy() for name, each in found.items()}

    with torch.no_grad():
        return joined(in_batches(images, batch_size, work, "transfer"), len(images))
