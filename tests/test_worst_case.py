"""Strong attacks beside weak ones: who is attacked by what, worst cases, gains and their verdicts."""

import importlib

import numpy as np
import pytest
import torch
from conftest import make_images, make_net, one_step, pgd_attack
from scipy.stats import norm

from advlaw.attacks import iterative
from advlaw.attacks import one_step as one_step_attacks
from advlaw.attacks.draws import Draws
from advlaw.attacks.settings import AutoPGD, Square
from advlaw.evaluation.settings import Protocol
from advlaw.evaluation.worst_case import Method, under_attacks
from advlaw.fitting.proportions import paired_difference, wilson
from advlaw.tables.worst_case import accuracy_rows, gain_rows, worst_case

EPS = [1.0, 4.0, 16.0]
WEAK, STRONG, MOVED = "one_step.fgsm", "iterative.pgd", "transferred:one_step.fgsm"
PROTOCOL = Protocol(images=10, eps=EPS, weak=WEAK, attacks=[STRONG], transferred=["one_step.fgsm"])


def a_case(n=60):
    net, images = make_net("fc", scale=5.0), make_images(n)
    return net, images, net(images).argmax(dim=1)


def other_net():
    net = make_net("fc", scale=5.0)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(parameter.flip(0))
    return net


def test_weak_attacks_are_measured_as_they_are_and_strong_ones_never_lose_an_image_again():
    net, images, labels = a_case()
    weak = Method(WEAK, "one_step", one_step(clip=True), net, 0)
    attack = pgd_attack(steps=5, clip=True, random_start=True, restarts=2)
    strong = Method(STRONG, "iterative", attack, net, 0)
    found = under_attacks(net, images, labels, [weak, strong], EPS)
    for eps, right in zip(EPS, found[WEAK], strict=True):
        moved = one_step_attacks.perturbed(net, images, labels, eps, weak.attack)
        assert np.array_equal(right, (net(moved).argmax(dim=1) == labels).numpy())
    assert not (found[STRONG][1:] & ~found[STRONG][:-1]).any()
    draws = [Draws(0, ("worst_case", STRONG, str(restart)), range(len(images))) for restart in (0, 1)]
    moved = [iterative.perturbed(net, images, labels, EPS[0], attack, draw) for draw in draws]
    right = torch.stack([net(found).argmax(dim=1) == labels for found in moved]).all(dim=0)
    assert np.array_equal(found[STRONG][0], right.numpy())


def test_transferred_images_follow_the_other_net_s_gradients():
    net, images, labels = a_case()
    found = under_attacks(net, images, labels, [Method(MOVED, "one_step", one_step(clip=True), other_net(), 0)], EPS)
    moved = one_step_attacks.perturbed(other_net(), images, labels, EPS[2], one_step(clip=True))
    assert np.array_equal(found[MOVED][2], (net(moved).argmax(dim=1) == labels).numpy())
    own = under_attacks(net, images, labels, [Method(WEAK, "one_step", one_step(clip=True), net, 0)], EPS)[WEAK]
    assert found[MOVED][2].sum() > own[2].sum()


def test_every_family_that_is_named_attacks():
    net, images, labels = a_case(12)
    attacks = {
        "one_step": one_step(target="least_likely", clip=True),
        "iterative": pgd_attack(steps=3, clip=True),
        "apgd": AutoPGD(loss="dlr", steps=5, clip=True),
        "query": Square(queries=20, clip=True),
    }
    methods = [Method(f"{family}.x", family, attack, net, 0) for family, attack in attacks.items()]
    found = under_attacks(net, images, labels, methods, [0.0, 32.0])
    for family, attack in attacks.items():
        name = f"{family}.x"
        draws = Draws(0, ("worst_case", name, "0"), range(len(images)))
        perturbed = importlib.import_module(f"advlaw.attacks.{family}").perturbed
        right = net(perturbed(net, images, labels, 32.0, attack, draws)).argmax(dim=1) == labels
        assert found[name][0].all()
        assert np.array_equal(found[name][1], right.numpy()), family
        assert not right.all()


