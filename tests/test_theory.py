"""Linear response and mean-field theory against dense formulas, closed forms and small cases by hand (Cubuk Sec. 3)."""

import numpy as np
import pytest
import torch
from conftest import CLASSES, SHAPE, SIZES, make_images, make_net, one_step
from scipy.stats import binom

from advlaw.attacks.draws import Draws
from advlaw.attacks.one_step import one_step_direction
from advlaw.evaluation.response import L2, at_quantiles, follow_rays, measure_logits, measure_response
from advlaw.evaluation.sweep import Randomness, grid
from advlaw.models.store import build
from advlaw.theory import predictions
from advlaw.theory.logit_gaps import bin_edges, density
from advlaw.theory.logit_gaps import exponents as gap_exponents
from advlaw.theory.mean_field import (
    agreement_range,
    class_thresholds,
    closing_speed,
    error_curve,
    linear_threshold,
    mean_field_threshold,
    rank_average,
    ranking,
    sorted_gaps,
)
from advlaw.theory.response import logit_response, residuals
from advlaw.theory.settings import Rays

NO_DRAWS = Draws(0, (), range(0))
RANDOM = Randomness(0, ("test",))
INF = np.inf


def smooth_net():
    torch.manual_seed(5)
    sizes = {"widths": [40, 30], "activation": "tanh"}
    net = build({"arch": "fc", "image_shape": SHAPE, "n_classes": CLASSES, **sizes})
    net.head.mean.fill_(120.0)
    net.head.std.fill_(70.0)
    return net.double().eval().requires_grad_(False)


def dense_gamma(net, images, labels, normalise):
    """J^T (J delta normalised) with the whole Jacobian (K, D) of every image."""
    rows = []
    for image, label in zip(images, labels, strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda x: net(x[None])[0], image).flatten(1)
        delta = net(image[None])[0].softmax(dim=0)
        delta[label] -= 1.0
        rows.append(jacobian @ normalise(jacobian.T @ delta))
    return torch.stack(rows)


@pytest.mark.parametrize("net", [*sorted(SIZES), "tanh"])
@pytest.mark.parametrize("direction", ["l2", "sign"])
def test_gamma_is_the_dense_jacobian_s_to_twelve_digits(net, direction):
    net = smooth_net() if net == "tanh" else make_net(net, torch.float64)
    images = make_images(8, torch.float64)
    labels = net(images).argmax(dim=1).roll(1)
    normalise = {"l2": lambda g: g / g.norm(), "sign": torch.sign}[direction]
    unit, _ = one_step_direction(net, images, labels, one_step(direction), NO_DRAWS)
    logits, gamma = logit_response(net, images, unit)
    expected = dense_gamma(net, images, labels, normalise)
    torch.testing.assert_close(logits, net(images), rtol=0, atol=0)
    assert float((gamma - expected).abs().max() / expected.abs().max()) < 1e-12
    assert not gamma.requires_grad


def test_gamma_of_a_net_without_a_slope_is_zero():
    def constant(images):
        return (images * 0.0).flatten(1)[:, :3] + 1.0

    assert logit_response(constant, make_images(2), make_images(2))[1].tolist() == [[0.0] * 3] * 2


def test_the_linear_threshold_of_a_linear_net_is_exact_and_what_is_measured():
    net, images = make_net("linear", torch.float64, scale=30.0), make_images(300, torch.float64)
    labels = net(images).argmax(dim=1)
    eps = grid(0.05, 255.0, 30, "l2", 64)
    found = measure_response(net, images, labels, L2, eps, RANDOM)
    logits = measure_logits(net, images)
    linear = linear_threshold(logits, found["gamma"])

    direction, _ = one_step_direction(net, images, labels, L2, NO_DRAWS)
    weights = net.head.layer.weight / net.head.std.flatten()[0]
    slopes = (direction.flatten(1) @ weights.T).numpy()
    rows = np.arange(len(logits))
    gain = slopes - slopes[rows, labels][:, None]
    gap = logits[rows, labels][:, None] - logits
    closed_form = np.where(gain > 1e-12, gap / np.where(gain > 1e-12, gain, 1.0), INF).min(axis=1)
    np.testing.assert_allclose(linear, closed_form, rtol=1e-9)
    measured = found["threshold"]
    flips = np.isfinite(measured)
    assert flips.sum() > 250
    np.testing.assert_allclose(linear[flips], measured[flips], rtol=1e-4)
    assert (linear[~flips] > eps[-1]).all()


