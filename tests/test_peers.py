"""Cross-checks against Foolbox and ART: the naive gradient, the same start and clip, float64 on both sides.

Predictions must agree image by image except where the margin is below 1e-6, and those are counted.
"""

import warnings

import numpy as np
import pytest
import torch
from conftest import CLASSES, SHAPE, make_images, make_net, one_step, pgd_attack

from advlaw.attacks.iterative import pgd
from advlaw.attacks.one_step import one_step_direction
from advlaw.evaluation.threshold import margin

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
EPS = (0.01, 0.2, 1.0, 8.0, 40.0)
N = 300


def a_case(arch):
    """A net whose confident answers mostly survive small eps, images, and its answers as labels."""
    net, images = make_net(arch, torch.float64, scale=5.0), make_images(N, torch.float64)
    return net, images, net(images).argmax(dim=1)


def assert_same_outcomes(net, labels, ours, theirs):
    differ = net(ours).argmax(dim=1) != net(theirs).argmax(dim=1)
    undecided = margin(net(ours), labels).abs() < 1e-6
    assert not (differ & ~undecided).any(), f"{int((differ & ~undecided).sum())} images differ beyond a tie"
    assert undecided.sum() <= 3


def foolbox_run(attack, net, images, labels, eps):
    import foolbox

    model = foolbox.PyTorchModel(net, bounds=(0, 255), device="cpu")
    return attack.run(model, images, foolbox.criteria.Misclassification(labels), epsilon=eps)


@pytest.mark.parametrize("arch", ["linear", "fc", "cnn"])
@pytest.mark.parametrize("eps", EPS)
def test_fgsm_and_l2_are_foolbox_s(arch, eps):
    from foolbox.attacks import L2FastGradientAttack, LinfFastGradientAttack

    net, images, labels = a_case(arch)
    for direction, peer, size in (
        ("sign", LinfFastGradientAttack(random_start=False), eps),
        ("l2", L2FastGradientAttack(random_start=False), eps * 8),
    ):
        theirs = foolbox_run(peer, net, images, labels, size)
        step, _ = one_step_direction(net, images, labels, one_step(direction, gradient="naive"))
        ours = (images + size * step).clamp(0, 255)
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6 * size)
        assert_same_outcomes(net, labels, ours, theirs)


@pytest.mark.parametrize("arch", ["linear", "fc", "cnn"])
@pytest.mark.parametrize("eps", EPS)
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_pgd_is_foolbox_s(arch, eps, norm):
    from foolbox.attacks import L2ProjectedGradientDescentAttack, LinfProjectedGradientDescentAttack

    net, images, labels = a_case(arch)
    peer = LinfProjectedGradientDescentAttack if norm == "linf" else L2ProjectedGradientDescentAttack
    size = eps if norm == "linf" else 8 * eps
    theirs = foolbox_run(peer(rel_stepsize=0.125, steps=20, random_start=False), net, images, labels, size)
    ours = pgd(net, images, labels, size, pgd_attack(norm, 20, clip=True, gradient="naive"))
    assert_same_outcomes(net, labels, ours, theirs)


@pytest.mark.parametrize("arch", ["linear", "fc", "cnn"])
def test_step_ll_is_art_s_targeted_fgsm(arch):
    """ART computes in float32 whatever the net: images agree to its rounding, outcomes but for near ties."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from art.attacks.evasion import FastGradientMethod
        from art.estimators.classification import PyTorchClassifier

    net, images, labels = make_net(arch, scale=5.0), make_images(N), None
    labels = net(images).argmax(dim=1)
    target = net(images).argmin(dim=1)
    estimator = PyTorchClassifier(
        net,
        torch.nn.CrossEntropyLoss(),
        input_shape=SHAPE,
        nb_classes=CLASSES,
        clip_values=(0.0, 255.0),
        device_type="cpu",
    )
    step, _ = one_step_direction(net, images, labels, one_step(target="least_likely", gradient="naive"))
    for eps in EPS:
        attack = FastGradientMethod(estimator, norm=np.inf, eps=eps, targeted=True, batch_size=N)
        theirs = torch.from_numpy(attack.generate(images.numpy(), y=target.numpy()))
        ours = (images + eps * step).clamp(0, 255)
        sign_differs = (ours - theirs).abs() > 1e-4 + 1e-6 * eps
        assert sign_differs.double().mean() < 1e-3  # a gradient of rounding size has either sign
        differ = net(ours).argmax(dim=1) != net(theirs).argmax(dim=1)
        near_tie = margin(net(ours), labels).abs() < 1e-3
        assert not (differ & ~near_tie & ~sign_differs.flatten(1).any(dim=1)).any()
        assert differ.sum() <= 2