def outcomes(weak, strong, moved, clean=None):
    arrays = {WEAK: weak, STRONG: strong, MOVED: moved}
    found = {name: np.array(values, dtype=bool) for name, values in arrays.items()}
    n_images = found[WEAK].shape[1]
    found |= {f"not_finite {name}": np.zeros(n_images, dtype=bool) for name in ("clean", *arrays)}
    return {"clean": np.ones(n_images, dtype=bool) if clean is None else np.array(clean), **found}


def test_the_worst_case_is_that_of_each_image_over_attacks_and_smaller_eps():
    found = outcomes(
        weak=[[1, 1, 1, 1], [1, 0, 1, 1], [1, 1, 1, 1]],
        strong=[[1, 1, 1, 1], [1, 1, 1, 1], [0, 1, 1, 1]],
        moved=[[1, 1, 0, 1], [1, 1, 1, 1], [1, 1, 1, 1]],
        clean=[True, True, True, False],
    )
    assert worst_case(found, PROTOCOL).astype(int).tolist() == [[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    rows = accuracy_rows("net", found, PROTOCOL, 0.95)
    assert {row["role"]: row["accuracy"] for row in rows if row["eps"] == 16.0} == {
        "weak": 1.0, "strong": 0.75, "transferred": 1.0, "worst": 0.0,
    }  # fmt: skip
    assert rows[0] == {
        "net": "net", "attack": "clean", "role": "clean", "eps": 0.0, "n_images": 4, "n_not_finite": 0,
        "accuracy": 0.75, "low": pytest.approx(wilson(3, 4, 0.95)[0]), "high": pytest.approx(wilson(3, 4, 0.95)[1]),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("weak", "strong", "expected"),
    [(0.9, 0.8, "holds"), (0.9, 0.3, "masked"), (0.1, 0.1, "fails"), (0.5, 0.9, "inconclusive")],
)
def test_verdicts_of_gains(weak, strong, expected):
    """The baseline is right on half of 400 images under each attack."""
    rng = np.random.default_rng(0)

    def accurate(share):
        return np.tile(rng.permutation(400) < 400 * share, (3, 1))

    ones = np.ones((3, 400))
    net, baseline = (outcomes(accurate(weak), accurate(strong), ones) for weak, strong in ((weak, strong), (0.5, 0.5)))
    found = gain_rows("net", "baseline", net, baseline, PROTOCOL, 0.95)
    assert [row["verdict"] for row in found] == [expected] * 3
    assert found[0]["weak_gain"] == pytest.approx(weak - 0.5)


def test_a_net_that_only_underflows_is_masked():
    """Logits times 200 change no decision; the naive gradient then finds nothing, APGD everything."""
    net, images, labels = a_case(200)
    loud = make_net("fc", scale=5.0 * 200)
    protocol = Protocol(
        images=200, eps=[16.0], weak="one_step.naive", attacks=["apgd.ce"], transferred=["one_step.naive"]
    )
    naive, apgd = one_step(clip=True, gradient="naive"), AutoPGD(loss="cross_entropy", steps=10, clip=True)

    def found(model):
        methods = [
            Method("one_step.naive", "one_step", naive, model, 0),
            Method("apgd.ce", "apgd", apgd, model, 0),
            Method("transferred:one_step.naive", "one_step", naive, other_net(), 0),
        ]
        return under_attacks(model, images, labels, methods, protocol.eps)

    (row,) = gain_rows("loud", "net", found(loud), found(net), protocol, 0.95)
    assert row["verdict"] == "masked"
    assert row["weak_gain"] > 0.1
    assert row["worst_gain"] < 0.02


def test_intervals_of_paired_differences_cover():
    """95 % nominal; 1,000 samples of 200 pairs: within 3.5 standard errors."""
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(1000):
        both, first, second = rng.multinomial(200, [0.6, 0.25, 0.1, 0.05])[:3]
        a = np.arange(200) < both + first
        b = (np.arange(200) < both) | ((np.arange(200) >= both + first) & (np.arange(200) < both + first + second))
        estimate, low, high = paired_difference(a, b, 0.95)
        assert estimate == pytest.approx((first - second) / 200)
        inside += low <= 0.15 <= high
    assert abs(inside / 1000 - 0.95) < 3.5 * np.sqrt(0.95 * 0.05 / 1000)
    assert norm.ppf(0.975) == pytest.approx(1.96, abs=1e-3)