def test_the_residual_of_a_smooth_net_grows_with_slope_2():
    net, images = smooth_net(), make_images(50, torch.float64)
    labels = net(images).argmax(dim=1)
    rays = Rays(eps_min=0.5, eps_max=64.0, count=8, followed=3, residual=50)
    eps = grid(0.5, 64.0, 8, "l2", 64)
    threshold = measure_response(net, images, labels, L2, eps, RANDOM)["threshold"]
    found = follow_rays(net, images, labels, threshold, eps, rays)
    assert found["residual"].shape == (len(found["residual_eps"]), 50)
    assert predictions.residual_slope(found["residual_eps"], found["residual"], eps[0]) == pytest.approx(2.0, abs=0.05)
    assert found["logits"].shape == (9, 3, CLASSES)
    start = net(images[found["image"]]).numpy()
    np.testing.assert_allclose(found["logits"][0], start)
    step = found["logits"][1] - start - eps[0] * found["gamma"]
    assert np.abs(step).max() < 0.05 * np.abs(eps[0] * found["gamma"]).max()


def test_a_relu_net_is_exactly_linear_up_to_its_first_kink():
    net, images = make_net("fc", torch.float64), make_images(20, torch.float64)
    direction, _ = one_step_direction(net, images, net(images).argmax(dim=1), L2, NO_DRAWS)
    found = residuals(net, images, direction, [1e-6, 500.0])
    assert float(found[0].max()) < 1e-13
    assert float(found[1].min()) > 1e-3


def test_ties_in_max_pooling_make_the_response_of_a_flat_image_one_sided():
    """The derivative takes one of the equal values; the image moves to the largest. Uneven pixels have no ties."""
    net, images = make_net("cnn", torch.float64), torch.full((5, *SHAPE), 100.0, dtype=torch.float64)
    images[:, :, 2, 2] = 180.0
    for pixels, is_linear in ((images, False), (images + torch.rand(images.shape, dtype=torch.float64), True)):
        direction, _ = one_step_direction(net, pixels, net(pixels).argmax(dim=1), L2, NO_DRAWS)
        small, larger = residuals(net, pixels, direction, [1e-5, 1e-4])
        assert (float(larger.max()) < 1e-12) == is_linear
        if not is_linear:
            torch.testing.assert_close(larger, 10 * small, rtol=1e-3, atol=0)


def test_the_response_of_a_batch_is_that_of_its_images(monkeypatch):
    net, images = make_net("cnn", torch.float64), make_images(30, torch.float64)
    labels = net(images).argmax(dim=1)
    eps = grid(0.5, 64.0, 6, "linf", 64)
    whole = measure_response(net, images, labels, one_step(), eps, RANDOM)
    monkeypatch.setattr("advlaw.evaluation.response.BATCH", 7)
    parts = measure_response(net, images, labels, one_step(), eps, RANDOM)
    np.testing.assert_allclose(parts["gamma"], whole["gamma"], rtol=1e-10, atol=1e-14)


def test_images_to_follow_are_spread_over_the_thresholds_that_are_known():
    threshold = np.array([5.0, INF, 1.0, np.nan, 3.0, 2.0, 4.0])
    assert at_quantiles(threshold, 5).tolist() == [2, 5, 4, 6, 0]
    assert at_quantiles(threshold, 1).tolist() == [4]
    assert at_quantiles(threshold, 50).tolist() == [2, 5, 4, 6, 0]
    assert at_quantiles(np.array([INF, np.nan]), 3).tolist() == []


# two images of three classes: class order (1, 0, 2) and (2, 1, 0)
LOGITS = np.array([[1.0, 4.0, -1.0], [0.0, 2.0, 5.0]])
GAMMA = np.array([[0.5, -1.0, 0.25], [1.0, 0.5, -0.5]])


