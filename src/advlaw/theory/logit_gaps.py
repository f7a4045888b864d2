"""The distribution of the gaps Delta_1j between the largest logit and the j-th (Cubuk Sec. 3.2, Fig. 4, 6, 13)."""

import math

import numpy as np

from advlaw.core.io import Cells
from advlaw.fitting.changes import GROSS_SHARES
from advlaw.fitting.gaps import tail_exponent
from advlaw.fitting.sizes import SMALLEST_SIZE, Exact
from advlaw.fitting.small_eps import FEW, REJECTED, UNFIT, fit

EXPONENT = ("exponent", "exponent_low", "exponent_high")
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


def law(gaps: np.ndarray, confidence: float) -> Cells:
    """The exponent of the density of gaps (n,) at zero, by `advlaw.fitting.small_eps`, B - 1 of P(Delta <= d) = A d^B.

    From the largest of the shares of gaps whose fit is not rejected; `remark` says why there is none.
    """
    ordered = np.sort(gaps)
    row: Cells = {**dict.fromkeys(("share", "n_gaps", "largest_gap", *EXPONENT, "p_fit")), "remark": FEW}
    for share in GROSS_SHARES:
        k = int(share * len(ordered))
        u = ordered[:k] / ordered[k] if 0 < k < len(ordered) else np.zeros(0)
        found = fit(Exact(u[u > SMALLEST_SIZE]), confidence)
        if found is None:
            break
        ends = (value - 1.0 if math.isfinite(value) else None for value in (found.b, found.low, found.high))
        numbers = {"share": share, "n_gaps": k, "largest_gap": float(ordered[k]), "p_fit": found.p_fit}
        rejected = found.p_fit < REJECTED
        if row["share"] is None or not rejected:
            row |= {**numbers, **dict(zip(EXPONENT, ends, strict=True)), "remark": UNFIT if rejected else ""}
        if not rejected:
            break
    return row


def exponents(gaps: np.ndarray, cut_offs: list[float], confidence: float) -> list[Cells]:
    """The exponent of the density of gaps (n,) near zero, with its interval, from each smallest share of them.

    Maximum likelihood (`advlaw.fitting.gaps.tail_exponent`): the density's exponent is that of P(Delta <= d) minus 1,
    0 for j = 2 and j - 2 in general by Cubuk Eq. 9.
    """
    rows = []
    for share in cut_offs:
        values = [value - 1.0 for value in tail_exponent(gaps, share, confidence)]
        largest = float(np.quantile(gaps, share)) if len(gaps) else None
        row: Cells = {"share": share, "n_gaps": int(share * len(gaps)), "largest_gap": largest}
        rows.append(row | dict(zip(("exponent", "exponent_low", "exponent_high"), values, strict=True)))
    return rows
