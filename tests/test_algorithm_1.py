"""Kurakin's Algorithm 1 with every method as its generator, however images are split into minibatches."""

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import make_images, make_net
from test_adversarial_training import KURAKIN, NUMBERS, adversarial, training
from test_one_step import FORMULAS

from advlaw.attacks.draws import Draws
from advlaw.attacks.one_step import one_step_direction
from advlaw.attacks.settings import Attacks
from advlaw.core.section import read_section
from advlaw.models.store import build
from advlaw.training.adversarial import AdversarialMinibatches, drawn_eps
from advlaw.training.minibatches import Minibatches
from advlaw.training.objective import minibatch_loss, summed_loss
from advlaw.training.parallel import Processes
from advlaw.trials.defence import perturbation

ATTACKS: Attacks = read_section(Path(__file__).parents[1] / "params.yaml", "attacks", Attacks)
ONE_STEP = [*FORMULAS, "random_sign", "truncated_normal"]
N_IMAGES = 50


def clipped(name):
    return getattr(ATTACKS, "iterative" if name.startswith("iter_") else "one_step")[name].model_copy(
        update={"clip": True}
    )


def minibatch_of(attack, eps, items, net):
    """What replaces all images at these places, with their own eps, in epoch 2."""
    settings = adversarial(images=len(items), weight=1.0)
    images, labels = make_images(N_IMAGES)[items], (torch.arange(N_IMAGES) % 10)[items]
    replace = AdversarialMinibatches(settings, len(items), perturbation(attack, NUMBERS, "attack", 2), eps)
    return replace(net, images, labels, items, 0.5)[0]


def eps_by_image(epoch, size, together, processes):
    """The eps that every image is attacked at in an epoch of minibatches that some processes share."""
    found = {}

    def recorded(model, images, labels, eps, items):
        found.update(zip(items.tolist(), eps.tolist(), strict=True))
        return images

    def replace_of(numbers, epoch, n_images):
        eps = drawn_eps(KURAKIN, numbers.generator("eps", epoch), n_images)
        return AdversarialMinibatches(adversarial(images=size), size, recorded, eps)

    settings = training(batch_size=size, minibatches=together)
    labels, net = torch.zeros(N_IMAGES, dtype=torch.long), make_net("linear")
    steps = Minibatches(settings, NUMBERS, labels, False, replace_of).steps(epoch)
    for rank in range(processes):
        for step in steps:
            for minibatch in Processes(rank, processes).share(step, together):
                images = torch.zeros(len(minibatch.items), 1, 8, 8)
                minibatch.replace(net, images, minibatch.labels, minibatch.items, 0.5)
    return [found[image] for image in range(N_IMAGES)]


def test_an_image_s_eps_follows_from_seed_epoch_and_image_alone():
    once = eps_by_image(3, N_IMAGES, 1, 1)
    assert once == drawn_eps(KURAKIN, NUMBERS.generator("eps", 3), N_IMAGES).tolist()
    assert len(set(once)) == N_IMAGES
    for size, together, processes in ((16, 1, 1), (16, 4, 1), (16, 4, 2), (7, 4, 4), (1, 2, 2)):
        assert eps_by_image(3, size, together, processes) == once
    assert not set(once) & set(eps_by_image(4, N_IMAGES, 1, 1))


