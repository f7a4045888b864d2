"""Adversarial training put together: the attack that makes the examples, and a probe with PGD after every epoch."""

import numpy as np
import torch
from torch import Tensor, nn

from advlaw.attacks import iterative, one_step
from advlaw.attacks.draws import Draws
from advlaw.attacks.settings import IterativeAttack, OneStepAttack, RelativeStep
from advlaw.core.images import Examples
from advlaw.core.rng import Numbers
from advlaw.training.accuracy import accuracy
from advlaw.training.adversarial import AdversarialMinibatches, Perturb, attacked_mode, drawn_eps
from advlaw.training.loop import Defence, Row
from advlaw.training.settings import Adversarial

PROBED = 500  # validation images
PROBE = IterativeAttack(norm="linf", steps=10, step_size=RelativeStep(relative=0.25), target="true_label", clip=True)
NUMBERS_OF_PROBE = Numbers(0, ())  # the same in all epochs and trainings, whose accuracies are compared


def adversarial_defence(
    settings: Adversarial, attack: OneStepAttack | IterativeAttack, batch_size: int, validation: Examples
) -> Defence:
    """What `advlaw.training.loop.train` takes; `attack` is the one that `settings` names."""
    probed = Examples(validation.images[:PROBED], validation.labels[:PROBED])
    probes = {
        "attacked_accuracy": perturbation(attack, NUMBERS_OF_PROBE, "probe"),
        "pgd_accuracy": perturbation(PROBE, NUMBERS_OF_PROBE, "probe"),
    }

    def replace_of(numbers: Numbers, epoch: int, n_images: int) -> AdversarialMinibatches:
        eps = drawn_eps(settings.eps, numbers.generator("eps", epoch), n_images)
        perturb = perturbation(attack, numbers, "attack", epoch)
        return AdversarialMinibatches(settings, batch_size, perturb, eps, is_fixed(attack))

    def probe(model: nn.Module) -> Row:
        eps = torch.full((len(probed.labels),), settings.probe_eps, device=probed.labels.device)
        items = np.arange(len(probed.labels))
        found: Row = {}
        for name, perturb in probes.items():
            with attacked_mode(model, "eval"):
                images = perturb(model, probed.images[:], probed.labels, eps, items)
            found[name] = accuracy(model, Examples(images, probed.labels))
        return found

    return Defence(replace_of, probe)


def is_fixed(attack: OneStepAttack | IterativeAttack) -> bool:
    """Whether the attack draws no random numbers."""
    return isinstance(attack, OneStepAttack) and attack.target not in (None, "random_class")


def perturbation(attack: OneStepAttack | IterativeAttack, numbers: Numbers, purpose: str, *more: str | int) -> Perturb:
    """The attack at an eps (B,) of each image's own, with the random numbers of one purpose, image by image."""
    family = one_step if isinstance(attack, OneStepAttack) else iterative

    def perturb(model: nn.Module, images: Tensor, labels: Tensor, eps: Tensor, items: np.ndarray) -> Tensor:
        draws = Draws(numbers.seed, (purpose, *numbers.names, *more), items)
        return family.perturbed(model, images, labels, eps, attack, draws)

    return perturb
