"""What is no number: images whose logits or gradients are not finite are found, counted, and never judged."""

import numpy as np
import pytest
import torch
from conftest import CLASSES, make_images, one_step, pgd_attack
from torch import nn

from advlaw.attacks import apgd, iterative, query
from advlaw.config.attack import AutoPGD, Square
from advlaw.config.fit import Fit
from advlaw.evaluation.each_eps import sweep_each_eps
from advlaw.evaluation.response import measure_response
from advlaw.evaluation.sweep import Randomness, sweep_one_step
from advlaw.evaluation.worst_case import Method, stressed
from advlaw.fitting.fit import Fitted
from advlaw.fitting.outcomes import outcomes
from advlaw.foreign.wrapped import classifier
from advlaw.tables.worst_case import judged

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


def test_the_worst_case_leaves_them_out_for_both_nets_of_a_pair():
    attack = AutoPGD(loss="cross_entropy", steps=3, clip=True)
    net, images, labels = a_case(steep, 60)
    found = stressed(net, images, labels, [Method("apgd.x", "apgd", attack, net, 0)], [4.0, 16.0])
    lost = (images[:, 0, 0, 0] <= SPLIT).numpy()
    np.testing.assert_array_equal(found["not_finite"], lost)
    other = {**found, "not_finite": np.arange(60) == 1}
    one, two = judged(found, other)
    assert one["clean"].shape == two["clean"].shape == ((~lost & (np.arange(60) != 1)).sum(),)
    with pytest.raises(ValueError, match="every image has logits or a gradient that are no numbers"):
        stressed(net, images[lost], labels[lost], [Method("apgd.x", "apgd", attack, net, 0)], [4.0])
