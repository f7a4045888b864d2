"""Ranks of the label under attacks at a few eps: by hand, in closed form, and as the sweeps have it."""

import numpy as np
import pytest
import torch
from conftest import make_images, make_net, one_step, pgd_attack
from test_self_checks import Related, a_net

from advlaw.attacks import iterative
from advlaw.attacks import one_step as one_step_family
from advlaw.attacks.settings import AbsoluteStep, AutoPGD, Square
from advlaw.evaluation import ranks as ranking
from advlaw.evaluation.each_eps import sweep_each_eps
from advlaw.evaluation.ranks import Method, clean_ranks, rank, ranks
from advlaw.evaluation.self_checks import SelfCheckError
from advlaw.evaluation.sweep import Randomness, sweep_one_step
from advlaw.models.store import build

RANDOM = Randomness(0, ("x",))
EPS = (0.5, 4.0, 8.0, 24.0)
ITER_BASIC = pgd_attack(steps="from_eps", step_size=AbsoluteStep(absolute=1.0), clip=True)
ATTACKS = {
    "fgsm": ("one_step", one_step(clip=True)),
    "l2": ("one_step", one_step("l2")),
    "step_ll": ("one_step", one_step("sign", "least_likely", clip=True)),
    "step_rnd": ("one_step", one_step("sign", "random_class", clip=True)),
    "noise": ("one_step", one_step("truncated_normal", None, clip=True)),
    "pgd": ("iterative", pgd_attack(random_start=True, restarts=3, steps=4, clip=True)),
    "iter_basic": ("iterative", ITER_BASIC),
}
OTHERS = {
    "apgd": ("apgd", AutoPGD(loss="dlr", steps=4, clip=True)),
    "square": ("query", Square(queries=5, restarts=2, clip=True)),
}


def method(name: str, eps=EPS) -> Method:
    return Method(*{**ATTACKS, **OTHERS}[name], eps, RANDOM)


def linear_net(seed: int):
    """Of two classes."""
    torch.manual_seed(seed)
    net = build({"arch": "linear", "image_shape": (1, 8, 8), "n_classes": 2}).requires_grad_(False)
    net.head.std.fill_(60.0)
    return net


def gap_and_slope(net, images, labels):
    """A linear net's gap h_y - h_other (N,) of two classes, in float64, and its gradient (N, 64)."""
    weights, bias = (net.head.layer.weight.double() / 60.0).numpy(), net.head.layer.bias.double().numpy()
    y, pixels = labels.numpy(), images.flatten(1).double().numpy()
    slope = weights[y] - weights[1 - y]
    return (pixels * slope).sum(axis=1) + bias[y] - bias[1 - y], slope


def test_a_rank_counts_the_classes_that_come_before_the_label():
    """Equal logits stand in the order of their classes, as argmax takes them."""
    logits = torch.tensor([[3.0, 1.0, 2.0, 1.0, 1.0]]).repeat(5, 1)
    assert rank(logits, torch.arange(5)).tolist() == [0, 2, 1, 3, 4]
    assert rank(torch.zeros(4, 4), torch.arange(4)).tolist() == [0, 1, 2, 3]
    assert rank(torch.tensor([[0.0, -0.0]]), torch.tensor([1])).tolist() == [1]


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_the_rank_is_255_wherever_a_logit_is_no_number(value):
    logits = torch.tensor([[1.0, 2.0, 3.0], [1.0, 2.0, value], [value, 2.0, 3.0]])
    found = rank(logits, torch.tensor([2, 1, 0]))
    assert found.tolist() == [0, 255, 255]
    assert found.dtype == torch.uint8


def test_ranks_of_more_classes_than_a_byte_holds_stop_before_what_is_no_number():
    logits = -torch.arange(1000.0).repeat(4, 1)
    assert rank(logits, torch.tensor([0, 253, 254, 999])).tolist() == [0, 253, 254, 254]


def test_a_rank_of_zero_is_a_right_answer_ties_and_all():
    logits = torch.randint(4, (2000, 6)).float()
    labels = torch.randint(6, (2000,))
    assert torch.equal(rank(logits, labels) == 0, logits.argmax(dim=1) == labels)
    order = torch.argsort(logits, dim=1, descending=True, stable=True)
    assert torch.equal(rank(logits, labels).long(), (order == labels[:, None]).int().argmax(dim=1))


