"""Estimators: exact forms, planted parameters, coverage of the intervals."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import binom

from advlaw.fitting.fit import Fitted
from advlaw.fitting.gaps import density_near_zero, gap_distribution, gap_row, tail_exponent
from advlaw.fitting.moments import patterns
from advlaw.fitting.outcomes import outcomes
from advlaw.fitting.power_law import choose_range, least_squares, local_slope, mean_slope
from advlaw.fitting.settings import Fit

EPS = np.geomspace(0.01, 64.0, 40)
SETTINGS = Fit(min_errors=10, max_error=0.1, bootstrap=300, confidence=0.95, headline=[])


def planted(rng, n_images, a, b, clean=0.95, repaired=0.0, family="one_step"):
    """A sweep's arrays whose net error is a * eps^b exactly in expectation.

    A share of images is wrong when clean; `repaired` times a * eps^b of all images become right, and so many more
    become wrong.
    """
    was_right = rng.random(n_images) < clean
    chance = np.where(was_right, a * (1 + repaired) / clean, a * repaired / (1 - clean))
    with np.errstate(divide="ignore"):
        event = (rng.random(n_images) / chance) ** (1 / b)
    event[event > EPS[-1]] = np.inf
    label, clean_prediction = np.zeros(n_images, int), np.where(was_right, 0, 1)
    changed = event <= EPS[:, None]
    arrays = {
        "eps": EPS,
        "label": label,
        "clean_prediction": clean_prediction,
        "prediction": np.where(changed, 1 - clean_prediction, clean_prediction),
        "top5": np.ones((len(EPS), n_images), bool),
        "clean_margin": np.where(was_right, 1.0, -1.0) * rng.random(n_images),
        "not_finite": np.zeros(n_images, bool),
    }
    if family == "one_step":
        arrays["threshold"] = np.where(was_right, event, np.nan)
        arrays["recovery"] = np.where(was_right, np.nan, event)
    else:
        edges = np.concatenate([[0.0], EPS, [np.inf]])
        k = np.searchsorted(EPS, event)
        arrays["bracket"] = np.where(was_right[:, None], np.stack([edges[k], edges[k + 1]], axis=1), np.nan)
    return arrays


def a_sample(**more):
    return outcomes(planted(np.random.default_rng(5), 5000, 0.02, 1.2, **more))


def test_range_is_from_ten_net_errors_to_a_tenth_of_clean_accuracy():
    sample = a_sample()
    moments = patterns(sample).sample()
    chosen = choose_range(moments, 10, 0.1)
    first, last = int(chosen.first[0]), int(chosen.last[0])
    net = moments.net[0]
    assert net[first] >= 10 > net[first - 1]
    assert net[last] <= 0.1 * sample.was_right.sum() < net[last + 1]


@pytest.mark.parametrize("family", ["one_step", "iterative"])
def test_mean_slope_maximises_the_grouped_likelihood(family):
    sample = a_sample(family=family)
    moments = patterns(sample).sample()
    chosen = choose_range(moments, 10, 0.1)
    last = int(chosen.last[0])
    counts = np.diff(moments.gross[0, : last + 1], prepend=0.0)

    def minus_log_likelihood(b):
        edges = (EPS[: last + 1] / EPS[last]) ** b
        return -np.sum(counts * np.log(np.diff(edges, prepend=0.0)))

    best = minimize_scalar(minus_log_likelihood, bounds=(0.1, 5), method="bounded", options={"xatol": 1e-10}).x
    np.testing.assert_allclose(mean_slope(moments, "gross", chosen).b[0], best, rtol=1e-6)


def test_least_squares_is_a_straight_line_through_the_logarithms():
    moments = patterns(a_sample(repaired=0.5)).sample()
    chosen = choose_range(moments, 10, 0.1)
    used = slice(int(chosen.first[0]), int(chosen.last[0]) + 1)
    slope, intercept = np.polyfit(np.log(EPS[used]), np.log(moments.net[0, used] / 5000), 1)
    fit = least_squares(moments, "net", chosen)
    np.testing.assert_allclose([fit.b[0], fit.a[0]], [slope, np.exp(intercept)], rtol=1e-9)
    r = np.corrcoef(np.log(EPS[used]), np.log(moments.net[0, used]))[0, 1]
    np.testing.assert_allclose(fit.r_squared[0], r**2, rtol=1e-9)


def test_images_of_one_pattern_are_drawn_together_as_often_as_one_by_one():
    """Counts of the sample are exact; those of 2,000 bootstrap samples have the spread that drawing images gives."""
    sample = a_sample(repaired=0.5)
    (net,), (gross,) = patterns(sample).sample().net, patterns(sample).sample().gross
    np.testing.assert_array_equal(net, sample.net.sum(axis=1))
    np.testing.assert_array_equal(gross, sample.broken.sum(axis=1))
    found = patterns(sample).bootstrap(2000, np.random.default_rng(1))
    share = gross / 5000
    np.testing.assert_allclose(found.gross.mean(axis=0), gross, atol=5 * np.sqrt(5000 / 4 / 2000))
    np.testing.assert_allclose(found.gross.std(axis=0), np.sqrt(5000 * share * (1 - share)), rtol=0.1, atol=0.01)
    wanted = np.sqrt(5000) * sample.net.std(axis=1)
    np.testing.assert_allclose(found.net.std(axis=0), wanted, rtol=0.1, atol=0.01)
    np.testing.assert_allclose(found.n_right.mean(), sample.was_right.sum(), atol=5 * np.sqrt(5000 / 4 / 2000))


def test_gross_and_net_differ_where_images_are_repaired():
    sample = a_sample(repaired=1.0)
    curve = Fitted(sample, SETTINGS, np.random.default_rng(0)).curve()
    right, label_right = sample.was_right, sample.net
    for i, row in enumerate(curve):
        np.testing.assert_allclose(row["net_error"], label_right[i].mean())
        np.testing.assert_allclose(row["gross_error"], (right & (label_right[i] == 1)).mean())
    assert curve[25]["gross_error"] > 1.5 * curve[25]["net_error"]


def test_a_negative_error_is_counted_and_never_dropped_in_silence():
    arrays = planted(np.random.default_rng(2), 3000, 0.02, 1.2)
    dip = int(choose_range(patterns(outcomes(arrays)).sample(), 10, 0.1).first[0]) + 2
    arrays["prediction"][dip] = 0
    rows = Fitted(outcomes(arrays), SETTINGS, np.random.default_rng(0)).exponents()
    net = next(row for row in rows if (row["kind"], row["estimator"]) == ("net", "least_squares"))
    assert net["n_nonpositive"] == 1
    assert net["n_points"] > 3


def test_too_few_errors_give_no_exponent_rather_than_a_number():
    arrays = planted(np.random.default_rng(2), 300, 1e-6, 1.0)
    for row in Fitted(outcomes(arrays), SETTINGS, np.random.default_rng(0)).exponents():
        assert np.isnan(row["exponent"])
        assert row["n_points"] == 0
        assert row["eps_first"] is None


@pytest.mark.parametrize(("n_images", "n_without", "has_ends"), [(300, 6, True), (250, 45, False)])
def test_samples_without_a_fit_may_lie_anywhere(n_images, n_without, has_ends):
    """Of 300; where more than a tail's share have none, there is no end of the interval."""
    sample = outcomes(planted(np.random.default_rng(2), n_images, 0.02, 1.1))
    rows = Fitted(sample, SETTINGS, np.random.default_rng(0)).exponents()
    (row,) = (row for row in rows if (row["kind"], row["estimator"]) == ("net", "least_squares"))
    assert row["bootstrap_without_fit"] == n_without
    assert {np.isfinite(row[f"exponent_{end}"]) for end in ("low", "high")} == {has_ends}


