"""Gaps between sorted i.i.d. logits, sampled (Cubuk Fig. 4b): any number of images in bounded memory, on CPU or GPU."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from scipy.stats import chi2
from torch import Tensor

from advlaw.core.io import Cells
from advlaw.core.progress import progress
from advlaw.core.rng import derived_seed, generator
from advlaw.theory.logit_gaps import POINTS_PER_DECADE, bin_edges, binned
from advlaw.theory.order_statistics import LAWS, gap_density, gap_density_constant, gap_distribution, gap_quantile
from advlaw.theory.settings import RANKS, OrderStatistics

CHUNK = 250_000
SMALLEST, LARGEST = 1e-6, 1e3  # of the histogram: below, a bin has few images and quadrature loses digits
FEWEST_EXPECTED = 50.0
ENDS = (10 ** (-0.5 / POINTS_PER_DECADE), 10 ** (0.5 / POINTS_PER_DECADE))  # of a bin, in units of its centre

# from uniform numbers in [0, 1)
QUANTILES: dict[str, Callable[[Tensor], Tensor]] = {
    "uniform": lambda u: u,
    "normal": torch.special.ndtri,
    "gumbel": lambda u: -(-u.log()).log(),
    "exponential": lambda u: -torch.log1p(-u),
}


def sample_gaps(law: str, samples: int, classes: int, seed: int, device: torch.device) -> Iterator[Tensor]:
    """Delta_1j (b, RANKS - 1) for j = 2..RANKS, of `samples` images in all, in chunks; float64.

    A chunk depends on (seed, law, its number) alone. A GPU's random numbers are others than a CPU's.
    """
    for chunk, start in enumerate(range(0, samples, CHUNK)):
        largest = QUANTILES[law](_largest(min(CHUNK, samples - start), classes, seed, law, chunk, device))
        yield largest[:, :1] - largest[:, 1:]


def _largest(n: int, classes: int, seed: int, law: str, chunk: int, device: torch.device) -> Tensor:
    """The RANKS largest of `classes` uniform numbers, falling, (n, RANKS) float64: quantiles keep the order."""
    if device.type == "cpu":  # NumPy draws and sorts faster there
        drawn = generator(seed, "iid", law, chunk).random((n, classes))
        drawn.sort(axis=1)
        return torch.from_numpy(drawn[:, : -RANKS - 1 : -1].copy())
    of_device = torch.Generator(device).manual_seed(derived_seed(seed, "iid", law, chunk))
    uniform = torch.rand((n, classes), generator=of_device, dtype=torch.float64, device=device)
    return uniform.topk(RANKS, dim=1).values


def order_statistics(
    law: str, settings: OrderStatistics, seed: int, device: torch.device
) -> tuple[list[Cells], list[Cells], list[Cells]]:
    """Rows of densities, of tail exponents and of the constants of Cubuk Eq. 22, for j = 2..5.

    Densities are sampled and exact (Eq. 20); with the constants stands whether their counts agree (Pearson's chi2).

    Exponents are those of the density, with 95 % intervals, by maximum likelihood from the gaps up to the exact
    quantile of each share in `settings.cut_offs`: fixed before sampling, hence intervals from chi2.
    """
    samples, classes, cut_offs = settings.samples, settings.classes, settings.cut_offs
    ranks = range(2, RANKS + 1)
    limits = np.array([[gap_quantile(classes, j, LAWS[law], share) for j in ranks] for share in cut_offs])
    edges = bin_edges(SMALLEST, LARGEST)
    counts, below, logs = np.zeros((len(ranks), len(edges) - 1), int), np.zeros(limits.shape), np.zeros(limits.shape)
    chunks = sample_gaps(law, samples, classes, seed, device)
    for gaps in progress(chunks, f"i.i.d. {law}", total=-(-samples // CHUNK)):
        counts += _histogram(gaps, edges)
        n, total = _tail_sums(gaps, torch.from_numpy(limits).to(device))
        below, logs = below + n, logs + total

    densities, exponents, constants = [], [], []
    for column, j in enumerate(ranks):
        for row in binned(counts[column], edges, samples):
            exact = gap_density(classes, j, LAWS[law], row["gap"])
            below_ends = [gap_distribution(classes, j, LAWS[law], row["gap"] * end) for end in ENDS]
            expected = samples * (below_ends[1] - below_ends[0])
            densities.append({"law": law, "rank": j, **row, "exact_density": exact, "expected_count": expected})
        for i, share in enumerate(cut_offs):
            row = {"law": law, "rank": j, "share": share, "n_gaps": int(below[i, column])}
            row["largest_gap"] = float(limits[i, column])
            exponents.append(row | _exponent(below[i, column], logs[i, column]))
        own = [row for row in densities if (row["law"], row["rank"]) == (law, j)]
        constants.append({"law": law, "rank": j, "constant": gap_density_constant(classes, j, LAWS[law]), **_chi2(own)})
    return densities, exponents, constants


def _histogram(gaps: Tensor, edges: np.ndarray) -> np.ndarray:
    """Counts (RANKS - 1, bins) of gaps (b, RANKS - 1)."""
    n_bins = len(edges) - 1
    bins = torch.bucketize(gaps.T.contiguous(), torch.from_numpy(edges).to(gaps.device), right=True) - 1
    rows = torch.arange(len(bins), device=gaps.device)[:, None]
    inside = (bins >= 0) & (bins < n_bins)
    flat = (rows * n_bins + bins)[inside]
    return torch.bincount(flat, minlength=len(bins) * n_bins).view(len(bins), n_bins).cpu().numpy()


def _tail_sums(gaps: Tensor, limits: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """How many gaps (b, j) are at most each limit (S, j), and the sum of ln(limit / gap) over those: (S, j) each."""
    counts, logs = [], []
    for limit in limits:
        inside = gaps <= limit
        counts.append(inside.sum(dim=0))
        logs.append(torch.where(inside, (limit / gaps).log(), 0.0).sum(dim=0))
    return torch.stack(counts).cpu().numpy(), torch.stack(logs).cpu().numpy()


def _exponent(n: float, total: float) -> Cells:
    low, high = chi2.ppf([0.025, 0.975], 2 * n) / (2.0 * total) - 1.0
    return {"exponent": n / total - 1.0, "exponent_low": float(low), "exponent_high": float(high)}


def _chi2(rows: list[Cells]) -> Cells:
    """Pearson's test of the sampled counts against the exact ones, over bins where enough are expected."""
    rows = [row for row in rows if row["expected_count"] >= FEWEST_EXPECTED]
    counts, expected = (np.array([row[name] for row in rows]) for name in ("count", "expected_count"))
    statistic = float(((counts - expected) ** 2 / expected).sum())
    return {"n_bins": len(rows), "chi2": statistic, "chi2_p_value": float(chi2.sf(statistic, len(rows)))}