@pytest.mark.parametrize("arch", ["fc", "cnn"])
@pytest.mark.parametrize("name", ATTACKS)
def test_top_1_and_top_5_are_those_of_a_sweep_at_the_same_eps(arch, name):
    net, images, labels = make_net(arch, scale=3.0), make_images(300), torch.randint(10, (300,))
    labels[::2] = net(images[::2]).argmax(dim=1)
    family, attack = ATTACKS[name]
    if family == "one_step":
        swept = sweep_one_step(net, images, labels, attack, np.array(EPS), RANDOM)
    else:
        swept = sweep_each_eps(net, images, labels, attack, iterative.perturbed, np.array(EPS), RANDOM)
    found = ranks(net, images, labels, method(name))
    assert found["rank"].dtype == np.uint8
    np.testing.assert_array_equal(found["rank"] == 0, swept["prediction"] == labels.numpy())
    np.testing.assert_array_equal(found["rank"] < 5, swept["top5"])
    assert not found["not_finite"].any()
    clean = clean_ranks(net, images, labels)
    np.testing.assert_array_equal(clean == 0, swept["clean_prediction"] == labels.numpy())
    np.testing.assert_array_equal(clean < 5, swept["clean_top5"])
    assert 0.3 < (clean == 0).mean() < 0.8


@pytest.mark.parametrize(("direction", "order"), [("sign", 1), ("l2", 2)])
def test_a_linear_net_s_rank_changes_where_the_gap_is_eps_times_the_norm_of_its_weights(direction, order):
    """In the attack's own norm: an L2 eps is not multiplied by the root of the number of pixels."""
    net, images, labels, eps = linear_net(2), make_images(200), torch.arange(200) % 2, (1.0, 5.0, 20.0)
    gap, slope = gap_and_slope(net, images, labels)
    found = ranks(net, images, labels, Method("one_step", one_step(direction), eps, RANDOM))["rank"]
    after = gap - np.array(eps)[:, None] * np.linalg.norm(slope, ord=order, axis=1)
    clear = np.abs(after) > 1e-4
    assert clear.mean() > 0.99
    np.testing.assert_array_equal(found[clear], (after < 0)[clear])
    assert 0 < found.mean() < 1


@pytest.mark.parametrize("name", [*ATTACKS, *OTHERS])
def test_the_size_of_a_batch_changes_no_rank(name):
    net, images, labels = make_net("fc", scale=3.0), make_images(50), torch.randint(10, (50,))
    few, many = (ranks(net, images, labels, method(name), batch_size=size) for size in (7, 50))
    for key in ("rank", "not_finite"):
        assert few[key].tobytes() == many[key].tobytes()
    assert clean_ranks(net, images, labels, 7).tobytes() == clean_ranks(net, images, labels, 50).tobytes()


def test_one_step_attacks_take_one_gradient_whatever_the_number_of_eps(monkeypatch):
    taken = []

    def counted(model, images, *more):
        taken.append(len(images))
        return one_step_family.one_step_direction(model, images, *more)

    monkeypatch.setattr(ranking, "one_step_direction", counted)
    ranks(make_net("fc"), make_images(60), torch.zeros(60).long(), method("fgsm", range(1, 20)), batch_size=40)
    assert taken == [4, 40, 20]  # a self-check's, and one of each batch


def test_of_several_restarts_the_worst_counts():
    net, images = make_net("fc", scale=3.0), make_images(200)
    labels = net(images).argmax(dim=1)
    found = {
        n: ranks(net, images, labels, Method("iterative", attack, (2.0,), RANDOM))["rank"][0]
        for n in (1, 4)
        for attack in [pgd_attack(random_start=True, restarts=n, steps=1)]
    }
    assert (found[4] > 0)[found[1] > 0].all()
    assert (found[4] > 0).sum() > (found[1] > 0).sum()


@pytest.mark.parametrize("name", ["fgsm", "pgd"])
def test_a_net_that_answers_images_together_fails_the_self_check(name):
    with pytest.raises(SelfCheckError, match="batches of 1 and of n agree"):
        ranks(a_net(Related), make_images(20), torch.zeros(20).long(), method(name))
