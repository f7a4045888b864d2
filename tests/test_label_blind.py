"""The account of label-blind attacks, where its assumptions hold by construction (docs/findings/label_blind.md)."""

import numpy as np
import pytest
from scipy.stats import binom

from advlaw.fitting.settings import Fit
from advlaw.theory import label_blind
from advlaw.theory.predictions import Case

SETTINGS = Fit(min_errors=10, max_error=0.1, bootstrap=100, confidence=0.95, headline=[])
EPS = np.geomspace(1e-3, 1e-1, 9)


@pytest.mark.parametrize(("slope", "floor"), [(None, 1.0), (None, 0.3), (0.0, 1.0), (5.0, 1.0)])
def test_derived_errors_are_those_of_images_drawn_one_by_one(slope, floor):
    """A million images; net errors are differences of two counts. Wrongly red once in 1,000 for all 72 numbers."""
    eps = EPS if slope != 5.0 else EPS[EPS < 0.05]
    n_images = 1_000_000
    gross, net = label_blind.sampled_errors(eps, slope, floor, n_images, np.random.default_rng(6))
    wanted_gross, wanted_net = label_blind.ideal_errors(eps, slope, floor)
    low, high = (binom.ppf(share, n_images, wanted_gross) for share in (7e-6, 1 - 7e-6))
    assert ((low <= gross * n_images) & (gross * n_images <= high)).all()
    spread = np.sqrt((2 * wanted_gross - wanted_net) / n_images)
    assert (np.abs(net - wanted_net) < 4.5 * spread).all()


def test_what_the_account_implies_for_exponents():
    """One speed: gross 1, net 2. Falling speeds: 1 / (1 - slope eps) and twice that."""
    eps = np.array([1e-3, 1.001e-3])

    def local(slope):
        return [float(np.diff(np.log(error))[0] / np.diff(np.log(eps))[0]) for error in errors(slope)]

    def errors(slope):
        return label_blind.ideal_errors(eps, slope, 1e-4)

    assert local(None) == pytest.approx([1.0, 2.0], abs=1e-3)
    assert local(500.0) == pytest.approx([2.0, 4.0], abs=0.01)


def planted(n_images, seed=8):
    """Two classes; uniform gaps closed at speed 1; the prediction is right with probability (1 + gap) / 2."""
    rng = np.random.default_rng(seed)
    gap = rng.uniform(size=n_images)
    top = rng.integers(2, size=n_images)
    label = np.where(rng.uniform(size=n_images) < 0.5 * (1 + gap), top, 1 - top)
    rows, right = np.arange(n_images), label == top
    logits, gamma = np.zeros((n_images, 2)), np.zeros((n_images, 2))
    logits[rows, top], gamma[rows, top] = gap, -1.0
    case = Case(logits, gamma, label, np.where(right, gap, np.nan), np.where(right, 1 - top, -1), 1.0)
    return case, np.where(right, np.nan, gap)


def test_planted_exponents_are_found():
    """The mean over ten samples of 40,000; one net exponent has a standard deviation of about 0.25."""
    grid, found = np.geomspace(1e-3, 1, 40), []
    for seed in range(10):
        case, recovery = planted(40_000, seed)
        rows = label_blind.exponents(case, recovery, grid, SETTINGS, np.random.default_rng(0), ("measured",))
        found.append([row["exponent"] for row in rows if row["estimator"] == "mean_slope"])
    gross, net = np.mean(found, axis=0)
    assert gross == pytest.approx(1.05, abs=0.05)  # the share that is right rises with the gap
    assert net == pytest.approx(2.0, abs=4 * 0.25 / np.sqrt(10))


def test_all_accounts_of_one_speed_are_the_same_curve():
    case, recovery = planted(4000)
    curves = label_blind.decomposed(case, recovery, np.array([0.05, 0.2, 0.7]))
    for outcomes in curves.values():
        np.testing.assert_array_equal(outcomes.net, curves["measured"].net)
        np.testing.assert_array_equal(outcomes.broken, curves["measured"].broken)
    measured = curves["measured"]
    assert measured.net.sum() < measured.broken.sum()


def test_images_that_no_flip_would_repair_are_no_net_error():
    """The label is neither the prediction nor the class that takes over."""
    logits, gamma = np.array([[3.0, 2.0, 0.0]] * 2), np.array([[-1.0, 0.0, 0.0]] * 2)
    case = Case(logits, gamma, np.array([2, 1]), np.full(2, np.nan), np.full(2, -1), 1.0)
    curves = label_blind.decomposed(case, np.array([np.inf, 1.0]), np.array([0.5, 2.0]))
    for outcomes in curves.values():
        assert outcomes.net.tolist() == [[0, 0], [0, -1]]


def test_ties_are_binned_from_the_smallest_gap():
    case, _ = planted(1000)
    rows = label_blind.by_gap(case, 0.95)
    assert [row["n_images"] for row in rows] == [50, 50, 100, 200, 400, 200]
    assert sum(row["p_right"] * row["n_images"] for row in rows) == pytest.approx((case.threshold > 0).sum())
    assert all(row["p_right"] + row["p_second"] == pytest.approx(1.0) for row in rows)
    assert all((row["speed"], row["spread"], row["closing"]) == (1.0, 0.0, 1.0) for row in rows)


def test_speeds_near_ties_are_found_as_they_were_planted():
    rng = np.random.default_rng(3)
    gap = rng.uniform(0, 2, size=20_000)
    logits = np.stack([gap, np.zeros(20_000)], axis=1)
    gamma = np.stack([np.zeros(20_000), 0.8 * gap + 0.1 * rng.normal(size=20_000)], axis=1)
    row = label_blind.near_ties(Case(logits, gamma, np.zeros(20_000), gap, np.ones(20_000), 0.5))
    assert row["n_images"] == (gap < 1).sum()
    assert row["slope"] == pytest.approx(0.4, abs=0.01)
    assert row["intercept"] == pytest.approx(0.0, abs=0.005)
    assert row["floor"] == pytest.approx(0.05, rel=0.05)
    assert row["pole"] == pytest.approx(2.5, rel=0.03)
    few = Case(logits[:9], gamma[:9], np.zeros(9), gap[:9], np.ones(9), 0.5)
    assert label_blind.near_ties(few)["slope"] is None
