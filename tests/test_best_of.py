"""The best of n random draws: every subset counted, and the exact interval by simulation."""

import math
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import binom

from advlaw.fitting.best_of import above_median_best, best_quantile, expected_best, median_best

VALUES = [3.0, 1.0, 4.0, 1.0, 5.0, 3.0, 2.5]  # two ties
RUNS = 150
MARGIN = 4 * math.sqrt(0.95 * 0.05 / RUNS)  # four standard errors of a rate of coverage


def bests(n: int) -> list[float]:
    return [max(subset) for subset in combinations(VALUES, n)]


def test_the_expected_best_is_the_mean_over_all_subsets():
    assert expected_best(VALUES) == pytest.approx([np.mean(bests(n)) for n in range(1, 8)], rel=1e-12)


@pytest.mark.parametrize("q", [Fraction(1, 20), Fraction(1, 7), Fraction(2, 7), Fraction(1, 2), Fraction(19, 20)])
def test_quantiles_are_those_over_all_subsets_also_where_a_share_is_met_exactly(q):
    wanted = []
    for n in range(1, 8):
        ordered = sorted(bests(n))
        wanted.append(ordered[math.ceil(q * len(ordered)) - 1])
    assert best_quantile(VALUES, float(q)).tolist() == wanted


def test_one_draw_expects_the_mean_and_all_of_them_the_largest():
    values = np.random.default_rng(0).normal(size=1000)
    found = expected_best(values)
    assert found[0] == pytest.approx(values.mean(), abs=1e-12)
    assert found[-1] == values.max()
    assert (np.diff(found) > 0).all()
    assert best_quantile(values, 0.05)[-1] == best_quantile(values, 0.95)[-1] == values.max()


def test_of_uniform_draws_it_is_that_of_the_law():
    """E[best of n] = n / (n + 1); of values (1 … m) exactly n (m + 1) / (n + 1)."""
    n = np.arange(1, 501)
    assert expected_best(n) == pytest.approx(n * 501 / (n + 1), rel=1e-10)


@pytest.mark.parametrize("m", [24, 100])
def test_the_interval_of_the_median_best_has_its_exact_rate(m):
    """The quantile 2^(-1/n) is above so many of m draws: a binomial number. One order statistic less is too few."""
    for n in range(1, m + 1):
        _, low, high = median_best(np.arange(1, m + 1), n, 0.95, bounds=(0, m + 1))
        below = binom(m, 0.5 ** (1 / n))
        assert max(below.cdf(low - 1), below.sf(high - 1)) <= 0.025 + 1e-12
        assert below.cdf(low) > 0.025 or low == m
        assert below.sf(high - 2) > 0.025


def test_it_covers_the_law_s_median_at_its_rate():
    """The best of 3 of an exponential law, whose median is -ln(1 - 2^(-1/3)), from 48 draws."""
    rng, truth = np.random.default_rng(0), -math.log(1 - 0.5 ** (1 / 3))
    found = [median_best(rng.exponential(size=48), 3, 0.95) for _ in range(RUNS)]
    assert np.mean([low <= truth <= high for _, low, high in found]) > 0.95 - MARGIN
    assert all(low <= value <= high for value, low, high in found)


def test_ties_are_covered_as_well():
    """0, …, 4 are drawn alike: 3 is the median best of 3, since 0.8^3 = 0.51, and 4 that of 4, since 0.8^4 = 0.41."""
    rng = np.random.default_rng(1)
    for n, truth in ((3, 3), (4, 4)):
        found = [median_best(rng.integers(5, size=48), n, 0.95) for _ in range(RUNS)]
        assert np.mean([low <= truth <= high for _, low, high in found]) > 0.95 - MARGIN


def test_as_many_values_as_draws_do_not_tell_how_good_the_best_can_be():
    values = np.linspace(0.2, 0.6, 24)
    value, low, high = median_best(values, 24, 0.95, bounds=(0.0, 1.0))
    assert (value, high) == (0.6, 1.0)
    assert low == values[20]  # of 24 draws, more than 3 are above the quantile 2^(-1/24) in 0.5 %, more than 2 in 3 %
    assert median_best(values, 24, 0.95)[2] == math.inf


def test_the_upper_end_is_told_from_log2_of_40_values_a_draw_on():
    finite = [n for n in range(1, 101) if median_best(np.arange(100.0), n, 0.95)[2] < math.inf]
    assert finite == [n for n in range(1, 101) if 2 ** (-100 / n) <= 0.025]
    assert max(finite) == 18


def test_what_a_searcher_found_is_compared_with_the_interval_turned_round():
    values = np.linspace(0.2, 0.6, 24)
    value, low, high = median_best(values, 3, 0.9)
    assert above_median_best(0.7, values, 3, 0.9) == (0.7 - value, 0.7 - high, 0.7 - low)


def test_what_cannot_be_is_refused():
    for values, message in (([], "0 of 0"), ([1.0, math.nan], "1 of 2")):
        with pytest.raises(ValueError, match=f"values: {message} are finite numbers: all must be, and one at least"):
            expected_best(values)
    with pytest.raises(ValueError, match="q = 1: must be between 0 and 1"):
        best_quantile(VALUES, 1.0)
    for n in (0, 8):
        with pytest.raises(ValueError, match=f"n = {n}: must be from 1 to the number of values, 7"):
            median_best(VALUES, n, 0.95)
