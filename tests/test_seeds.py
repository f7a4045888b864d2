"""The spread between trainings: pooled, of a difference, added to an interval over images."""

import math

import numpy as np
import pytest
from scipy.stats import norm, ttest_ind

from advlaw.fitting.proportions import paired_difference
from advlaw.fitting.seeds import Spread, half_width, of_difference, pooled, widened

RUNS = 4000
TOLERANCE = 4 * math.sqrt(0.95 * 0.05 / RUNS)  # four standard errors of a rate of coverage


def test_groups_are_pooled_around_their_own_means():
    found = pooled([[1.0, 3.0], [7.0], [2.0, 2.0, 5.0]])  # squares 2 and 6, of 1 and 2 degrees of freedom
    assert found == Spread(math.sqrt(8 / 3), 3, 5)


@pytest.mark.parametrize("groups", [[], [[1.0]], [[1.0], [2.0]]])
def test_without_replicates_there_is_no_spread(groups):
    assert pooled(groups) is None


def test_two_nets_of_one_kind_differ_by_the_root_of_two_spreads():
    spread = Spread(0.3, 3, 4)
    found = of_difference(spread, spread)
    assert (found.sd, found.df) == (pytest.approx(0.3 * math.sqrt(2)), 3)
    assert half_width(found, 0.95) == pytest.approx(3.182446 * 0.3 * math.sqrt(2))


def test_two_kinds_have_the_degrees_of_freedom_of_welchs_test():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=5), 3 * rng.normal(size=4)
    of_means = [Spread(sample.std(ddof=1) / math.sqrt(len(sample)), len(sample) - 1, 1) for sample in (first, second)]
    welch = ttest_ind(first, second, equal_var=False)
    found = of_difference(*of_means)
    assert found.df == pytest.approx(welch.df)
    assert found.sd == pytest.approx((first.mean() - second.mean()) / welch.statistic)


def test_kinds_without_any_spread_add_nothing():
    found = of_difference(Spread(0.0, 3, 4), Spread(0.0, 2, 3))
    assert half_width(found, 0.95) == 0.0
    assert widened(0.1, 0.05, 0.2, 0.0) == pytest.approx((0.05, 0.2))


def test_half_widths_are_added_in_squares_on_either_side():
    assert widened(0.5, 0.47, 0.62, 0.04) == pytest.approx((0.45, 0.5 + math.hypot(0.12, 0.04)))
    assert widened(0.9, 0.8, 0.95, 3.0) == (-1.0, 1.0)


@pytest.mark.parametrize("df", [1, 3, 8])
def test_the_interval_of_a_difference_of_two_trainings_covers_at_its_rate(df):
    """Spreads of 2 between trainings, no error over images; two nets beside the replicates."""
    rng = np.random.default_rng(df)
    covered = 0
    for _ in range(RUNS):
        spread = pooled([2 * rng.normal(size=df + 1)])
        covered += abs(2 * (rng.normal() - rng.normal())) <= half_width(of_difference(spread, spread), 0.95)
    assert abs(covered / RUNS - 0.95) < TOLERANCE


@pytest.mark.parametrize("over_images", [0.3, 1.0, 3.0])
def test_so_it_does_with_an_error_over_images_of_any_size(over_images):
    rng = np.random.default_rng(1)
    half, covered = norm.ppf(0.975) * over_images, 0
    for _ in range(RUNS):
        spread = pooled([rng.normal(size=3), rng.normal(size=3)])
        value = rng.normal() - rng.normal() + over_images * rng.normal()
        low, high = widened_unclipped(value, half, half_width(of_difference(spread, spread), 0.95))
        covered += low <= 0 <= high
    assert 0.95 - TOLERANCE < covered / RUNS < 0.97  # t's half-width holds a little more than its share


def widened_unclipped(value: float, half: float, between: float) -> tuple[float, float]:
    """`widened`, for numbers that are no shares: in units of a hundredth."""
    low, high = widened(value / 100, (value - half) / 100, (value + half) / 100, between / 100)
    return 100 * low, 100 * high


def test_trainings_whose_images_are_simulated_are_covered_and_by_the_paired_interval_alone_are_not():
    """1000 images of unequal difficulty, accuracies of trainings spread by 0.02; the nets are equal but for seeds."""
    rng, runs = np.random.default_rng(2), 600
    covered, covered_by_images = 0, 0
    for _ in range(runs):
        ease = rng.uniform(size=1000)
        nets = [rng.uniform(size=1000) * 0.1 + ease < 0.6 + 0.02 * rng.normal() for _ in range(6)]
        spread = pooled([[net.mean() for net in nets[2:]]])
        value, low, high = paired_difference(nets[0], nets[1], 0.95)
        wide = widened(value, low, high, half_width(of_difference(spread, spread), 0.95))
        covered += wide[0] <= 0 <= wide[1]
        covered_by_images += low <= 0 <= high
    assert covered / runs > 0.95 - 4 * math.sqrt(0.95 * 0.05 / runs)
    assert covered_by_images / runs < 0.6
