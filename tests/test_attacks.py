"""Attacks: exact directions, norms, targets, the ball, and independence of the batch."""

import mpmath
import numpy as np
import pytest
import torch
from conftest import CLASSES, SHAPE, make_images, make_net, one_step, pgd_attack

from advlaw.attacks.draws import Draws, unit_ball
from advlaw.attacks.gradient import (
    ERRORS,
    input_gradient,
    naive_entropy_error,
    naive_error,
    scale_free_entropy_error,
    scale_free_error,
)
from advlaw.attacks.iterative import pgd
from advlaw.attacks.norms import project, steepest
from advlaw.attacks.one_step import one_step_direction
from advlaw.attacks.targets import TARGETS, chosen_target, least_likely


def confident_net(temperature: float):
    """A net of margins around 20 whose logits are then multiplied by T: no decision changes."""
    return make_net("fc", scale=60.0 * temperature)


def exact_error(logits: np.ndarray, label: int, target: str) -> np.ndarray:
    """p - onehot(y), or -p (log p + H), with 2,000 digits, divided by its largest entry: nothing underflows."""
    with mpmath.workdps(2000):
        weights = [mpmath.exp(mpmath.mpf(float(h))) for h in logits]
        total = mpmath.fsum(weights)
        p = [w / total for w in weights]
        if target == "entropy":
            entropy = -mpmath.fsum(q * mpmath.log(q) for q in p)
            delta = [-q * (mpmath.log(q) + entropy) for q in p]
        else:
            delta = [q - (1 if j == label else 0) for j, q in enumerate(p)]
        largest = max(abs(d) for d in delta)
        return np.array([float(d / largest) for d in delta])


@pytest.mark.parametrize("temperature", [1.0, 10.0, 100.0])
@pytest.mark.parametrize("direction", ["sign", "l2"])
@pytest.mark.parametrize("target", sorted(TARGETS))
def test_direction_is_that_of_the_exact_loss_however_confident_the_net(temperature, direction, target):
    net, images = confident_net(temperature), make_images(20)
    labels = net(images).argmax(dim=1)
    found, zero_gradient = one_step_direction(net, images, labels, one_step(direction, target))
    assert not zero_gradient.any()

    net64, images64 = confident_net(temperature).double(), images.double()
    chosen, sign = chosen_target(target, net64(images64), labels)
    jacobian = torch.stack(
        [
            input_gradient(net64, images64, chosen, lambda h, y, k=k: torch.eye(CLASSES)[k].expand_as(h))
            for k in range(CLASSES)
        ]
    )
    error = np.stack([exact_error(h, int(y), target) for h, y in zip(net64(images64).numpy(), chosen, strict=True)])
    gradient = torch.einsum("kbchw,bk->bchw", jacobian, torch.from_numpy(error))
    wanted = sign * steepest(gradient, "linf" if direction == "sign" else "l2")
    if direction == "l2":
        torch.testing.assert_close(found.double(), wanted, rtol=0, atol=2e-5)
    else:
        near_zero = gradient.abs() < 1e-4 * gradient.abs().amax(dim=(1, 2, 3), keepdim=True)
        assert (found.double() == wanted)[~near_zero].all()
        assert near_zero.double().mean() < 0.01


def test_the_naive_gradient_vanishes_where_the_scale_free_one_does_not():
    net, images = confident_net(100.0), make_images(60)
    labels = net(images).argmax(dim=1)
    _, naive_zero = one_step_direction(net, images, labels, one_step(gradient="naive"))
    _, exact_zero = one_step_direction(net, images, labels, one_step())
    assert naive_zero.float().mean() > 0.5
    assert exact_zero.sum() == 0


def test_errors_at_the_logits_point_the_same_way():
    logits = torch.randn(50, CLASSES, dtype=torch.float64)
    labels = torch.randint(CLASSES, (50,))
    naive = naive_error(logits, labels)
    rest = 1.0 - logits.softmax(dim=1).gather(1, labels[:, None])
    torch.testing.assert_close(scale_free_error(logits, labels), naive / rest)
    torch.testing.assert_close(naive.sum(dim=1), torch.zeros(50, dtype=torch.float64))
    naive, exact = naive_entropy_error(logits, labels), scale_free_entropy_error(logits, labels)
    torch.testing.assert_close(exact, naive / naive.scatter(1, naive.argmin(1, True), 0).abs().amax(1, keepdim=True))


def test_a_uniform_prediction_has_no_entropy_gradient():
    assert (scale_free_entropy_error(torch.zeros(3, CLASSES), torch.zeros(3)) == 0).all()


@pytest.mark.parametrize("arch", ["linear", "fc", "cnn"])
def test_input_gradient_is_that_of_the_summed_cross_entropy(arch):
    net, images = make_net(arch, torch.float64), make_images(20, torch.float64)
    labels = torch.arange(20) % CLASSES
    pixels = images.clone().requires_grad_(True)
    torch.nn.functional.cross_entropy(net(pixels), labels, reduction="sum").backward()
    torch.testing.assert_close(input_gradient(net, images, labels, ERRORS["naive"]), pixels.grad)


