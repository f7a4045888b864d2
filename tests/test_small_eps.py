"""The exponent as eps -> 0: closed forms, dense references, and what it says of curves of known exponent."""

import math
from functools import cache

import numpy as np
import pytest
from numpy.polynomial.legendre import legval
from scipy.integrate import quad
from scipy.stats import binom, kstest

from advlaw.fitting.changes import up_to
from advlaw.fitting.gaps import tail_exponent
from advlaw.fitting.sizes import Counted, Exact, cell_moments, joined, moments
from advlaw.fitting.small_eps import ALL, PRIOR, Law, evaluated, fit, maximised, straight_start
from advlaw.fitting.truths import E10, FACTORS, changes, on_grid, thresholds

GRID = np.geomspace(0.01, 64.0, 40)
PARAMETERS = [[0.3, 1.0, 0.1, 0.0, 0.0], [1.0, 0.6, -0.1, 0.05, 0.02], [2.5, -2.0, 0.5, 0.3, -0.2], [9.0, 3.0, 1, 0, 0]]
N_SAMPLES = 120


def sizes(truth="fc", exponent=1.0, n_images=10_000, seed=0):
    flips = thresholds(FACTORS[truth], exponent, n_images, np.random.default_rng(seed))
    return up_to(changes(flips, n_images), 0.1, False).sizes


@cache
def laws(truth: str, exponent: float = 1.0, n_images: int = 10_000, n_samples: int = N_SAMPLES) -> list[Law]:
    return [fit(sizes(truth, exponent, n_images, seed)) for seed in range(n_samples)]


def counted(u, n_cells=12):
    edges = np.concatenate([[0.0], np.geomspace(0.02, 1.0, n_cells)])
    return Counted(edges, np.histogram(u, edges)[0])


SAMPLES = {
    "exact": sizes(),
    "cells": counted(sizes().u),
    "joined": joined([counted(sizes("cnn").u, 7), counted(sizes("linear").u, 15), sizes("fc", seed=3)]),
}


# -- closed forms and dense references ---------------------------------------------------------------------------------


def test_without_a_factor_the_exponent_is_hills():
    u = sizes().u
    found = maximised(Exact(u), straight_start(Exact(u)), PRIOR, slice(0, 1))
    assert found.parameters[0] == pytest.approx(-len(u) / np.log(u).sum(), rel=1e-6)
    assert found.parameters[0] == pytest.approx(tail_exponent(np.append(u, [1.0]), 0.999, 0.95)[0], rel=0.01)


@pytest.mark.parametrize("a", [-3.0, 0.5, 4.0])
def test_the_integral_of_whole_exponents_has_a_closed_form(a):
    wanted = {1: np.sinh(a) / a, 2: np.exp(-a) * (np.exp(2 * a) * (2 * a - 1) + 1) / (4 * a * a)}
    for b, z in wanted.items():
        assert moments(np.array([b, a, 0.0, 0.0, 0.0])).log_mass == pytest.approx(math.log(z), abs=1e-9)


@pytest.mark.parametrize("b", [0.05, 0.7, 3.0, 40.0])
def test_cells_of_a_straight_law_have_its_masses(b):
    edges = np.array([0.0, 0.3, 0.5, 0.8, 1.0])
    found = cell_moments(np.array([b, 0, 0, 0, 0]), edges).log_mass
    np.testing.assert_allclose(np.exp(found), np.diff(edges**b) / b, rtol=1e-4)


@pytest.mark.parametrize("parameters", PARAMETERS, ids=lambda values: f"B = {values[0]:g}")
def test_moments_are_those_of_quadrature(parameters):
    b, factor = parameters[0], [0.0, *parameters[1:]]

    def mean(value):  # in w = u^B, where the density has no pole
        return quad(lambda w: value(w ** (1 / b)) * np.exp(legval(2 * w ** (1 / b) - 1, factor)) / b, 0, 1, limit=200)[
            0
        ]

    found, z = moments(np.array(parameters)), mean(lambda u: 1.0)
    assert found.log_mass == pytest.approx(math.log(z), abs=1e-7)
    log_u = mean(np.log) / z
    assert found.mean[0] == pytest.approx(log_u, rel=1e-6)
    assert found.covariance[0, 0] == pytest.approx(mean(lambda u: (np.log(u) - log_u) ** 2) / z, rel=1e-5)
    for j in range(1, 5):
        assert found.mean[j] == pytest.approx(mean(lambda u, j=j: legval(2 * u - 1, np.eye(5)[j])) / z, abs=1e-6)


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
@pytest.mark.parametrize("parameters", PARAMETERS[:3], ids=lambda values: f"B = {values[0]:g}")
def test_gradient_and_information_are_differences_of_the_likelihood(sample, parameters):
    here, h = np.array(parameters), 1e-5
    found = evaluated(sample, here, PRIOR)
    for i in range(5):
        up, down = (evaluated(sample, here + sign * h * np.eye(5)[i], PRIOR) for sign in (1, -1))
        assert found.gradient[i] == pytest.approx((up.value - down.value) / (2 * h), rel=1e-4, abs=1e-2)
        np.testing.assert_allclose(found.information[i], (down.gradient - up.gradient) / (2 * h), rtol=1e-3, atol=0.05)