def test_local_slope_of_a_power_law_is_its_exponent():
    slope = local_slope((EPS**1.7)[None], EPS, 2)[0]
    np.testing.assert_allclose(slope[2:-2], 1.7)
    assert np.isnan(slope[[0, 1, -2, -1]]).all()


def test_a_grid_that_is_not_geometric_is_refused():
    arrays = planted(np.random.default_rng(0), 100, 0.02, 1.0)
    arrays["eps"] = np.linspace(0.01, 64, 40)
    with pytest.raises(ValueError, match="log-spaced"):
        outcomes(arrays)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "kind", "estimator", "b", "repaired"),
    [
        ("one_step", "gross", "mean_slope", 1.1, 0.0),
        ("one_step", "net", "mean_slope", 1.1, 0.3),
        ("one_step", "net", "least_squares", 1.1, 0.0),
        ("one_step", "net", "least_squares", 2.0, 0.0),
        ("iterative", "gross", "mean_slope", 1.1, 0.0),
    ],
)
def test_intervals_cover_planted_values_at_the_stated_rate(family, kind, estimator, b, repaired):
    """200 simulated data sets, the choice of the range repeated in each bootstrap.

    At 95 % coverage 190 of 200 intervals hold the truth; the bounds are exceeded with probability 1e-3 together.
    """
    n_sets, a = 200, 0.02
    low, high = binom.ppf([5e-4, 1 - 5e-4], n_sets, 0.95)
    hits_a = hits_b = 0
    estimates = []
    for i in range(n_sets):
        sample = outcomes(planted(np.random.default_rng(i), 2000, a, b, repaired=repaired, family=family))
        rows = Fitted(sample, SETTINGS, np.random.default_rng(10_000 + i)).exponents()
        row = next(row for row in rows if (row["kind"], row["estimator"]) == (kind, estimator))
        hits_b += row["exponent_low"] <= b <= row["exponent_high"]
        hits_a += row["amplitude_low"] <= a <= row["amplitude_high"]
        estimates.append(row["exponent"])
    assert low <= hits_b <= high, f"B covered {hits_b} of {n_sets}"
    assert low <= hits_a <= high, f"A covered {hits_a} of {n_sets}"
    assert abs(np.mean(estimates) / b - 1) < 0.03


