"""Changes of images and the ranges in which a law is looked for."""

import numpy as np
import pytest

from advlaw.fitting.changes import Changes, of_curve, of_thresholds, up_to
from advlaw.fitting.sizes import Exact
from advlaw.fitting.small_eps import fit
from advlaw.fitting.thresholds import Thresholds

GRID = np.geomspace(0.01, 64.0, 40)


def known(wrong, right=(), n_images=1000, eps_last=64.0):
    return Changes(n_images, n_images - 100, eps_last, np.sort(np.array(wrong, float)), np.sort(np.array(right, float)))


def test_a_range_ends_at_an_error_not_at_a_point_of_the_grid():
    """F1: the end of the old range, a point of the grid, jumped by a quarter from one bootstrap sample to the next.

    Here it is the first threshold beyond the share of images, all others below it are in the range, and the ends of
    samples differ by as little as their thresholds.
    """
    rng = np.random.default_rng(0)
    flips = np.sort(5 * rng.random(400))
    found = up_to(known(flips), 0.1, False)
    assert found.e0 == flips[90]
    np.testing.assert_allclose(found.sizes.u, flips[:90] / flips[90])
    ends = [up_to(known(rng.choice(flips, 400)), 0.1, False).e0 for _ in range(50)]
    assert len(set(ends)) > 20
    assert np.std(ends) / found.e0 < 0.15


def test_a_range_that_is_not_left_ends_where_changes_are_known_to():
    found = up_to(known([1.0, 2.0, 8.0], eps_last=10.0), 0.1, False)
    assert found.e0 == 10.0
    np.testing.assert_allclose(found.sizes.u, [0.1, 0.2, 0.8])


def test_the_range_of_net_errors_counts_what_is_repaired_back():
    wrong, right = np.arange(1, 301) / 100.0, np.arange(1, 101) / 100.0 + 0.005
    found = up_to(known(wrong, right), 0.1, True)
    assert found.e0 == 1.91  # 191 broken and 100 repaired: the first with more than 90 net errors
    assert found.n_net == 90
    assert found.all_sizes.n == 290
    assert found.sizes.n == 190


def test_ties_are_left_out():
    """F7: a tie that rounding breaks, a threshold of 1e-30, takes two fifths of Hill's estimate.

    Nor is it harmless if it counts as 1e-6 of the range, which was tried first.
    """
    flips = 5 * np.sort(np.random.default_rng(1).random(9000))
    tied = np.append(1e-30, flips)
    by_law = [fit(up_to(known(values, n_images=9100), 0.02, False).sizes).b for values in (flips, tied)]
    assert by_law[1] == pytest.approx(by_law[0], abs=0.03)
    by_hill = [-180 / np.log(values[:180] / values[180]).sum() for values in (flips, tied)]
    assert by_hill[1] < 0.8 * by_hill[0]
    assert fit(Exact(np.append(1e-6, flips[:180] / flips[180]))).b < by_law[0] - 0.2


def test_a_curve_and_its_thresholds_on_the_grid_are_the_same_changes():
    rng = np.random.default_rng(2)
    eps = GRID[rng.integers(10, 40, 300)]
    change = np.where(rng.random(300) < 0.7, 1, -1)
    order = np.argsort(eps, kind="stable")
    by_image = of_thresholds(Thresholds(1000, 900, 64.0, True, eps[order], change[order]))
    gross = (eps[change > 0] <= GRID[:, None]).sum(axis=1)
    repaired = (eps[change < 0] <= GRID[:, None]).sum(axis=1)
    by_count = of_curve(1000, 900, GRID, gross.astype(float), (gross - repaired).astype(float))
    for share, of_net in ((0.1, False), (0.05, True)):
        one, other = (up_to(changes, share, of_net) for changes in (by_image, by_count))
        assert one.e0 == pytest.approx(other.e0)
        np.testing.assert_array_equal(one.wrong[one.wrong > 0], other.wrong[other.wrong > 0])
        assert one.n_net == other.n_net


def test_a_grid_that_begins_beyond_the_range_has_none():
    gross = np.full(len(GRID), 500.0)
    assert up_to(of_curve(1000, 900, GRID, gross, gross), 0.1, False) is None


@pytest.mark.parametrize("of_net", [False, True])
@pytest.mark.parametrize(
    "changes",
    [
        known([]),
        known([], [1.0] * 200),
        Changes(1000, 0, 64.0, np.zeros(0), np.arange(1.0, 60.0)),
        Changes(1000, 900, 64.0, np.zeros(40), np.zeros(40), GRID),
        Changes(1000, 900, 64.0, np.zeros(40), np.ones(40), GRID),
    ],
    ids=["no change", "all repaired", "none right", "no change on a grid", "all repaired on a grid"],
)
def test_curves_without_errors_have_a_range_and_no_law(changes, of_net):
    found = up_to(changes, 0.1, of_net)
    assert found.n_net <= 0
    assert fit(found.sizes) is None