def test_the_likelihood_of_known_sizes_is_concave_and_has_one_maximum():
    rng, found = np.random.default_rng(1), fit(SAMPLES["exact"])
    for _ in range(20):
        at = np.array([rng.uniform(0.2, 5.0), *rng.normal(0, 1, 4)])
        assert np.linalg.eigvalsh(evaluated(SAMPLES["exact"], at, PRIOR).information)[0] > 0
        np.testing.assert_allclose(
            maximised(SAMPLES["exact"], at, PRIOR, ALL).parameters, found.best.parameters, atol=1e-4
        )


# -- curves of known exponent ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("truth", ["fc", "cnn", "linear", "cifar"])
def test_intervals_hold_the_exponent_of_curves_that_bend_as_nets_do(truth):
    """If 92 % do, this fails once in a thousand runs of other seeds.

    The mean slope with its bootstrap holds 1 for no sample of fc, cnn and cifar (benchmarks/coverage.csv), as F1's grid
    and Hill's estimator over a tenth of the images would have it.
    """
    held = sum(law.low <= 1 <= law.high for law in laws(truth))
    assert held >= binom.ppf(0.001, N_SAMPLES, 0.92)
    slopes = [-law.n / np.log(law.sizes.u).sum() for law in laws(truth)]
    if truth != "linear":  # the mean slope: its distance from 1 is many of its standard errors, slope / sqrt(n)
        assert all(
            abs(slope - 1) > 2.5 * slope / math.sqrt(law.n) for slope, law in zip(slopes, laws(truth), strict=True)
        )


@pytest.mark.parametrize("exponent", [1.5, 2.0])
def test_the_estimate_is_not_pulled_towards_1(exponent):
    found = laws("linear", exponent, 10_000, 30)
    b, error = np.array([law.b for law in found]), np.median([law.standard_error for law in found])
    assert abs(b.mean() - exponent) < 0.7 * error
    assert sum(law.low <= exponent <= law.high for law in found) >= binom.ppf(0.001, 30, 0.92)
    assert np.mean([law.p_one < 0.05 for law in found]) > 0.4


def test_few_images_give_wide_intervals_that_hold_the_exponent():
    found = laws("fc", 1.0, 540)
    assert sum(law.low <= 1 <= law.high for law in found) >= binom.ppf(0.001, N_SAMPLES, 0.92)
    assert np.median([law.high - law.low for law in found]) > 1.2


@pytest.mark.parametrize("truth", ["pure", "fc"])
def test_p_values_of_a_true_law_are_even(truth):
    """Kolmogorov and Smirnov's test of p values fails once in a thousand; B = 1 is rejected at its rate or below."""
    p_fit, p_one = ([getattr(law, name) for law in laws(truth)] for name in ("p_fit", "p_one"))
    assert kstest(p_fit, "uniform").pvalue > 0.001
    assert sum(p < 0.05 for p in p_one) <= binom.ppf(0.999, N_SAMPLES, 0.08)


@pytest.mark.parametrize("on", ["thresholds", "grid"])
def test_what_is_no_such_law_is_not_taken_for_one(on):
    """F4: a cliff half way that the mean slope passes over; its verdict looked at no test of fit."""
    rng = np.random.default_rng(0)
    flips = np.sort(np.concatenate([rng.uniform(0, 5, 700), rng.uniform(2.4, 2.6, 301)]))
    known = changes(flips, 10_000) if on == "thresholds" else on_grid(flips, 10_000, GRID)
    assert fit(up_to(known, 0.1, False).sizes).p_fit < 1e-6


