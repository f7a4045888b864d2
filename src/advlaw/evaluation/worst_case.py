"""One net under many attacks at a few eps: which images each leaves right."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from advlaw.attacks.draws import Draws
from advlaw.attacks.settings import Attack, OneStepAttack
from advlaw.core.images import Images
from advlaw.core.progress import progress
from advlaw.evaluation.batches import in_batches, joined
from advlaw.evaluation.self_checks import FEW, check_clean
from advlaw.evaluation.sweep import is_finite
from advlaw.models.classifier import Classifier

BATCH = 250
NOT_FINITE = "not_finite "
Perturb = Callable[..., Tensor]


@dataclass(frozen=True)
class Method:
    """An attack as a net meets it: its `label`, whose gradients it follows, and its random numbers' seed."""

    label: str
    family: str
    attack: Attack
    source: Classifier
    seed: int

    def perturbed(self, images: Tensor, labels: Tensor, eps: float, items: list[int], restart: int) -> Tensor:
        """Adversarial images; `items` (B,) are the positions of the images in their split."""
        perturb: Perturb = importlib.import_module(f"advlaw.attacks.{self.family}").perturbed
        draws = Draws(self.seed, ("worst_case", self.label, str(restart)), items)
        return perturb(self.source, images, labels, eps, self.attack, draws)


def under_attacks(
    model: Classifier, images: Images | Tensor, labels: Tensor, methods: list[Method], eps: list[float]
) -> dict[str, np.ndarray]:
    """`clean` (N,), and for every method's label which images (E, N) are right, bool; Images, or (N, C, H, W).

    And "not_finite " before `clean` and each label (N,): the attack ended, or the net answered, with what is no number.
    Such an image counts as right there; what is said of it is for who judges. Where another net's attack has no image
    to offer, it has failed.

    One-step attacks are measured as they are. For the others an image that is wrong at one eps stays wrong at the
    larger ones, whose balls hold the same adversarial image, and is not attacked there again.
    """

    def work(batch: slice, here: Tensor) -> dict[str, np.ndarray]:
        wanted = labels[batch]
        items = list(range(batch.start, batch.stop))
        logits = model(here)
        if batch.start == 0:
            check_clean(model, here, logits[:FEW])
        clean = logits.argmax(dim=1) == wanted
        found = {"clean": clean.cpu().numpy(), f"{NOT_FINITE}clean": (~is_finite(logits)).cpu().numpy()}
        for method in methods:
            right, lost = _right(model, here, wanted, method, eps, items, clean | ~is_finite(logits))
            found |= {method.label: right, f"{NOT_FINITE}{method.label}": lost}
        return found

    with torch.no_grad():
        return joined(in_batches(images, BATCH, work, "worst case"), len(images))


def _right(
    model: Classifier,
    images: Tensor,
    labels: Tensor,
    method: Method,
    eps: list[float],
    items: list[int],
    clean: Tensor,
) -> tuple[np.ndarray, np.ndarray]:
    """Which images (E, B) stay right under one method, and which (B,) it left without numbers."""
    keeps_falling = not isinstance(method.attack, OneStepAttack)
    restarts = 1 if isinstance(method.attack, OneStepAttack) else method.attack.restarts
    right, lost, found = clean.clone(), torch.zeros_like(clean), []
    for size in progress(eps, method.label):
        right = right.clone() if keeps_falling else torch.ones_like(clean)
        for restart in range(restarts):
            rows = torch.nonzero(right)[:, 0]
            if len(rows) > 0:
                chosen = [items[row] for row in rows.tolist()]
                moved = method.perturbed(images[rows], labels[rows], size, chosen, restart)
                logits = model(moved)
                is_image = is_finite(moved)
                is_number = is_image & is_finite(logits)
                right[rows] = (logits.argmax(dim=1) == labels[rows]) | ~is_number
                lost[rows] |= ~is_number & (is_image | (method.source is model))
        found.append(right)
    return torch.stack(found).cpu().numpy(), lost.cpu().numpy()