def test_goodness_of_fit_rejects_at_its_stated_rate_and_sees_a_bent_curve():
    rejected = 0
    settings = SETTINGS.model_copy(update={"bootstrap": 100})
    for i in range(200):
        arrays = planted(np.random.default_rng(i), 2000, 0.02, 1.2)
        row = Fitted(outcomes(arrays), settings, np.random.default_rng(i)).exponents()[0]
        rejected += row["chi2_p_value"] < 0.05
    assert rejected <= binom.ppf(1 - 1e-3, 200, 0.05)

    arrays = planted(np.random.default_rng(0), 20000, 0.02, 1.0)
    bend = arrays["threshold"] < 1.0
    arrays["threshold"][bend] = arrays["threshold"][bend] ** 0.4
    row = Fitted(outcomes(arrays), settings, np.random.default_rng(0)).exponents()[0]
    assert row["chi2_p_value"] < 1e-6


@pytest.mark.parametrize("b", [1.0, 2.0])
def test_the_tail_exponent_of_gaps_covers_the_planted_one(b):
    """Of 400 intervals of 95 %, 361 to 395 cover but once in ten thousand."""
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(400):
        gaps = rng.random(2000) ** (1 / b)
        estimate, low, high = tail_exponent(gaps, 0.1, 0.95)
        assert low < estimate < high
        covered += low <= b <= high
    least, most = binom.ppf([5e-5, 1 - 5e-5], 400, 0.95)
    assert least <= covered <= most


def test_a_tie_that_rounding_breaks_does_not_decide_the_tail_exponent():
    gaps = np.random.default_rng(0).random(10_000)
    without = tail_exponent(gaps, 0.01, 0.95)
    gaps[gaps.argmin()] = 1e-30
    with_tie = tail_exponent(gaps, 0.01, 0.95)
    assert with_tie[0] == pytest.approx(without[0], rel=0.1)
    assert with_tie[1] < without[0] < with_tie[2]


def test_the_density_of_gaps_near_zero_is_that_of_known_laws():
    rng = np.random.default_rng(3)  # bounds of about 5 standard deviations
    assert density_near_zero(rng.random(1_000_000)) == pytest.approx(0.5, abs=0.012)
    assert density_near_zero(rng.exponential(size=1_000_000)) == pytest.approx((1 - 2**-0.1) / 0.1, abs=0.015)
    assert density_near_zero(rng.random(1_000_000) ** 0.5) < 0.06  # a density that vanishes at zero


def test_the_distribution_of_gaps_is_counted():
    gaps = np.random.default_rng(4).random(5000)
    for row in gap_distribution(gaps):
        assert (gaps <= row["gap"]).mean() == pytest.approx(row["share"])
        assert row["share"] * 5000 >= 10
    assert gap_distribution(gaps)[-1]["share"] == 1.0
    assert gap_row(np.array([]), 0.95)["gap_median"] is None
    for few_or_equal in (gaps[:50], np.full(900, 0.3)):
        assert np.isnan(tail_exponent(few_or_equal, 0.1, 0.95)).all()