def test_rank_averages_and_thresholds_by_hand():
    both, first = np.array([True, True]), np.array([True, False])
    assert ranking(LOGITS).tolist() == [[1, 0, 2], [2, 1, 0]]
    assert ranking(np.array([[2.0, 2.0, 1.0]])).tolist() == [[0, 1, 2]]
    assert sorted_gaps(LOGITS).tolist() == [[3.0, 5.0], [3.0, 5.0]]
    assert rank_average(GAMMA, LOGITS, both).tolist() == [-0.75, 0.5, 0.625]
    assert closing_speed(GAMMA, LOGITS, both) == 1.25
    assert closing_speed(GAMMA, LOGITS, first) == 1.5
    # image 1: gaps 3, 5 over 0.5 + 1 and 0.25 + 1; image 2: 3, 5 over 0.5 + 0.5 and 1 + 0.5
    assert class_thresholds(LOGITS, GAMMA).tolist() == [[2.0, 4.0], [3.0, 5.0 / 1.5]]
    assert linear_threshold(LOGITS, GAMMA).tolist() == [2.0, 3.0]
    assert mean_field_threshold(LOGITS, 1.25).tolist() == [2.4, 2.4]
    assert linear_threshold(LOGITS, -GAMMA).tolist() == [INF, INF]
    assert mean_field_threshold(LOGITS, -0.1).tolist() == [INF, INF]


def test_curves_and_where_they_agree_by_hand():
    thresholds = np.array([1.0, 2.0, 2.0, INF])
    assert error_curve(thresholds, np.array([0.5, 1.0, 2.0, 9.0]), 8).tolist() == [0.0, 0.125, 0.375, 0.375]
    measured = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5])
    predicted = np.array([0.0, 0.1, 0.21, 0.5, 0.41, 0.5])
    usable = np.array([True, False, True, True, True, True])
    assert agreement_range(measured, predicted, usable, 0.1) == slice(4, 6)
    assert agreement_range(measured, predicted, np.ones(6, bool), 0.1) == slice(1, 3)
    assert agreement_range(measured, 9 * predicted, usable, 0.1) == slice(0, 0)


def planted(n_images=4000, bend=0.0):
    """A case in which eps_linear is exact but for a factor 1 + bend * threshold; every sixth image is wrong."""
    rng = np.random.default_rng(4)
    logits, gamma = rng.normal(size=(n_images, 5)) * 3, rng.normal(size=(n_images, 5))
    order, rows = ranking(logits), np.arange(n_images)
    gamma[rows, order[:, 0]] -= 3.0
    per_class = class_thresholds(logits, gamma)
    right = rows % 6 != 0
    exact = per_class.min(axis=1)
    threshold = np.where(right, exact * (1.0 + bend * exact), np.nan)
    label = np.where(right, order[:, 0], order[:, 3])
    taken = np.where(right, order[rows, per_class.argmin(axis=1) + 1], -1)
    return predictions.Case(logits, gamma, label, threshold, taken, scale=2.0)


def test_predictions_of_a_planted_linear_response_are_exact():
    case = planted()
    eps = np.geomspace(0.01, 10.0, 25)
    rows = predictions.curves(case, eps, 0.95)
    assert [row["linear"] for row in rows] == [row["measured"] for row in rows]
    assert [row["eps"] for row in rows] == (2 * eps).tolist()
    assert all(row["measured_low"] <= row["measured"] <= row["measured_high"] for row in rows)
    found = {(row["prediction"], row["tolerance"]): row for row in predictions.agreement(rows, 4000, 10)}
    half = 0.5 * rows[-1]["measured"]
    counted = [row["grid_eps"] for row in rows if 10 / 4000 <= row["measured"] <= half]
    exact = found["linear", 0.1]
    ends = exact["grid_eps_first"], exact["grid_eps_last"]
    assert (*ends, exact["n_points"]) == (counted[0], counted[-1], len(counted))
    assert 0 < found["mean_field", 0.1]["n_points"] <= found["mean_field", 0.25]["n_points"]
    assert all(row["median_error"] == 0 for row in predictions.deciles(case) if row["prediction"] == "linear")
    assert predictions.summary(case, 0.95)["spearman_linear"] == pytest.approx(1.0)
    last = predictions.takeovers(case, eps, 0.95)[-1]
    assert last["linear_is_right"] == 1.0
    second = (case.threshold_class == ranking(case.logits)[:, 1])[case.threshold <= 20.0]
    assert (last["n_successes"], last["second_first"]) == (len(second), second.mean())


