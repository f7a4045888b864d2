"""The nine one-step methods of Kurakin App. A as params.yaml names them: what each does to every pixel."""

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import CLASSES, SHAPE, make_images, make_net
from scipy.stats import chisquare, kstest, truncnorm

from advlaw.attacks import draws
from advlaw.attacks import settings as attack_settings
from advlaw.attacks.draws import Draws, random_classes, random_sign, truncated_normal
from advlaw.attacks.iterative import pgd
from advlaw.attacks.one_step import one_step_direction
from advlaw.attacks.settings import Attacks
from advlaw.core.section import ParamsError, read_section, validate
from advlaw.evaluation.sweep import Randomness, in_top, sweep_one_step

ATTACKS: Attacks = read_section(Path(__file__).parents[1] / "params.yaml", "attacks", Attacks)
EPS = 1.75
N = 40
ALPHA = 1e-4  # of every test of a distribution below: one in ten thousand seeds would fail it
DRAWS = Draws(3, ("sweep", "fc", "x"), range(N))


def moved(name, net, images, labels):
    """What the attack called `name` adds to every pixel at EPS."""
    direction, _ = one_step_direction(net, images, labels, ATTACKS.one_step[name], DRAWS)
    return EPS * direction


def loss_gradient(net, images, loss):
    """The gradient of a plain torch expression of the logits, summed over images."""
    pixels = images.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(loss(net(pixels)).sum(), pixels)
    return gradient


def cross_entropy(labels):
    return lambda logits: torch.nn.functional.cross_entropy(logits, labels, reduction="none")


def entropy(logits):
    return torch.distributions.Categorical(logits=logits).entropy()


def norm(gradient, order):
    return torch.linalg.vector_norm(gradient, order, dim=(1, 2, 3), keepdim=True)


FORMULAS = {
    "fgsm": lambda net, x, y: loss_gradient(net, x, cross_entropy(y)).sign(),
    "fgsm_predicted": lambda net, x, y: loss_gradient(net, x, cross_entropy(net(x).argmax(1))).sign(),
    "fast_entropy": lambda net, x, y: loss_gradient(net, x, entropy).sign(),
    "l2": lambda net, x, y: (g := loss_gradient(net, x, cross_entropy(y))) / norm(g, 2),
    "fast_linf": lambda net, x, y: (g := loss_gradient(net, x, cross_entropy(y))) / norm(g, float("inf")),
    "step_ll": lambda net, x, y: -loss_gradient(net, x, cross_entropy(net(x).argmin(1))).sign(),
    "step_rnd": lambda net, x, y: -loss_gradient(net, x, cross_entropy(random_classes(DRAWS, CLASSES))).sign(),
}


@pytest.mark.parametrize("arch", ["linear", "fc", "cnn"])
@pytest.mark.parametrize("name", FORMULAS)
def test_a_gradient_method_moves_each_pixel_by_its_formula(name, arch):
    net, images = make_net(arch, torch.float64), make_images(N, torch.float64)
    labels = (net(images).argmax(dim=1) + (torch.arange(N) % 3 == 0)) % CLASSES  # a third of them wrong when clean
    torch.testing.assert_close(moved(name, net, images, labels), EPS * FORMULAS[name](net, images, labels))


@pytest.mark.parametrize("name", ["random_sign", "truncated_normal"])
def test_noise_moves_each_pixel_whatever_the_net(name):
    images, labels = make_images(N), torch.zeros(N, dtype=torch.long)
    found = moved(name, make_net("fc"), images, labels)
    assert torch.equal(found, moved(name, make_net("cnn"), images * 0.5, labels + 1))
    if name == "random_sign":
        assert torch.equal(found.abs(), torch.full_like(images, EPS))
    else:
        assert found.abs().max() <= EPS
        assert found.abs().max() > 0.97 * EPS
        assert len(found.unique()) > 0.99 * found.numel()


def test_the_nine_methods_are_all_there():
    assert draws.NOISE.keys() == set(attack_settings.NOISE)
    assert FORMULAS.keys() | {"random_sign", "truncated_normal"} <= ATTACKS.one_step.keys()
    assert len(FORMULAS) + 2 == 9


def test_truncated_normal_noise_has_its_law_and_uncorrelated_pixels():
    noise = truncated_normal(Draws(0, ("a",), range(2000)), SHAPE).double().flatten(1).numpy()
    assert kstest(noise.ravel(), truncnorm(-2, 2, scale=0.5).cdf).pvalue > ALPHA
    correlation = np.corrcoef(noise, rowvar=False)[np.triu_indices(64, 1)]
    assert kstest(correlation * np.sqrt(2000), "norm").pvalue > ALPHA


def test_random_signs_are_fair_and_uncorrelated():
    signs = random_sign(Draws(0, ("a",), range(2000)), SHAPE).flatten(1).numpy()
    assert chisquare(np.unique(signs, return_counts=True)[1]).pvalue > ALPHA
    correlation = np.corrcoef(signs, rowvar=False)[np.triu_indices(64, 1)]
    assert kstest(correlation * np.sqrt(2000), "norm").pvalue > ALPHA


def test_random_classes_are_uniform_over_all_of_them():
    counts = np.bincount(random_classes(Draws(0, ("a",), range(20_000)), CLASSES), minlength=CLASSES)
    assert chisquare(counts).pvalue > ALPHA


