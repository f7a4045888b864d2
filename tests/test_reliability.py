"""Variance components of cells and seeds: by hand, planted ones recovered, and intervals' coverage."""

import math

import numpy as np
import pytest
from scipy.stats import f

from advlaw.fitting.reliability import components, shrunken, spread
from advlaw.fitting.seeds import Spread

RUNS = 1500
MARGIN = 4 * math.sqrt(0.95 * 0.05 / RUNS)  # four standard errors of a rate of coverage


def cells(sizes, sd_cell: float, sd_seed: float, rng: np.random.Generator) -> list[list[float]]:
    return [(sd_cell * rng.normal() + sd_seed * rng.normal(size=size)).tolist() for size in sizes]


def test_components_by_hand():
    """Means 2, 5, 8 of two each: between 18, within (2 + 2 + 8) / 3 = 4; (18 - 4) / 2 = 7."""
    found = components([[1.0, 3.0], [4.0, 6.0], [6.0, 10.0]], 0.9)
    assert (found.sd_cell, found.sd_seed) == pytest.approx((math.sqrt(7), 2))
    assert found.reliability == pytest.approx(7 / 11)
    assert (found.n_cells, found.n_nets) == (3, 6)


def test_unequal_groups_by_hand():
    """Groups of 1, 1 and 2, of means 0, 4 and 2: between 8 / 2, within 2; a typical size (4 - 6 / 4) / 2 = 1.25."""
    found = components([[0.0], [4.0], [1.0, 3.0], []], 0.9)
    assert (found.sd_cell, found.sd_seed) == pytest.approx((math.sqrt(1.6), math.sqrt(2)))
    assert found.n_cells == 3


@pytest.mark.parametrize("size", [2, 3, 5])
def test_the_interval_of_equal_groups_is_the_usual_one(size):
    """(F - 1) / (F + size - 1) of F over its quantiles (Shrout and Fleiss 1979)."""
    groups = cells([size] * 8, 2.0, 1.0, np.random.default_rng(size))
    found = components(groups, 0.95)
    ratio = 1 + size * (found.sd_cell / found.sd_seed) ** 2
    ends = ratio / f.ppf([0.975, 0.025], 7, 8 * (size - 1))
    assert (found.low, found.high) == pytest.approx(tuple((ends - 1) / (ends + size - 1)))
    assert found.low < found.reliability < found.high


def test_planted_components_are_recovered():
    """2000 cells, three seeds each: variances within five standard errors."""
    found = components(cells([3] * 2000, 3.0, 2.0, np.random.default_rng(0)), 0.95)
    assert abs(found.sd_cell**2 - 9) < 5 * math.sqrt(2 * (9 + 4 / 3) ** 2 / 1999 + 2 * (4 / 3) ** 2 / 4000)
    assert abs(found.sd_seed**2 - 4) < 5 * math.sqrt(2 * 16 / 4000)
    assert found.low < 9 / 13 < found.high


@pytest.mark.parametrize("sizes", [(3,) * 6, (1, 1, 2, 3, 9)], ids=["equal", "unequal"])
@pytest.mark.parametrize("sd_cell", [0.5, 2.0])
def test_the_interval_covers_at_its_rate(sizes, sd_cell):
    rng, truth, runs = np.random.default_rng(0), sd_cell**2 / (sd_cell**2 + 1), RUNS // 2
    found = [components(cells(sizes, sd_cell, 1.0, rng), 0.95) for _ in range(runs)]
    covered = np.mean([one.low <= truth <= one.high for one in found])
    assert abs(covered - 0.95) < MARGIN * math.sqrt(2)


def test_cells_that_differ_less_than_seeds_have_no_spread_of_their_own():
    found = components([[0.0, 2.0], [0.5, 2.5]], 0.95)
    assert (found.sd_cell, found.sd_seed, found.reliability, found.low) == (0, pytest.approx(math.sqrt(2)), 0, 0)
    assert 0 < found.high < 1


def test_seeds_without_any_spread_are_reliable():
    found = components([[1.0, 1.0], [2.0, 2.0]], 0.95)
    assert (found.sd_seed, found.reliability, found.low, found.high) == (0, 1, 1, 1)
    assert found.sd_cell == pytest.approx(math.sqrt(0.5))


