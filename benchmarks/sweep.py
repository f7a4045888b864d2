"""Time a 30-point FGSM sweep and a 20-step PGD sweep against Foolbox and a plain loop, on the same nets and images.

    python benchmarks/sweep.py [--rounds 5] [--images 1000]

Peers attack anew at every eps with their ordinary gradient and clip to [0, 255]; so do we here. Contestants take
turns within every round; what is printed are medians over the rounds and the ratios to ours.
"""

from collections.abc import Callable

import foolbox
import numpy as np
import torch
from foolbox.attacks import LinfFastGradientAttack, LinfProjectedGradientDescentAttack
from rounds import compare, set_up, untrained

from advlaw.config.attack import IterativeAttack, OneStepAttack, RelativeStep
from advlaw.evaluation.sweep import Randomness, sweep_iterative, sweep_one_step

NETS = {
    "linear": {"arch": "linear"},
    "fc": {"arch": "fc", "widths": [1000, 1000]},
    "cnn": {"arch": "cnn", "channels": [32, 64], "dropout": 0.0},
}
EPS = np.geomspace(0.01, 64.0, 30)
RANDOM = Randomness(0, ("benchmark",))


def plain_loop(net, images, labels, eps) -> None:
    """What the papers' formula says, literally: a backward pass and a forward pass at every eps."""
    for value in eps:
        pixels = images.clone().requires_grad_(True)
        torch.nn.functional.cross_entropy(net(pixels), labels).backward()
        net((images + value * pixels.grad.sign()).clamp(0, 255)).argmax(dim=1)


def contestants(net, images, labels) -> dict[str, dict[str, Callable[[], object]]]:
    """Jobs by name; in each, what every contestant calls. The first is ours."""
    clipped = OneStepAttack(direction="sign", target="true_label", clip=True)
    unclipped = OneStepAttack(direction="sign", target="true_label", clip=False)
    pgd = IterativeAttack(norm="linf", steps=20, step_size=RelativeStep(relative=0.125), target="true_label", clip=True)
    peer = foolbox.PyTorchModel(net, bounds=(0, 255), device=images.device)
    few = EPS[::6]
    fgsm, peer_pgd = (
        LinfFastGradientAttack(random_start=False),
        LinfProjectedGradientDescentAttack(rel_stepsize=0.125, steps=20, random_start=False),
    )
    return {
        f"FGSM, {len(EPS)} eps, with thresholds": {
            "advlaw, clipped": lambda: sweep_one_step(net, images, labels, clipped, EPS, RANDOM),
            "advlaw, not clipped": lambda: sweep_one_step(net, images, labels, unclipped, EPS, RANDOM),
            "Foolbox (no thresholds)": lambda: fgsm(peer, images, labels, epsilons=EPS.tolist()),
            "plain loop (no thresholds)": lambda: plain_loop(net, images, labels, EPS),
        },
        f"PGD, 20 steps, {len(few)} eps": {
            "advlaw": lambda: sweep_iterative(net, images, labels, pgd, few, RANDOM),
            "Foolbox": lambda: peer_pgd(peer, images, labels, epsilons=few.tolist()),
        },
    }


def main() -> None:
    rounds, images, device = set_up(__doc__, n_images=1000)
    for net_name, spec in NETS.items():
        net = untrained(spec, images)
        labels = net(images).argmax(dim=1)
        for job, candidates in contestants(net, images, labels).items():
            compare(f"{net_name}, {len(images)} images, {device.type}: {job}", candidates, rounds, device)


if __name__ == "__main__":
    main()