def test_a_grid_says_as_much_as_thresholds():
    for seed in range(5):
        flips = thresholds(FACTORS["fc"], 1.0, 10_000, np.random.default_rng(seed))
        cells = up_to(on_grid(flips, 10_000, GRID), 0.1, False)
        known, by_cells = fit(Exact(flips[flips <= cells.e0] / cells.e0)), fit(cells.sizes)
        assert by_cells.b == pytest.approx(known.b, abs=0.25 * known.standard_error)
        assert by_cells.high - by_cells.low == pytest.approx(known.high - known.low, rel=0.1)


@pytest.mark.parametrize("truth", ["pure", "fc", "cifar"])
def test_the_amplitude_as_eps_goes_to_0_is_found(truth):
    """Exponent and amplitude err together: what they say of the error at 0.3 eps is compared, over all samples."""
    factor = FACTORS[truth]
    true = 0.1 * factor(np.array([1e-9]))[0] / factor(np.ones(1))[0] / E10
    found = [law.amplitude(10_000, E10) * 0.3 ** (law.b - 1) for law in laws(truth)]
    assert np.median(found) == pytest.approx(true, rel=0.1)


def test_the_prior_bounds_what_the_factor_may_do():
    wide, narrow = (fit(SAMPLES["exact"], prior=scale * PRIOR) for scale in (2.0, 0.5))
    law = fit(SAMPLES["exact"])
    assert narrow.high - narrow.low < law.high - law.low < wide.high - wide.low


def test_scores_add_up_to_the_spread_of_the_estimate():
    """Their squares' sum is the variance over samples; that of the likelihood has the prior's share in addition."""
    spread = np.std([law.b for law in laws("fc")])
    by_scores = np.median([np.sqrt((law.scores(law.sizes.u) ** 2).sum()) for law in laws("fc")])
    assert by_scores == pytest.approx(spread, rel=4 / math.sqrt(2 * N_SAMPLES))
    assert (laws("fc")[0].scores(np.array([1e-30, 1.5])) == 0).all()


# -- what is no sample of a law ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sample",
    [
        Exact(np.zeros(0)),
        Exact(np.linspace(0.1, 1.0, 39)),
        Counted(np.array([0.0, 1.0]), np.array([500])),
        Counted(np.array([0.0, 0.5, 0.7, 1.0]), np.array([0, 30, 300])),
    ],
    ids=["none", "39", "one cell", "two cells with errors"],
)
def test_too_few_errors_have_no_estimate(sample):
    assert fit(sample) is None


def atom(rng):
    return np.where(rng.random(300) < 0.3, 2e-6, rng.random(300) ** 0.1)


DEGENERATE = {
    "all at the end": lambda rng: np.ones(50),
    "all the same": lambda rng: np.full(50, 0.5),
    "all tiny": lambda rng: np.full(50, 2e-6),
    "some at the end": lambda rng: np.append(rng.random(100), np.ones(20)),
    "none below a half": lambda rng: 0.5 + 0.5 * rng.random(1000),
    "a cliff": lambda rng: rng.random(1000) ** (1 / 200),
    "an atom at 0": atom,
    "flat in the logarithm": lambda rng: np.exp(-13 * rng.random(500)),
}


@pytest.mark.parametrize("kind", [Exact, counted], ids=["exact", "cells"])
@pytest.mark.parametrize("draw", DEGENERATE.values(), ids=DEGENERATE)
def test_whatever_the_sizes_are_numbers_are_numbers(draw, kind):
    """No NaN but the p value of a fit to few cells, no warning (it would fail the test), and ends in their order."""
    law = fit(kind(draw(np.random.default_rng(2))))
    if law is not None:
        numbers = [law.b, law.low, law.p_one, law.standard_error, *law.curvature, law.amplitude(1000, 2.0)]
        assert np.isfinite(numbers).all()
        assert 0 <= law.low <= law.b <= law.high
        assert np.isfinite(law.scores(np.array([1e-30, 1e-6, 0.3, 1.0, 2.0]))).all()


def test_an_end_that_is_not_found_is_open():
    rng = np.random.default_rng(2)
    assert fit(counted(atom(rng))).low == 0
    assert fit(Exact(DEGENERATE["a cliff"](rng))).high == math.inf
