"""What is no number: images whose logits or gradients are not finite are found, counted, and never judged."""

import numpy as np
import pytest
import torch
from conftest import CLASSES, make_images, make_net, one_step, pgd_attack
from torch import nn

from advlaw.attacks import apgd, iterative, query
from advlaw.attacks.settings import AutoPGD, Square
from advlaw.evaluation import ranks as ranking
from advlaw.evaluation.each_eps import sweep_each_eps
from advlaw.evaluation.response import follow_rays, measure_response
from advlaw.evaluation.settings import Protocol
from advlaw.evaluation.sweep import Randomness, sweep_one_step
from advlaw.evaluation.worst_case import Method, under_attacks
from advlaw.fitting.fit import Fitted
from advlaw.fitting.outcomes import outcomes
from advlaw.fitting.settings import Fit
from advlaw.models.wrapped import classifier
from advlaw.tables.worst_case import accuracy_rows, gain_rows, not_finite
from advlaw.theory.settings import Rays

RANDOM = Randomness(0, ("x",))
EPS = np.geomspace(0.5, 20.0, 8)
LIMIT, SPLIT = 135.0, 100.0


class Net(nn.Module):
    """A linear net of pixels, to whose logits `added` adds what is zero or no number."""

    def __init__(self, added):
        super().__init__()
        torch.manual_seed(5)
        self.layer, self.added = nn.Linear(64, CLASSES), added

    def forward(self, pixels):
        return self.layer(pixels.flatten(1) / 255) + self.added(pixels)[:, None]


def beyond_the_edge(pixels):
    """The root of a negative number where the mean pixel exceeds LIMIT."""
    return 0.0 * (LIMIT - pixels.mean(dim=(1, 2, 3))).sqrt()


def steep(pixels):
    """Zero everywhere, with a derivative that is no number where the first pixel is at most SPLIT."""
    first = pixels[:, 0, 0, 0]
    return 0.0 * ((first > SPLIT).to(pixels) + 0.0 * first).sqrt()


def a_case(added, n_images=120):
    net = classifier(Net(added), 1, float64=True, channels_last=False).eval().requires_grad_(False)
    images = make_images(n_images)
    images[:, 0, 0, 0] = 255.0 * (torch.arange(n_images) % 3 > 0)
    with torch.no_grad():
        labels = net.tail.net.layer(images.flatten(1) / 255).argmax(dim=1)
    return net, images, labels


def by_hand(net, images, labels):
    """FGSM's direction and each image's threshold, in float64 from the weights."""
    weights, bias = (value.double().numpy() for value in (net.tail.net.layer.weight, net.tail.net.layer.bias))
    pixels, y, rows = images.double().flatten(1).numpy(), labels.numpy(), np.arange(len(labels))
    logits = pixels @ weights.T / 255 + bias
    others = np.exp(logits - logits.max(axis=1, keepdims=True))
    others[rows, y] = 0.0
    error = others / others.sum(axis=1, keepdims=True)
    error[rows, y] = -1.0
    direction = np.sign(error @ weights)
    slope = direction @ weights.T / 255
    closing = slope - slope[rows, y][:, None]
    gap = logits[rows, y][:, None] - logits
    with np.errstate(divide="ignore", invalid="ignore"):
        return direction, np.where(closing > 0, gap / closing, np.inf).min(axis=1)


def test_images_whose_logits_leave_the_numbers_are_those_found_by_hand():
    net, images, labels = a_case(beyond_the_edge)
    arrays = sweep_one_step(net, images, labels, one_step(), EPS, RANDOM)
    direction, threshold = by_hand(net, images, labels)
    means = images.double().mean(dim=(1, 2, 3)).numpy()
    lost = np.maximum(means, means + EPS[-1] * direction.mean(axis=1)) > LIMIT
    assert 10 < lost.sum() < 110
    np.testing.assert_array_equal(arrays["not_finite"], lost)
    assert np.isnan(arrays["threshold"][lost]).all()
    assert np.isnan(arrays["recovery"][lost]).all()
    flips = threshold[~lost] <= EPS[-1]
    np.testing.assert_allclose(arrays["threshold"][~lost][flips], threshold[~lost][flips], rtol=2e-4)
    found = outcomes(arrays)
    assert found.n_images == (~lost).sum()
    assert found.broken[-1].sum() == flips.sum()


