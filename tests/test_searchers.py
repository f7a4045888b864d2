"""Differences of two searchers: against scipy's Welch test, by hand and by simulation."""

import math

import numpy as np
import pytest
from scipy.stats import ttest_ind

from advlaw.fitting.searchers import difference, late_gain

RUNS = 1500
MARGIN = 4 * math.sqrt(0.95 * 0.05 / RUNS)  # four standard errors of a rate of coverage


@pytest.mark.parametrize("sizes", [(3, 3), (2, 7), (24, 80)])
def test_the_interval_is_welchs(sizes):
    rng = np.random.default_rng(0)
    first, second = rng.normal(1.0, 1.0, sizes[0]).tolist(), rng.normal(0.0, 3.0, sizes[1]).tolist()
    found, wanted = difference(first, second, 0.9), ttest_ind(first, second, equal_var=False)
    interval = wanted.confidence_interval(0.9)
    assert found.value == pytest.approx(np.mean(first) - np.mean(second))
    assert (found.low, found.high, found.df) == pytest.approx((interval.low, interval.high, wanted.df))
    assert (found.n_first, found.n_second) == sizes


def test_groups_without_any_spread_differ_exactly():
    found = difference([0.5, 0.5, 0.5], [0.25, 0.25], 0.95)
    assert (found.value, found.low, found.high, found.df) == (0.25, 0.25, 0.25, 3)


def test_of_one_seed_the_last_third_of_its_children_counts():
    rewards = [9.0, 9.0, 9.0, 9.0, 9.0, 1.0, 2.0, 6.0]  # a third of eight is three
    found, wanted = late_gain([rewards], [0.0, 1.0, 2.0], 0.95), difference([1.0, 2.0, 6.0], [0.0, 1.0, 2.0], 0.95)
    assert (found.value, found.low, found.high, found.df) == (2.0, wanted.low, wanted.high, wanted.df)
    assert (found.n_seeds, found.over, found.n_first) == (1, "children", 3)


def test_of_several_seeds_their_means_count_alike():
    searchers, random = [[0.0, 0.0, 3.0], [0.0, 0.0, 0.0, 0.0, 4.0, 6.0], [7.0]], [0.0, 1.0, 2.0]
    found, wanted = late_gain(searchers, random, 0.95), difference([3.0, 5.0, 7.0], random, 0.95)
    assert (found.value, found.low, found.high, found.df) == (4.0, wanted.low, wanted.high, wanted.df)
    assert (found.n_seeds, found.over, found.n_first) == (3, "seeds", 3)


def test_too_few_numbers_have_no_interval():
    assert difference([1.0], [1.0, 2.0], 0.95) is None
    for searchers in ([], [[]], [[1.0, 2.0, 3.0]]):
        assert late_gain(searchers, [1.0, 2.0], 0.95) is None
    assert late_gain([[1.0], [2.0]], [1.0], 0.95) is None


def test_over_seeds_it_covers_children_that_go_together_and_over_children_it_does_not():
    """Seeds of sd 1 and children of sd 1; 24 children a seed, four seeds, 24 random ones."""
    rng, by_seeds, by_children = np.random.default_rng(0), 0, 0
    for _ in range(RUNS):
        searchers = (rng.normal(size=(4, 1)) + rng.normal(size=(4, 24))).tolist()
        random = rng.normal(size=24).tolist()
        several, one = late_gain(searchers, random, 0.95), late_gain(searchers[:1], random, 0.95)
        by_seeds += several.low <= 0 <= several.high
        by_children += one.low <= 0 <= one.high
    assert abs(by_seeds / RUNS - 0.95) < MARGIN
    assert by_children / RUNS < 0.7
