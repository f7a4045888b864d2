"""Ratios of two proportions on the same images: against published numbers, a large-sample formula and simulation."""

import math

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from advlaw.fitting.proportions import paired_ratio


def outcomes(both: int, first: int, second: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    """Two outcomes on the same images, of so many images of each kind."""
    cells = [(True, True), (True, False), (False, True), (False, False)]
    found = np.repeat(np.array(cells), (both, first, second, neither), axis=0)
    return found[:, 0], found[:, 1]


def test_a_published_interval():
    """Cavo et al. (2012), as Fagerland, Lydersen and Laake's programs give it: 0.8667 (0.7579 to 0.9910)."""
    assert paired_ratio(*outcomes(59, 6, 16, 80), 0.95) == pytest.approx((0.8667, 0.7579, 0.9910), abs=5e-5)


def test_of_many_images_it_is_that_of_the_delta_method():
    """Var ln(p1 / p2) = (b + c) / (n1 n2) for counts b, c of images on which outcomes differ."""
    both, first, second = 40_000, 3_000, 20_000
    ratio, low, high = paired_ratio(*outcomes(both, first, second, 20_000), 0.9)
    error = math.sqrt((first + second) / ((both + first) * (both + second)))
    wanted = np.log(43 / 60) + norm.ppf(0.95) * error * np.array([0, -1, 1])
    assert np.log([ratio, low, high]) == pytest.approx(wanted, abs=1e-4)


def test_it_covers_the_truth_at_its_rate():
    """Clean accuracy 0.9, 0.45 under attack, none repaired: 2000 samples of 300 images, within four standard errors."""
    rng, covered, runs = np.random.default_rng(0), 0, 2000
    for _ in range(runs):
        counts = rng.multinomial(300, [0.45, 0.0, 0.45, 0.1])
        _, low, high = paired_ratio(*outcomes(*counts), 0.95)
        covered += low <= 0.5 <= high
    assert abs(covered / runs - 0.95) < 4 * math.sqrt(0.95 * 0.05 / runs)


@pytest.mark.parametrize("n_clean", [1, 30, 1000])
def test_no_image_right_under_attack_is_a_ratio_of_0_whose_upper_end_is_not_0(n_clean):
    ratio, low, high = paired_ratio(*outcomes(0, 0, n_clean, 5), 0.95)
    assert (ratio, low) == (0.0, 0.0)
    assert high > 0
    if n_clean == 1000:  # about that of no success in 1000
        assert high == pytest.approx(binomtest(0, 1000).proportion_ci(method="wilson").high, rel=0.6)


def test_equal_outcomes_are_a_ratio_of_1_inside_its_interval():
    ratio, low, high = paired_ratio(*outcomes(50, 0, 0, 50), 0.95)
    assert low < ratio == 1.0 < high
    assert low * high == pytest.approx(1.0)


def test_without_an_image_that_is_right_when_clean_there_is_no_ratio():
    assert all(map(math.isnan, paired_ratio(*outcomes(0, 3, 0, 5), 0.95)))