def test_the_literal_reading_counts_all_images_the_other_only_right_ones():
    case = planted()
    last = predictions.curves(case, np.array([0.1, 1e6]), 0.95)[-1]
    assert (last["mean_field"], last["mean_field_literal"]) == (case.right.mean(), 1.0)


def test_the_error_of_a_bent_response_grows_by_decile():
    rows = [row for row in predictions.deciles(planted(bend=0.5)) if row["prediction"] == "linear"]
    errors = [row["median_error"] for row in rows]
    assert errors == sorted(errors)
    assert [row["decile"] for row in rows] == list(range(11))
    assert (rows[0]["n_images"], sum(row["n_images"] for row in rows[1:])) == (33, 3333)
    assert errors[0] < 0.1 < errors[-1]


def test_a_histogram_keeps_every_image_in_its_cell():
    case = planted(bend=0.2)
    rows = predictions.histogram(case)
    for name in ("linear", "mean_field"):
        cells = [row for row in rows if row["prediction"] == name]
        assert sum(row["count"] for row in cells) == 3333
        middles = [0.5 * np.log(row["measured_low"] * row["measured_high"]) for row in cells]
        middle = np.average(middles, weights=[row["count"] for row in cells])
        assert middle == pytest.approx(np.log(case.threshold[case.right] / 2.0).mean(), abs=0.02)
        assert {round(row["predicted_high"] / row["predicted_low"], 9) for row in cells} == {round(10 ** (1 / 12), 9)}


def test_who_takes_over_first_is_counted_up_to_an_eps_of_50_in_the_attack_s_own_norm():
    case = planted()
    stretched = predictions.Case(case.logits, case.gamma, case.label, 60 * case.threshold, case.threshold_class, 2.0)
    row = predictions.summary(stretched, 0.95)
    small = stretched.threshold <= 50.0
    second = case.threshold_class == ranking(case.logits)[:, 1]
    assert 0 < row["n_below_50"] == small.sum() < case.right.sum()
    assert row["second_first"] == (small & second).sum() / small.sum()
    assert row["second_first_low"] < row["second_first"] < row["second_first_high"]


def test_a_plateau_that_all_curves_reach_is_no_agreement():
    rows = [
        {"grid_eps": float(i), "measured": m, **dict.fromkeys(predictions.PREDICTIONS, p)}
        for i, (m, p) in enumerate([(0.1, 0.3), (0.2, 0.4), (0.4, 0.6), (0.9, 0.9), (0.9, 0.9)])
    ]
    assert all(row["n_points"] == 0 for row in predictions.agreement(rows, 100, 10))


def test_the_interval_of_a_rank_correlation_covers_the_truth():
    """400 samples of 200 normal pairs; Spearman's rho is (6 / pi) asin(r / 2). Wrongly red once in 10,000."""
    rng, r, covered = np.random.default_rng(2), 0.8, 0
    truth = 6 / np.pi * np.arcsin(r / 2)
    for _ in range(400):
        x, noise = rng.normal(size=(2, 200))
        _, low, high = predictions.spearman(x, r * x + np.sqrt(1 - r * r) * noise, 0.95)
        covered += low <= truth <= high
    low, high = binom.ppf([5e-5, 1 - 5e-5], 400, 0.95)
    assert low <= covered <= min(high, 400)
    assert np.isnan(predictions.spearman(np.ones(9), np.arange(9.0), 0.95)).all()


def test_gap_densities_integrate_to_one_and_recover_a_power_law():
    """The density 3 d^2 on [0, 1]: exponent 2."""
    gaps = np.random.default_rng(1).uniform(size=200_000) ** (1 / 3)
    rows = density(gaps)
    edges = bin_edges(rows[0]["gap"], rows[-1]["gap"])
    total = sum(row["density"] * (b - a) for row, a, b in zip(rows, edges[:-1], edges[1:], strict=True))
    assert total == pytest.approx(1.0, abs=1e-3)
    for row in gap_exponents(gaps, [0.1, 0.01], 0.9999):
        assert row["exponent_low"] < 2.0 < row["exponent_high"]
        assert row["exponent_high"] - row["exponent_low"] < 0.6
    assert density(np.zeros(30)) == []