@pytest.mark.parametrize(
    ("module", "attack"),
    [
        (iterative, pgd_attack(steps=4)),
        (iterative, pgd_attack("l2", steps=4, random_start=True, restarts=2)),
        (apgd, AutoPGD(loss="cross_entropy", steps=4, clip=False)),
        (apgd, AutoPGD(loss="dlr", steps=4, clip=True)),
    ],
)
def test_every_attack_finds_the_images_without_a_gradient(module, attack):
    """Their logits are numbers wherever they go, so that an attack that does not look takes them for robust."""
    net, images, labels = a_case(steep)
    lost = (images[:, 0, 0, 0] <= SPLIT).numpy()
    arrays = sweep_each_eps(net, images, labels, attack, module.perturbed, EPS[:6], RANDOM)
    np.testing.assert_array_equal(arrays["not_finite"], lost)
    assert np.isnan(arrays["bracket"][lost]).all()
    assert np.isfinite(arrays["bracket"][~lost]).any()


@pytest.mark.parametrize("attack", [one_step(), one_step("l2"), one_step("sign", "least_likely"), one_step(clip=True)])
def test_one_step_attacks_find_them_too_and_leave_the_others_as_they_are(attack):
    net, images, labels = a_case(steep)
    lost = (images[:, 0, 0, 0] <= SPLIT).numpy()
    arrays = sweep_one_step(net, images, labels, attack, EPS, RANDOM)
    np.testing.assert_array_equal(arrays["not_finite"], lost)
    kept = torch.from_numpy(~lost)
    alone = sweep_one_step(net, images[kept], labels[kept], attack, EPS, RANDOM)
    np.testing.assert_array_equal(arrays["prediction"][:, ~lost], alone["prediction"])
    np.testing.assert_allclose(arrays["threshold"][~lost], alone["threshold"], rtol=1e-3)


def test_random_search_needs_no_gradient_and_meets_logits_alone():
    attack = Square(queries=5, clip=False)
    for added, expected in ((steep, False), (lambda pixels: pixels.sum(dim=(1, 2, 3)) * torch.nan, True)):
        net, images, labels = a_case(added, 30)
        arrays = sweep_each_eps(net, images, labels, attack, query.perturbed, EPS[:3], RANDOM)
        assert (arrays["not_finite"] == expected).all()


def test_nothing_is_estimated_on_them():
    net, images, labels = a_case(steep)
    arrays = sweep_one_step(net, images, labels, one_step(), EPS, RANDOM)
    kept = ~arrays["not_finite"]
    by_eps = {"prediction", "top5"}
    alone = {
        name: values if name == "eps" else values[:, kept] if name in by_eps else values[kept]
        for name, values in arrays.items()
    }
    fit = Fit(min_errors=3, max_error=0.9, bootstrap=100, confidence=0.95, headline=[])
    one, other = (Fitted(outcomes(found), fit, np.random.default_rng(0)).exponents() for found in (arrays, alone))
    for row, expected in zip(one, other, strict=True):
        assert row.pop("r_squared") == pytest.approx(expected.pop("r_squared"), nan_ok=True)
        assert row == expected
    assert one[0]["n_images"] == kept.sum()


def test_the_response_counts_them():
    net, images, labels = a_case(steep, 30)
    found = measure_response(net, images, labels, one_step(), EPS, RANDOM)
    np.testing.assert_array_equal(found["not_finite"], (images[:, 0, 0, 0] <= SPLIT).numpy())


APGD, SQUARE, MOVED = "apgd.x", "query.square", "transferred:one_step.fgsm"
PROTOCOL = Protocol(images=60, eps=[4.0, 16.0], weak=APGD, attacks=[SQUARE], transferred=["one_step.fgsm"])


def the_worst_case(net, images, labels, source):
    methods = [
        Method(APGD, "apgd", AutoPGD(loss="cross_entropy", steps=3, clip=True), net, 1),
        Method(SQUARE, "query", Square(queries=30, clip=True), net, 1),
        Method(MOVED, "one_step", one_step(clip=True), source, 0),
    ]
    return under_attacks(net, images, labels, methods, PROTOCOL.eps)


def test_the_worst_case_knows_what_any_attack_broke():
    """APGD finds no gradient for a third of the images; random search breaks some of them, and they are wrong."""
    net, images, labels = a_case(steep, 60)
    plain, _, _ = a_case(lambda pixels: 0.0 * pixels[:, 0, 0, 0], 60)
    found = the_worst_case(net, images, labels, plain)
    lost = (images[:, 0, 0, 0] <= SPLIT).numpy()
    np.testing.assert_array_equal(not_finite(found, APGD), lost)
    for label in ("clean", SQUARE, MOVED):
        assert not not_finite(found, label).any()
    square, moved = found[SQUARE][1], found[MOVED][1]
    assert (lost & ~(square & moved)).any()
    rows = {(row["attack"], row["eps"]): row for row in accuracy_rows("net", found, PROTOCOL, 0.95)}
    assert rows[APGD, 16.0]["n_images"] == (~lost).sum()
    assert rows[SQUARE, 16.0]["accuracy"] == square.mean()
    broken = ~np.logical_and.accumulate(found[APGD] & found[SQUARE] & found[MOVED], axis=0)[1]
    known = broken | ~lost
    worst = rows["worst case", 16.0]
    assert (worst["n_images"], worst["n_not_finite"]) == (known.sum(), (~known).sum())
    assert worst["accuracy"] == pytest.approx((known & ~broken).sum() / known.sum())


