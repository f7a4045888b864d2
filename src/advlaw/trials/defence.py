"""Adversarial training put together: the attack that makes the examples, and a probe with PGD after every epoch."""

import torch
from torch import Tensor, nn

from advlaw.attacks import iterative, one_step
from advlaw.attacks.draws import Draws
from advlaw.attacks.settings import IterativeAttack, OneStepAttack, RelativeStep
from advlaw.training.adversarial import AdversarialMinibatches, Perturb, attacked_mode
from advlaw.training.loop import Defence, Examples, Row, accuracy
from advlaw.training.settings import Adversarial

PROBED = 500  # validation images
PROBE = IterativeAttack(norm="linf", steps=10, step_size=RelativeStep(relative=0.25), target="true_label", clip=True)


def adversarial_defence(
    settings: Adversarial, attack: OneStepAttack | IterativeAttack, batch_size: int, validation: Examples
) -> Defence:
    """What `advlaw.training.loop.train` takes; `attack` is the one that `settings` names."""
    perturb = perturbation(attack)
    probed = Examples(validation.images[:PROBED], validation.labels[:PROBED])

    def probe(model: nn.Module) -> Row:
        found = {}
        for name, method in (("attacked_accuracy", perturb), ("pgd_accuracy", perturbation(PROBE))):
            with attacked_mode(model, "eval"):
                eps = torch.full((len(probed.labels),), settings.probe_eps, device=probed.images.device)
                images = method(model, probed.images, probed.labels, eps)
            found[name] = accuracy(model, Examples(images, probed.labels))
        return found

    return Defence(AdversarialMinibatches(settings, batch_size, perturb), probe)


def perturbation(attack: OneStepAttack | IterativeAttack) -> Perturb:
    """The attack at an eps (B,) of each image's own; its random numbers follow torch's own generator."""
    family = one_step if isinstance(attack, OneStepAttack) else iterative

    def perturb(model: nn.Module, images: Tensor, labels: Tensor, eps: Tensor) -> Tensor:
        draws = Draws(int(torch.randint(2**62, ())), ("training",), range(len(images)))
        return family.perturbed(model, images, labels, eps, attack, draws)

    return perturb
