"""Gaps between i.i.d. logits: exact laws, quadrature and samples against each other (Cubuk Eq. 17-22)."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from advlaw.theory.iid import CHUNK, QUANTILES, order_statistics, sample_gaps
from advlaw.theory.order_statistics import (
    LAWS,
    gap_density,
    gap_density_constant,
    gap_distribution,
    gap_quantile,
)
from advlaw.theory.settings import OrderStatistics

REFERENCE = {
    "uniform": stats.uniform(),
    "normal": stats.norm(),
    "gumbel": stats.gumbel_r(),
    "exponential": stats.expon(),
}
CPU = torch.device("cpu")
RANKS = (2, 3, 4, 5)


@pytest.mark.parametrize("law", LAWS)
def test_laws_are_scipy_s(law):
    ours, reference = LAWS[law], REFERENCE[law]
    for v in (1e-9, 0.01, 0.3, 0.5, 0.9, 1 - 1e-9):
        x = float(reference.ppf(v))
        assert ours.ppf(v) == pytest.approx(x, rel=1e-9)
        assert ours.cdf(x) == pytest.approx(reference.cdf(x), rel=1e-9)
        assert ours.pdf(x) == pytest.approx(reference.pdf(x), rel=1e-9)
    for x in (-30.0, -0.5, 1.5, 700.0):
        assert ours.cdf(x) == pytest.approx(reference.cdf(x), rel=1e-9, abs=1e-300)
        assert ours.pdf(x) == pytest.approx(reference.pdf(x), rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("n_classes", [5, 10, 100])
@pytest.mark.parametrize("rank", RANKS)
def test_uniform_gaps_are_beta_exactly(n_classes, rank):
    law, exact = LAWS["uniform"], stats.beta(rank - 1, n_classes - rank + 2)
    for gap in (1e-4, 0.01, 0.1, 0.5, 0.95):
        assert gap_density(n_classes, rank, law, gap) == pytest.approx(exact.pdf(gap), rel=1e-9, abs=1e-25)
        assert gap_distribution(n_classes, rank, law, gap) == pytest.approx(exact.cdf(gap), rel=1e-9)
    assert gap_quantile(n_classes, rank, law, 0.03) == pytest.approx(exact.ppf(0.03), rel=1e-6)


@pytest.mark.parametrize("rank", RANKS)
def test_exponential_gaps_are_sums_of_exponentials(rank):
    """Renyi: Delta_1j is the largest of j - 1 exponentials."""
    for gap in (0.01, 0.5, 3.0, 12.0):
        assert gap_distribution(10, rank, LAWS["exponential"], gap) == pytest.approx((1 - math.exp(-gap)) ** (rank - 1))


def test_the_constant_of_the_uniform_law_is_exact():
    for n_classes in (2, 10, 1000):
        assert gap_density_constant(n_classes, 2, LAWS["uniform"]) == pytest.approx(n_classes, rel=1e-10)
    for rank in RANKS:
        exact = 10 * 9 * math.comb(8, rank - 2) / (11 - rank)
        assert gap_density_constant(10, rank, LAWS["uniform"]) == pytest.approx(exact, rel=1e-10)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("rank", RANKS)
def test_the_constant_is_the_density_s_limit(law, rank):
    """Eq. 22 against the quadrature of Eq. 20 as the gap goes to zero, and that against the distribution's slope."""
    gap = 1e-5
    ratio = gap_density(10, rank, LAWS[law], gap) / gap ** (rank - 2)
    assert ratio == pytest.approx(gap_density_constant(10, rank, LAWS[law]), rel=2e-4)
    for middle in (0.4,) if law == "uniform" else (0.4, 3.0) if law == "normal" else (0.4, 3.0, 10.0):
        ends = [gap_distribution(10, rank, LAWS[law], middle + shift) for shift in (-1e-3, 1e-3)]
        assert gap_density(10, rank, LAWS[law], middle) == pytest.approx((ends[1] - ends[0]) / 2e-3, rel=1e-4)


def test_a_rank_beyond_the_classes_is_refused():
    for rank in (1, 4):
        with pytest.raises(ValueError, match=f"rank = {rank}: must be between 2 and n_classes = 3"):
            gap_density_constant(3, rank, LAWS["normal"])


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("rank", RANKS)
def test_sampled_gaps_follow_the_exact_law(law, rank):
    """Kolmogorov-Smirnov; all 16 cases together are wrongly red once in 1,000."""
    gaps = torch.cat(list(sample_gaps(law, 20_000, 10, 7, CPU)))[:, rank - 2].sort().values.numpy()
    points = np.geomspace(gaps[5], gaps[-5], 400)
    exact = np.array([gap_distribution(10, rank, LAWS[law], gap) for gap in points])
    empirical = np.searchsorted(gaps, points, side="right") / len(gaps)
    assert np.abs(empirical - exact).max() < stats.kstwo.ppf(1 - 1e-3 / 16, len(gaps))
    if law == "uniform":
        assert stats.kstest(gaps, stats.beta(rank - 1, 12 - rank).cdf).pvalue > 1e-3 / 16


def test_a_chunk_depends_on_its_number_alone():
    few = list(sample_gaps("normal", CHUNK + 10, 5, 1, CPU))
    many = list(sample_gaps("normal", 2 * CHUNK, 5, 1, CPU))
    assert [len(chunk) for chunk in few] == [CHUNK, 10]
    torch.testing.assert_close(few[0], many[0], rtol=0, atol=0)


def test_quantiles_are_the_laws():
    u = torch.tensor([1e-6, 0.2, 0.5, 0.99], dtype=torch.float64)
    for law, quantile in QUANTILES.items():
        np.testing.assert_allclose(quantile(u).numpy(), [LAWS[law].ppf(float(v)) for v in u], rtol=1e-9)


def exact_exponent(rank, limit):
    """What maximum likelihood tends to from uniform gaps up to `limit`: 1 / E[ln(limit / gap)] - 1."""
    law = stats.beta(rank - 1, 12 - rank)
    mean_log = law.expect(lambda gap: math.log(limit / gap), lb=0, ub=limit) / law.cdf(limit)
    return 1.0 / mean_log - 1.0


def test_tables_of_samples_contain_the_truth():
    """All within five standard deviations."""
    settings = OrderStatistics(laws=["uniform"], classes=10, samples=600_000, cut_offs=[0.1, 0.001])
    densities, exponents, constants = order_statistics("uniform", settings, 3, CPU)
    for row in densities:
        assert abs(row["count"] - row["expected_count"]) < 5 * math.sqrt(row["expected_count"])
        assert row["exact_density"] == pytest.approx(gap_density(10, row["rank"], LAWS["uniform"], row["gap"]))
    for row in exponents:
        n = settings.samples * row["share"]
        assert abs(row["n_gaps"] - n) < 5 * math.sqrt(n)
        width = row["exponent_high"] - row["exponent_low"]
        assert abs(row["exponent"] - exact_exponent(row["rank"], row["largest_gap"])) < 1.3 * width
    for row in constants:
        assert row["constant"] == pytest.approx(gap_density_constant(10, row["rank"], LAWS["uniform"]))
        assert row["n_bins"] > 3
        assert row["chi2_p_value"] > 1e-4
