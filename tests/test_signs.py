"""The odds that a change breaks an image rather than repairs it, and net errors by them."""

import numpy as np
import pytest
from scipy.stats import binom

from advlaw.fitting import signs
from advlaw.fitting.changes import Changes, up_to
from advlaw.fitting.truths import E10, FACTORS, thresholds
from advlaw.tables.laws import law_up_to

N_SAMPLES = 60


def drawn(d, rng, n=1500, beta=1.5, alpha=0.0):
    """Changes of even sizes u, of which one of size u breaks an image with log-odds alpha + beta u^d."""
    u = np.clip(rng.random(n), 1e-6, 1.0)
    wrong = (rng.random(n) < 1 / (1 + np.exp(-alpha - beta * u**d))).astype(float)
    return u, wrong, 1 - wrong


def net_curve(seed, n_images=10_000):
    """All changes have exponent 1 and the bend of `fc`, the log-odds of breaking rise as eps: B_net is 2."""
    rng = np.random.default_rng(seed)
    flips = thresholds(FACTORS["fc"], 1.0, n_images, rng)
    breaks = rng.random(len(flips)) < 1 / (1 + np.exp(-1.5 * flips / E10))
    return Changes(n_images, int(0.9 * n_images), float(flips[-1]), flips[breaks], flips[~breaks])


@pytest.mark.parametrize("d", [0.5, 1.0, 2.0])
def test_planted_odds_are_found(d):
    """If 92 % of the intervals hold d, this fails once in a thousand runs of other seeds."""
    found = [signs.fit(*drawn(d, np.random.default_rng(seed))) for seed in range(N_SAMPLES)]
    assert sum(odds.low <= d <= odds.high for odds in found) >= binom.ppf(0.001, N_SAMPLES, 0.92)
    assert np.median([odds.d for odds in found]) == pytest.approx(d, abs=0.1)
    assert np.median([odds.beta for odds in found]) == pytest.approx(1.5, abs=0.2)


def test_odds_that_are_not_even_at_0_are_seen():
    """p_even is below 5 % in about 5 % of samples of even odds, and in most where one more repairs than breaks."""
    even, uneven = (
        [signs.fit(*drawn(1.0, np.random.default_rng(seed), alpha=alpha)) for seed in range(N_SAMPLES)]
        for alpha in (0.0, -0.6)
    )
    assert sum(odds.p_even < 0.05 for odds in even) <= binom.ppf(0.999, N_SAMPLES, 0.05)
    assert sum(odds.p_even < 0.05 for odds in uneven) >= 0.8 * N_SAMPLES
    assert np.median([odds.intercept for odds in uneven]) == pytest.approx(-0.6, abs=0.15)


def test_no_other_d_is_more_likely():
    """Of weak odds the likelihood has several maxima: a search from one start ends at any of them."""
    for seed in range(20):
        u, wrong, right = drawn(1.0, np.random.default_rng(seed), 60, beta=0.2)
        found = signs.fit(u, wrong, right)
        others = [signs._at(u**d, wrong, right)[0] for d in np.linspace(0, signs.LARGEST, 81)]
        assert signs._at(u**found.d, wrong, right)[0] > max(others) - 1e-3
        assert 0 <= found.low <= found.d <= found.high


def test_cells_say_what_single_changes_do():
    u, wrong, right = drawn(1.0, np.random.default_rng(0))
    edges = np.concatenate([[0.0], np.geomspace(0.01, 1.0, 30)])
    cell = np.searchsorted(edges, u) - 1
    middle = np.sqrt(np.maximum(edges[:-1], edges[1:] / 4) * edges[1:])
    by_cells = signs.fit(middle, *(np.bincount(cell, kind, minlength=30) for kind in (wrong, right)))
    known = signs.fit(u, wrong, right)
    assert by_cells.d == pytest.approx(known.d, abs=0.1)
    assert by_cells.high == pytest.approx(known.high, abs=0.15)


@pytest.mark.parametrize("n_repaired", [0, 9])
def test_too_few_of_a_kind_have_no_odds(n_repaired):
    u = np.linspace(0.01, 1.0, 200)
    right = (np.arange(200) < n_repaired).astype(float)
    assert signs.fit(u, 1 - right, right) is None
    assert signs.fit(u, right, 1 - right) is None


@pytest.mark.parametrize("first", ["repaired", "broken"])
def test_kinds_that_do_not_mix_have_finite_odds(first):
    u = np.linspace(0.01, 1.0, 200)
    later = (u > 0.5).astype(float)
    wrong, right = (later, 1 - later) if first == "repaired" else (1 - later, later)
    odds = signs.fit(u, wrong, right)
    assert np.isfinite([odds.d, odds.low, odds.beta, odds.intercept, odds.p_even]).all()
    assert odds.p_even < 1e-6


def test_net_errors_are_those_of_all_changes_times_their_odds():
    """F2: B + D holds the true 2; fails once in a thousand if 92 % of intervals do.

    Hill's estimator on the signed count, the mean slope of the net errors, is 2.5 and more for every sample.
    """
    found, slopes = [], []
    for seed in range(40):
        known = net_curve(seed)
        found.append(law_up_to(known, 0.05, True, 0.95).numbers)
        inside = up_to(known, 0.1, True)
        slopes.append(-inside.n_net / ((inside.wrong - inside.right) @ np.log(inside.middle)))
    assert sum(row["exponent_low"] <= 2 <= row["exponent_high"] for row in found) >= binom.ppf(0.001, 40, 0.92)
    assert np.median([row["exponent"] for row in found]) == pytest.approx(2.0, abs=0.2)
    assert min(slopes) > 2.2