@pytest.mark.parametrize("draw", [random_sign, truncated_normal])
def test_draws_depend_on_seed_names_and_image_alone(draw):
    whole = draw(Draws(3, ("sweep", "fc"), range(100)), SHAPE)
    assert torch.equal(draw(Draws(3, ("sweep", "fc"), range(60, 70)), SHAPE), whole[60:70])
    for other in (Draws(4, ("sweep", "fc"), range(100)), Draws(3, ("sweep", "cnn"), range(100))):
        assert not torch.equal(draw(other, SHAPE), whole)


@pytest.mark.parametrize("name", ["step_rnd", "random_sign", "truncated_normal"])
def test_a_random_sweep_does_not_depend_on_the_batch_size(name):
    net, images = make_net("fc"), make_images(230)
    labels, grid = net(images).argmax(dim=1), np.geomspace(0.1, 64, 12)
    randomness = Randomness(0, ("sweep", "fc", name))
    whole = sweep_one_step(net, images, labels, ATTACKS.one_step[name], grid, randomness)
    parts = sweep_one_step(net, images, labels, ATTACKS.one_step[name], grid, randomness, batch_size=32)
    for array in ("prediction", "top5", "clean_prediction", "zero_gradient"):
        np.testing.assert_array_equal(parts[array], whole[array])


@pytest.mark.parametrize(("eps", "steps"), [(0.01, 1), (0.5, 1), (1, 1), (2, 3), (4, 5), (8, 10), (16, 20), (64, 68)])
def test_basic_iterative_runs_kurakin_s_number_of_steps(eps, steps):
    assert ATTACKS.iterative["iter_basic"].n_steps(eps) == steps


@pytest.mark.parametrize("eps", [0.4, 2.0, 4.0, 8.0, 16.0])
@pytest.mark.parametrize("name", ["iter_basic", "iter_ll"])
def test_basic_iterative_is_the_papers_recursion(name, eps):
    net, images = make_net("cnn", torch.float64), make_images(N, torch.float64)
    labels = net(images).argmax(dim=1)
    target, sign = (labels, 1) if name == "iter_basic" else (net(images).argmin(dim=1), -1)
    plain = images
    for _ in range({0.4: 1, 2.0: 3, 4.0: 5, 8.0: 10, 16.0: 20}[eps]):
        stepped = plain + sign * 1.0 * loss_gradient(net, plain, cross_entropy(target)).sign()
        plain = stepped.clamp(images - eps, images + eps)
    torch.testing.assert_close(pgd(net, images, labels, eps, ATTACKS.iterative[name]), plain)


def test_top_5_outcomes_are_those_of_a_full_sort():
    net, images = make_net("fc", torch.float64), make_images(200, torch.float64)
    labels = torch.arange(200) % CLASSES
    attack, grid = ATTACKS.one_step["step_ll"], np.geomspace(0.5, 64, 6)
    arrays = sweep_one_step(net, images, labels, attack, grid, Randomness(0, ()))
    direction, _ = one_step_direction(net, images, labels, attack)
    for i, eps in enumerate(grid):
        best = net(images + eps * direction).topk(5, dim=1).indices
        np.testing.assert_array_equal(arrays["top5"][i], (best == labels[:, None]).any(dim=1).numpy())
    assert 0.3 < arrays["clean_top5"].mean() < 0.9
    ranks = torch.arange(8.0)[None].expand(8, 8)
    assert in_top(ranks, torch.arange(8)).tolist() == [False] * 3 + [True] * 5


def test_the_clean_margin_is_the_gap_of_the_label():
    net, images = make_net("cnn", torch.float64), make_images(50, torch.float64)
    labels = torch.arange(50) % CLASSES
    arrays = sweep_one_step(net, images, labels, ATTACKS.one_step["fgsm"], np.geomspace(0.5, 64, 3), Randomness(0, ()))
    logits = net(images)
    own = logits.gather(1, labels[:, None])[:, 0]
    others = logits.masked_fill(torch.nn.functional.one_hot(labels, CLASSES).bool(), -torch.inf).amax(dim=1)
    np.testing.assert_allclose(arrays["clean_margin"], (own - others).numpy(), rtol=1e-6)


def test_attacks_are_on_the_true_label_unless_they_say_otherwise():
    attacks = {"one_step": {"fgsm": {"direction": "sign", "clip": False}}, "apgd": {}, "query": {}}
    attacks["iterative"] = {"pgd": {"steps": 3, "step_size": {"relative": 0.5}, "clip": False}}
    found = validate(attacks, Attacks, Path("params.yaml"), "attacks")
    assert found.one_step["fgsm"].target == found.iterative["pgd"].target == "true_label"
    assert found.iterative["pgd"].norm == "linf"


@pytest.mark.parametrize(
    ("attack", "message"),
    [
        (
            {"direction": "random_sign", "target": "true_label", "clip": False},
            "direction = 'random_sign' is noise: leave out target and gradient",
        ),
        ({"direction": "linfty", "target": "true_label", "clip": False}, "direction = 'linfty'"),
    ],
)
def test_a_method_that_makes_no_sense_is_refused(attack, message):
    attacks = {"one_step": {"x": attack}, "iterative": {}}
    with pytest.raises(ParamsError, match=message):
        validate(attacks, Attacks, Path("params.yaml"), "attacks")
