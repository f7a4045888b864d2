"""The distribution of the gaps Delta_1j between the largest logit and the j-th (Cubuk Sec. 3.2, Fig. 4, 6, 13)."""

import numpy as np

from advlaw.core.io import Cells
from advlaw.fitting.gaps import tail_exponent

POINTS_PER_DECADE = 5
FEWEST = 10


def density(gaps: np.ndarray) -> list[Cells]:
    """Density of gaps (n,) in log-spaced bins: gap (geometric centre), density, count; bins under 10 gaps left out."""
    positive = gaps[gaps > 0]
    if len(positive) == 0:
        return []
    edges = bin_edges(float(positive.min()), float(positive.max()))
    return binned(np.histogram(positive, edges)[0], edges, len(gaps))


def bin_edges(smallest: float, largest: float) -> np.ndarray:
    """Edges at powers of 10^(1/5), the same ones for every net, around [smallest, largest]."""
    first, last = np.floor(POINTS_PER_DECADE * np.log10(smallest)), np.ceil(POINTS_PER_DECADE * np.log10(largest))
    return 10.0 ** (np.arange(first, max(last, first + 1) + 1) / POINTS_PER_DECADE)


def binned(counts: np.ndarray, edges: np.ndarray, total: int) -> list[Cells]:
    """The rows of a histogram of `total` gaps: `counts` (b,) between `edges` (b + 1,)."""
    width, centre = np.diff(edges), np.sqrt(edges[:-1] * edges[1:])
    columns = zip(centre.tolist(), (counts / total / width).tolist(), counts.tolist(), strict=True)
    return [{"gap": gap, "density": value, "count": n} for gap, value, n in columns if n >= FEWEST]


def exponents(gaps: np.ndarray, cut_offs: list[float], confidence: float) -> list[Cells]:
    """The exponent of the density of gaps (n,) near zero, with its interval, from each smallest share of them.

    Maximum likelihood (`advlaw.fitting.gaps.tail_exponent`): the density's exponent is that of P(Delta <= d) minus 1,
    0 for j = 2 and j - 2 in general by Cubuk Eq. 9.
    """
    rows = []
    for share in cut_offs:
        values = [value - 1.0 for value in tail_exponent(gaps, share, confidence)]
        row: Cells = {"share": share, "n_gaps": int(share * len(gaps)), "largest_gap": float(np.quantile(gaps, share))}
        rows.append(row | dict(zip(("exponent", "exponent_low", "exponent_high"), values, strict=True)))
    return rows
