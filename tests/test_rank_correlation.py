"""Rank correlations: against scipy, by hand, invariance and coverage."""

import math

import numpy as np
import pytest
from scipy.stats import linregress, pearsonr, rankdata, spearmanr

from advlaw.fitting.rank_correlation import partial, spearman

RUNS, COUNT = 200, 200
LEAST = 0.95 - 4 * math.sqrt(0.95 * 0.05 / RUNS)  # four standard errors of a rate of coverage


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def columns(n: int, numbers: np.random.Generator):
    """Three that go together, the last with ties."""
    z = numbers.normal(size=n)
    return z + numbers.normal(size=n), z + numbers.normal(size=n), np.floor(2 * z)


@pytest.mark.parametrize("n", [4, 7, 60])
def test_rho_is_scipys_ties_and_all(n):
    x, _, z = columns(n, rng(n))
    found = spearman(x, z, rng(), COUNT, 0.95)
    assert found.rho == pytest.approx(spearmanr(x, z).statistic)
    assert found.n == n
    assert -1 < found.low < found.rho <= found.high <= 1


def test_a_published_interval_is_inside():
    """Bonett's example for his ci.spear: 0.8700, 0.5841 to 0.9638; one resample, inside it, widens nothing."""
    y = [21, 4, 9, 12, 35, 18, 10, 22, 24, 1, 6, 8, 13, 16, 19]
    x = [67, 28, 30, 28, 52, 40, 25, 37, 44, 10, 14, 20, 28, 40, 51]
    found = spearman(x, y, rng(), 1, 0.95)
    assert (found.rho, found.low, found.high) == pytest.approx((0.86996, 0.58410, 0.96383), abs=1e-5)
    wider = spearman(x, y, rng(), 500, 0.95)
    assert wider.low <= found.low < found.high <= wider.high


@pytest.mark.parametrize("n", [6, 40])
def test_partial_rho_is_that_of_what_lines_leave_of_ranks(n):
    x, y, z = columns(n, rng(n))
    ranks = [rankdata(column) for column in (x, y, z)]
    left = [column - linregress(ranks[2], column).slope * ranks[2] for column in ranks[:2]]
    xy, xz, yz = (spearmanr(*pair).statistic for pair in ((x, y), (x, z), (y, z)))
    found = partial(x, y, z, rng(), COUNT, 0.95)
    assert found.rho == pytest.approx(pearsonr(*left).statistic)
    assert found.rho == pytest.approx((xy - xz * yz) / math.sqrt((1 - xz**2) * (1 - yz**2)))


def test_partial_rho_by_hand():
    """Rankings of five items: rho of 0.8 and 0.6 with z, and of 0.5."""
    z, x, y = [1, 2, 3, 4, 5], [2, 1, 4, 3, 5], [3, 1, 2, 5, 4]
    assert (spearmanr(x, z).statistic, spearmanr(y, z).statistic) == pytest.approx((0.8, 0.6))
    assert spearmanr(x, y).statistic == pytest.approx(0.5)
    assert partial(x, y, z, rng(), COUNT, 0.95).rho == pytest.approx((0.5 - 0.48) / (0.6 * 0.8))


def test_monotone_maps_change_nothing_and_falling_ones_the_sign():
    x, y, z = columns(30, rng(1))
    for measure, others in ((spearman, ()), (partial, (z,))):
        plain = measure(x, y, *others, rng(), COUNT, 0.95)
        assert measure(np.exp(x), y**3, *(np.exp(o) for o in others), rng(), COUNT, 0.95) == plain
        turned = measure(-x, y, *others, rng(), COUNT, 0.95)
        assert (turned.rho, turned.low, turned.high) == pytest.approx((-plain.rho, -plain.high, -plain.low), abs=1e-3)


def test_one_generator_gives_one_interval():
    x, y, _ = columns(30, rng(1))
    assert spearman(x, y, rng(3), COUNT, 0.95) == spearman(x, y, rng(3), COUNT, 0.95)


def test_a_perfect_rank_correlation_of_few_items_is_not_certain():
    few, many = (spearman(np.arange(n), np.arange(n), rng(), COUNT, 0.95) for n in (4, 100))
    assert (few.rho, few.high, many.high) == (1, 1, 1)
    assert few.low < 0
    assert many.low > 0.999


@pytest.mark.parametrize("seed", range(3))
def test_without_enough_items_or_values_there_is_none(seed):
    x, y, z = columns(5, rng(seed))
    assert spearman(x[:3], y[:3], rng(), COUNT, 0.95) is None
    assert partial(x[:4], y[:4], z[:4], rng(), COUNT, 0.95) is None
    for constant in (np.zeros(5), np.full(5, 0.1)):
        assert spearman(x, constant, rng(), COUNT, 0.95) is None
        for columns_with in ((constant, x, y), (x, constant, y), (x, y, constant)):
            assert partial(*columns_with, rng(), COUNT, 0.95) is None
    assert partial(x, y, np.exp(x), rng(), COUNT, 0.95) is None
    assert partial(x, y, -y, rng(), COUNT, 0.95) is None


def test_resamples_of_one_value_are_left_out():
    x = [0.0, 0.0, 0.0, 0.0, 0.0, 1.0]  # a third of resamples have no 1
    found = spearman(x, [1, 2, 3, 4, 5, 6], rng(), COUNT, 0.95)
    assert -1 <= found.low < found.rho < found.high <= 1


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="columns have 2, 3 items: must be as many"):
        spearman([1, 2], [1, 2, 3], rng(), COUNT, 0.95)
    with pytest.raises(ValueError, match="must be finite numbers"):
        spearman([1, 2, 3, math.nan], [1, 2, 3, 4], rng(), COUNT, 0.95)


@pytest.mark.parametrize(("rho", "depends"), [(0.0, True), (0.5, False)])
def test_intervals_cover_at_no_less_than_their_rate(rho, depends):
    """24 items; normal columns, or one whose spread depends on the other. Given z of its own, partial rho is rho."""
    numbers, r = rng(int(10 * rho)), 2 * math.sin(math.pi * rho / 6)

    def drawn(n: int):
        x = numbers.normal(size=n)
        spread = 0.3 + abs(x) if depends else 1.0
        return x, r * x + math.sqrt(1 - r**2) * spread * numbers.normal(size=n), numbers.normal(size=n)

    truth = spearmanr(*drawn(100_000)[:2]).statistic
    covered = np.zeros(2)
    for _ in range(RUNS):
        x, y, z = drawn(24)
        both = spearman(x, y, numbers, COUNT, 0.95), partial(x, y, z, numbers, COUNT, 0.95)
        covered += [found.low <= truth <= found.high for found in both]
    assert (covered / RUNS > LEAST).all()
