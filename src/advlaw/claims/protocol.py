"""Claims about how attacks and training are set, checked on the params (Cubuk Sec. 4, Kurakin Sec. 2.2 and 3)."""

import math

from advlaw.attacks.settings import IterativeAttack
from advlaw.claims.finding import Estimate, Finding, Part, equal, shown
from advlaw.claims.study import Evidence
from advlaw.training.settings import Adversarial, RandomEps, RobustNet

NO_ONE_STEP = "no net trained on one-step examples in this study"
ITERATIONS = {
    16.0: 20.0,
    8.0: 10.0,
    4.0: 5.0,
    2.0: 2.5,
}  # eps: min(eps + 4, 1.25 eps), which the paper leaves unrounded
MINIBATCH, REPLACED, WEIGHT = 32, 16, 0.3  # Kurakin's m, k and lambda
SIGMA, LARGEST = 8.0, 16.0


def number_of_iterations(study: Evidence) -> Finding:
    """K03: alpha = 1 and min(eps + 4, 1.25 eps) iterations; ours round halves up, to at least one."""
    parts: list[Part] = []
    for name, attack in study.attacks.iterative.items():
        if attack.steps != "from_eps":
            continue
        parts.append(equal(name, "step size", float(attack.step(8.0)), 1.0))
        for eps, wanted in ITERATIONS.items():
            rounded = math.floor(wanted + 0.5)
            parts.append(equal(name, f"steps at eps = {eps:g}", attack.n_steps(eps), rounded))
    return Finding(tuple(parts), "no attack whose number of steps follows from eps in this study")


def weight_of_adversarial_images(study: Evidence) -> Finding:
    """K04: of a minibatch of 32, 16 images are replaced and weigh 0.3: the divisor is 20.8, their share 23.1 %."""
    nets = _one_step(study)
    parts: list[Part] = []
    if nets:
        divisor = MINIBATCH - REPLACED + WEIGHT * REPLACED
        parts.append(shown("the paper's minibatch", "divisor of the loss", Estimate(divisor)))
    for name, net in nets.items():
        ours = net.adversarial
        weighed = ours.weight * ours.images
        share = weighed / (net.training.batch_size - ours.images + weighed)
        parts.append(equal(name, "weight of an adversarial image", ours.weight, WEIGHT))
        parts.append(shown(name, "minibatch, where the paper has 32", Estimate(net.training.batch_size)))
        parts.append(equal(name, "share of adversarial images in the loss", share, 0.231, tolerance=5e-4))
    return Finding(tuple(parts), NO_ONE_STEP)


def law_of_eps(study: Evidence) -> Finding:
    """K06: every image's eps is |N(0, 8)|, truncated to [0, 16]."""
    parts: list[Part] = []
    for name, net in _one_step(study).items():
        eps = net.adversarial.eps
        sigma, largest = (eps.sigma, eps.largest) if isinstance(eps, RandomEps) else (0.0, eps.fixed)
        parts += [equal(name, "sigma of eps", sigma, SIGMA), equal(name, "largest eps", largest, LARGEST)]
    return Finding(tuple(parts), NO_ONE_STEP)


def pgd_training(study: Evidence) -> Finding:
    """C42: nets are trained on PGD examples of 7 steps of size 2, eps = 8, from a random start.

    The paper evaluates them so as well; here that is done by stronger attacks.
    """
    parts: list[Part] = []
    for name, net in study.robust_models.items():
        attack = _attack(study, net.adversarial)
        if not isinstance(attack, IterativeAttack):
            continue
        eps = net.adversarial.eps
        size = eps.largest if isinstance(eps, RandomEps) else eps.fixed
        parts.append(equal(name, "eps", size, 8.0))
        parts.append(equal(name, "steps", attack.n_steps(size), 7))
        parts.append(equal(name, "step size", float(attack.step(size)), 2.0))
        parts.append(equal(name, "random start", float(attack.random_start), 1.0))
        parts.append(equal(name, "clipping to [0, 255]", float(attack.clip), 1.0))
    remark = "settings of training; nets are evaluated by more steps than the paper's, with restarts" if parts else ""
    return Finding(tuple(parts), "no net trained on PGD examples in this study", remark=remark)


def _one_step(study: Evidence) -> dict[str, RobustNet]:
    return {name: net for name, net in study.robust_models.items() if net.adversarial.family == "one_step"}


def _attack(study: Evidence, adversarial: Adversarial) -> object:
    return study.attacks.by_key(adversarial.attack)