def test_a_zero_gradient_gives_a_zero_step_and_is_counted():
    net, images = make_net("linear"), make_images(5)
    net.head.layer.weight.zero_()
    for direction in ("sign", "l2"):
        found, zero = one_step_direction(net, images, torch.zeros(5, dtype=torch.long), one_step(direction))
        assert zero.all()
        assert (found == 0).all()


@pytest.mark.parametrize("scale", [1e-42, 1e-30, 1.0, 1e30])
def test_l2_directions_have_unit_norm_at_any_scale_of_the_gradient(scale):
    gradient = (torch.randn(200, *SHAPE, dtype=torch.float64) * scale).float()
    length = steepest(gradient, "l2").double().flatten(1).norm(dim=1)
    torch.testing.assert_close(length, torch.ones(200, dtype=torch.float64), rtol=0, atol=3e-7)


def test_least_likely_is_the_smallest_of_all_logits():
    logits = torch.tensor([[0.0, -3.0, 2.0], [-5.0, 1.0, 1.0]])
    assert least_likely(logits, torch.tensor([1, 0])).tolist() == [1, 0]


def test_step_ll_raises_the_least_likely_class():
    net, images = make_net("linear", torch.float64), make_images(30, torch.float64)
    logits = net(images)
    target = logits.argmin(dim=1)
    direction, _ = one_step_direction(net, images, target, one_step("sign", "least_likely"))

    def loss(pixels):
        return torch.nn.functional.cross_entropy(net(pixels), target, reduction="none")

    assert (loss(images + 0.5 * direction) < loss(images)).all()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_project_gives_the_closest_point_of_the_ball(norm):
    points = torch.randn(300, *SHAPE, dtype=torch.float64) * 3
    projected = project(points, 2.0, norm)
    length = projected.flatten(1).norm(dim=1, p=float("inf") if norm == "linf" else 2)
    assert (length <= 2.0 + 1e-12).all()
    inside = points.flatten(1).norm(dim=1, p=float("inf") if norm == "linf" else 2) <= 2.0
    assert torch.equal(projected[inside], points[inside])


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("random_start", [False, True])
def test_pgd_stays_in_the_ball_and_in_the_range_of_pixels(norm, clip, random_start):
    net, images = make_net("fc"), make_images(50)
    labels = net(images).argmax(dim=1)
    attack = pgd_attack(norm, clip=clip, random_start=random_start)
    start = unit_ball(Draws(0, ("test",), range(50)), SHAPE, norm) if random_start else None
    moved = pgd(net, images, labels, 12.0, attack, start) - images
    length = moved.flatten(1).norm(dim=1, p=float("inf") if norm == "linf" else 2)
    assert (length <= 12.0 * (1 + 1e-5)).all()
    assert (length > 6.0).all()
    if clip:
        assert (images + moved).amin() >= 0
        assert (images + moved).amax() <= 255


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("steps", [1, 2, 7, 20, 21])
@pytest.mark.parametrize("relative", [0.125, 0.7, 1.0, 2.0])
def test_stopping_at_a_repeated_perturbation_changes_nothing(norm, steps, relative):
    net, images = make_net("cnn", torch.float64), make_images(40, torch.float64)
    labels = net(images).argmax(dim=1)
    eps = 9.0
    plain = torch.zeros_like(images)
    for _ in range(steps):
        step = steepest(input_gradient(net, images + plain, labels), norm)
        plain = project(plain + relative * eps * step, eps, norm)
    attack = pgd_attack(norm, steps, step_size={"relative": relative})
    assert torch.equal(pgd(net, images, labels, eps, attack), images + plain)


def test_one_pgd_step_of_length_eps_is_fgsm():
    net, images = make_net("fc"), make_images(50)
    labels = net(images).argmax(dim=1)
    direction, _ = one_step_direction(net, images, labels, one_step())
    attack = pgd_attack(steps=1, step_size={"relative": 1.0})
    assert torch.equal(pgd(net, images, labels, 3.0, attack), images + 3.0 * direction)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_random_starts_are_uniform_in_the_ball_and_depend_on_the_image_alone(norm):
    shape, n = (1, 2, 2), 3000
    points = unit_ball(Draws(7, ("a",), range(n)), shape, norm).flatten(1).double()
    again = unit_ball(Draws(7, ("a",), range(2500, 2502)), shape, norm).flatten(1).double()
    assert torch.equal(again, points[2500:2502])
    radius = points.norm(dim=1, p=float("inf") if norm == "linf" else 2)
    from scipy.stats import kstest

    assert kstest((radius**4).numpy(), "uniform").pvalue > 1e-4  # the share of the ball within a radius, D = 4