def test_an_attack_of_another_net_that_has_no_gradient_has_failed():
    net, images, labels = a_case(lambda pixels: 0.0 * pixels[:, 0, 0, 0], 60)
    source, _, _ = a_case(steep, 60)
    found = the_worst_case(net, images, labels, source)
    assert not any(not_finite(found, label).any() for label in ("clean", APGD, SQUARE, MOVED))
    lost = (images[:, 0, 0, 0] <= SPLIT).numpy()
    assert found[MOVED][:, lost].all()
    assert not found[MOVED][:, ~lost].all()


def test_nothing_that_can_be_judged_is_said_with_the_net_and_the_next_step():
    net, images, labels = a_case(lambda pixels: pixels.sum(dim=(1, 2, 3)) * torch.nan, 20)
    found = the_worst_case(net, images, labels, net)
    with pytest.raises(ValueError, match=r"worst_case\.nets\.net: no image can be judged under clean; .* divides by"):
        accuracy_rows("net", found, PROTOCOL, 0.95)
    with pytest.raises(ValueError, match=r"worst_case\.nets\.net: no image can be judged for it and base"):
        gain_rows("net", "base", found, found, PROTOCOL, 0.95)


def test_gaps_of_clean_images_do_not_depend_on_the_attack():
    net, images, labels = a_case(steep)
    gaps = [
        outcomes(sweep_one_step(net, images, labels, attack, EPS, RANDOM)).gaps
        for attack in (one_step(), one_step("random_sign", None))
    ]
    np.testing.assert_array_equal(*gaps)


@pytest.mark.parametrize("is_right", [True, False])
def test_where_nothing_flips_nothing_is_followed(is_right):
    """All right and never wrong up to an eps of no size, or wrong from the start."""
    net = make_net("cnn")
    images = make_images(12)
    labels = net(images).argmax(dim=1) if is_right else (net(images).argmax(dim=1) + 1) % CLASSES
    threshold = np.full(12, np.inf if is_right else np.nan)
    rays = Rays(eps_min=1e-6, eps_max=1e-4, count=4, followed=3, residual=10)
    found = follow_rays(net, images, labels, threshold, np.geomspace(1e-6, 1e-4, 4), rays)
    assert found["logits"].shape == (5, 0, CLASSES)
    assert found["gamma"].shape == (0, CLASSES)
    assert found["residual"].shape[1] == (10 if is_right else 0)


@pytest.mark.parametrize(
    ("family", "attack"),
    [("one_step", one_step()), ("one_step", one_step("l2", clip=True)), ("iterative", pgd_attack(steps=4))],
)
def test_ranks_say_which_images_have_no_gradient_and_leave_the_others_as_they_are(family, attack):
    """Where there is no adversarial image there is no rank, of no net; whatever lies in the same batch."""
    net, images, labels = a_case(steep)
    other, _, _ = a_case(lambda pixels: 0.0 * pixels[:, 0, 0, 0])
    lost = (images[:, 0, 0, 0] <= SPLIT).numpy()
    method = ranking.Method(family, attack, (1.0, 8.0), RANDOM)
    found = ranking.ranks(net, images, labels, method)
    np.testing.assert_array_equal(found["not_finite"], lost)
    np.testing.assert_array_equal(found["rank"] == 255, np.stack([lost, lost]))
    kept = torch.from_numpy(~lost)
    alone = ranking.ranks(net, images[kept], labels[kept], method)
    np.testing.assert_array_equal(found["rank"][:, ~lost], alone["rank"])
    shown = ranking.transferred_ranks(net, {"net": net, "other": other}, images, labels, method)
    for name in ("net", "other"):
        np.testing.assert_array_equal(shown[f"{name}/rank"] == 255, np.stack([lost, lost]))


def test_ranks_say_where_logits_leave_the_numbers():
    net, images, labels = a_case(beyond_the_edge)
    means = images.double().mean(dim=(1, 2, 3)).numpy()
    np.testing.assert_array_equal(ranking.clean_ranks(net, images, labels) == 255, means > LIMIT)
    direction, _ = by_hand(net, images, labels)
    method = ranking.Method("one_step", one_step(), tuple(EPS), RANDOM)
    found = ranking.ranks(net, images, labels, method)
    beyond = means + EPS[:, None] * direction.mean(axis=1) > LIMIT
    known = means <= LIMIT  # else there is no gradient
    np.testing.assert_array_equal((found["rank"] == 255)[:, known], beyond[:, known])
    assert found["not_finite"][~known].all()