@pytest.mark.parametrize("groups", [[], [[1.0, 2.0]], [[1.0], [2.0]], [[1.0, 1.0], [1.0]]])
def test_what_does_not_tell_has_none(groups):
    assert components(groups, 0.95) is None


def test_a_winner_falls_back_by_what_was_chance():
    assert shrunken(0.7, 0.5, 0.75) == pytest.approx(0.65)
    assert shrunken(0.7, 0.5, 1.0) == pytest.approx(0.7)
    assert shrunken(0.7, 0.5, 0.0) == 0.5


def test_another_training_of_the_best_of_many_is_where_it_is_expected():
    """The best of 24 in 2000 searches, sd 3 of cells and 2 of seeds; within five standard errors."""
    rng = np.random.default_rng(0)
    own = 3 * rng.normal(size=(2000, 24))
    first, again = own + 2 * rng.normal(size=own.shape), own + 2 * rng.normal(size=own.shape)
    best = np.arange(2000), first.argmax(axis=1)
    surprise = again[best] - [shrunken(value, 0.0, 9 / 13) for value in first[best]]
    assert abs(surprise.mean()) < 5 * surprise.std() / math.sqrt(2000)


def test_the_spread_of_children_by_hand():
    found = spread([1.0, 5.0, 3.0, 7.0] * 3, Spread(2.0, 6, 9), np.random.default_rng(0), 500, 0.95)
    assert (found.n, found.least, found.largest) == (12, 1, 7)
    assert (found.sd, found.sd_cell) == pytest.approx((math.sqrt(60 / 11), math.sqrt(16 / 11)))
    assert 0 < found.sd_low < found.sd < found.sd_high
    assert 0 == found.sd_cell_low < found.sd_cell < found.sd_cell_high


def test_without_noise_the_cells_are_the_children():
    values = np.random.default_rng(1).normal(size=30)
    found = spread(values, Spread(0.0, 6, 9), np.random.default_rng(0), 200, 0.95)
    assert (found.sd_cell, found.sd_cell_low, found.sd_cell_high) == (found.sd, found.sd_low, found.sd_high)


def test_a_spread_has_the_unit_of_the_children():
    values, of_seeds = np.random.default_rng(1).normal(size=30), Spread(0.5, 6, 9)
    one = spread(values, of_seeds, np.random.default_rng(0), 200, 0.95)
    hundred = spread(100 * values + 7, Spread(50.0, 6, 9), np.random.default_rng(0), 200, 0.95)
    for name in ("sd", "sd_low", "sd_high", "sd_cell", "sd_cell_low", "sd_cell_high"):
        assert getattr(hundred, name) == pytest.approx(100 * getattr(one, name))


def test_children_that_are_alike_have_no_spread_and_nine_tell_none():
    found = spread([0.1] * 10, Spread(1.0, 6, 9), np.random.default_rng(0), 200, 0.95)
    assert (found.sd, found.sd_low, found.sd_high, found.sd_cell, found.sd_cell_high) == pytest.approx((0,) * 5)
    assert spread([1.0, 2.0, 3.0] * 3, Spread(1.0, 6, 9), np.random.default_rng(0), 200, 0.95) is None


def test_intervals_of_spreads_cover_normal_children_at_about_their_rate():
    """24 children, sd 3 of cells and 2 of seeds, 6 degrees of freedom: no less than 93 and 95 %."""
    rng, runs, plain, own = np.random.default_rng(0), 400, 0, 0
    for _ in range(runs):
        values = 3 * rng.normal(size=24) + 2 * rng.normal(size=24)
        of_seeds = Spread(2 * math.sqrt(rng.chisquare(6) / 6), 6, 9)
        found = spread(values, of_seeds, rng, 300, 0.95)
        plain += found.sd_low <= math.sqrt(13) <= found.sd_high
        own += found.sd_cell_low <= 3 <= found.sd_cell_high
    assert plain / runs > 0.93 - 4 * math.sqrt(0.93 * 0.07 / runs)
    assert own / runs > 0.95 - 4 * math.sqrt(0.95 * 0.05 / runs)