@pytest.mark.parametrize("name", ONE_STEP)
def test_each_one_step_method_makes_the_images_that_are_learnt(name):
    net, attack, items = make_net("cnn"), clipped(name), np.random.default_rng(0).permutation(N_IMAGES)[:20]
    eps = drawn_eps(KURAKIN, NUMBERS.generator("eps", 2), N_IMAGES)
    images, labels = make_images(N_IMAGES)[items], (torch.arange(N_IMAGES) % 10)[items]
    draws = Draws(NUMBERS.seed, ("attack", *NUMBERS.names, 2), items)
    direction, is_zero = one_step_direction(net, images, labels, attack, draws)
    expected = (images + eps[items].view(-1, 1, 1, 1) * direction).clamp(0.0, 255.0)
    found = minibatch_of(attack, eps, items, net)
    assert torch.equal(found, expected)
    assert not is_zero.any()
    for half in (slice(0, 9), slice(9, 20)):  # a smaller minibatch, or another process's
        torch.testing.assert_close(minibatch_of(attack, eps, items[half], net), found[half], rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", ["iter_basic", "iter_ll"])
def test_each_iterative_method_makes_the_images_that_are_learnt(name):
    """Kurakin's recursion with alpha = 1, min(eps + 4, 1.25 eps) steps at the image's own eps, clipped."""
    net, items = make_net("cnn", torch.float64), np.arange(12)
    eps = torch.linspace(0.3, 16.0, N_IMAGES, dtype=torch.float64)
    images, labels = make_images(N_IMAGES, torch.float64)[:12], torch.arange(12) % 10
    is_basic = name == "iter_basic"
    target = labels if is_basic else net(images).argmin(dim=1)
    expected = images.clone()
    for i, size in enumerate(eps[items].tolist()):
        for _ in range(max(1, int(min(size + 4, 1.25 * size) + 0.5))):
            pixels = expected[i : i + 1].clone().requires_grad_(True)
            loss = torch.nn.functional.cross_entropy(net(pixels), target[i : i + 1])
            (gradient,) = torch.autograd.grad(loss if is_basic else -loss, pixels)
            moved = expected[i] + gradient[0].sign()
            expected[i] = moved.clamp(images[i] - size, images[i] + size).clamp(0.0, 255.0)
    settings = adversarial(images=12, weight=1.0)
    replace = AdversarialMinibatches(settings, 12, perturbation(clipped(name), NUMBERS, "attack", 2), eps)
    torch.testing.assert_close(replace(net, images, labels, items, 0.5)[0], expected)


def test_fast_grad_l2_moves_an_image_by_eps_pixel_units_in_all():
    """Kurakin App. A: eps is the length of the whole perturbation, whatever the number of pixels."""
    net, items = make_net("fc"), np.arange(N_IMAGES)
    images, labels = 110 + 30 * torch.rand(N_IMAGES, 1, 8, 8), torch.arange(N_IMAGES) % 10
    eps = torch.linspace(0.5, 16.0, N_IMAGES)
    settings = adversarial(images=N_IMAGES, weight=1.0)
    replace = AdversarialMinibatches(settings, N_IMAGES, perturbation(clipped("l2"), NUMBERS, "attack", 2), eps)
    moved = replace(net, images, labels, items, 0.5)[0] - images
    torch.testing.assert_close(moved.flatten(1).norm(dim=1), eps, rtol=1e-3, atol=0)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_the_printed_one_with_smoothed_labels_too(smoothing):
    """(sum over m - k clean + lambda sum over k adversarial) / ((m - k) + lambda k), labels smoothed in both."""
    rng = np.random.default_rng(1)
    m, k, weight = 12, 5, 0.3
    raw, labels = 3 * rng.normal(size=(m, 10)), np.arange(m) % 10
    log_p = raw - np.logaddexp.reduce(raw, axis=1, keepdims=True)
    wanted = (1 - smoothing) * np.eye(10)[labels] + smoothing / 10
    losses = -(wanted * log_p).sum(axis=1)
    expected = (losses[k:].sum() + weight * losses[:k].sum()) / ((m - k) + weight * k)
    weights = torch.tensor([weight] * k + [1.0] * (m - k), dtype=torch.float64)
    given = torch.from_numpy(raw), torch.from_numpy(labels), training(label_smoothing=smoothing), 1.0, weights
    assert float(minibatch_loss(*given)) == pytest.approx(expected, rel=1e-12)
    loss, divisor = summed_loss(*given)
    assert float(divisor) == pytest.approx((m - k) + weight * k)
    assert float(loss / divisor) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("spec", [{"arch": "fc", "widths": [30]}, {"arch": "maxout", "units": 20}])
def test_an_attack_sees_the_net_without_dropout_and_leaves_it_on(spec):
    torch.manual_seed(1)
    net = build({**spec, "dropout": 0.5, "image_shape": [1, 8, 8], "n_classes": 10})
    net.head.mean.fill_(120.0)
    net.head.std.fill_(70.0)
    eps, items = drawn_eps(KURAKIN, NUMBERS.generator("eps", 2), N_IMAGES), np.arange(20)
    without = minibatch_of(clipped("fgsm"), eps, items, net.eval())
    drawn = torch.get_rng_state()
    assert torch.equal(minibatch_of(clipped("fgsm"), eps, items, net.train()), without)
    assert torch.equal(torch.get_rng_state(), drawn)  # nothing of dropout's numbers is used up
    assert all(module.training for module in net.modules())
    assert not torch.equal(net(without), net(without))
