"""How many correctly classified images are close to a decision: the distribution of Delta_12 near zero.

Delta_12 is the largest logit minus the second (Cubuk Sec. 3.2). An attack that closes gaps at a finite rate flips at
small eps those whose gap is small, so its exponent is that of P(Delta_12 <= d): 1 where the density at zero is
finite and positive, larger where it vanishes.
"""

import numpy as np
from scipy.stats import chi2

from advlaw.core.io import Cells

SHARES = np.geomspace(1e-4, 1.0, 41)
CUT_OFFS = (0.01, 0.1)
TIE = 1e-6  # of the median gap: what is smaller is a tie that rounding breaks


def tail_exponent(gaps: np.ndarray, share: float, confidence: float) -> tuple[float, float, float]:
    """B of P(Delta <= d) ~ d^B from the smallest `share` of the gaps (n,), with its interval; NaN where there is none.

    Hill's estimator for the lower end: B = k / sum ln(d0 / d_i) over the k gaps below the next one, d0. For a power
    law k / B times the true exponent is gamma distributed, hence an exact interval from chi2(2k). Of a law
    that bends it is the mean slope. Gaps below TIE times the median count as that.
    """
    ordered = np.maximum(np.sort(gaps), TIE * np.median(gaps)) if len(gaps) else gaps
    k = int(share * len(ordered))
    if k < 10 or ordered[0] <= 0 or ordered[0] == ordered[k]:
        return np.nan, np.nan, np.nan
    total = float(np.log(ordered[k] / ordered[:k]).sum())
    tail = 0.5 * (1.0 - confidence)
    low, high = chi2.ppf([tail, 1.0 - tail], 2 * k) / (2.0 * total)
    return k / total, float(low), float(high)


def density_near_zero(gaps: np.ndarray, share: float = 0.1) -> float:
    """The share of gaps below `share` times their median, over `share`: the density near zero in units of 1 / median.

    1 / 2 for a uniform law, about ln 2 for an exponential one.
    """
    return float((gaps <= share * np.median(gaps)).mean() / share)


def gap_row(gaps: np.ndarray, confidence: float) -> Cells:
    """What the table of nets and snapshots says of gaps (n,): median, density near zero, exponents with intervals."""
    row: Cells = {"n_right": len(gaps), "gap_median": None, "gap_density": None}
    if len(gaps):
        row |= {"gap_median": float(np.median(gaps)), "gap_density": density_near_zero(gaps)}
    for share in CUT_OFFS:
        values = tail_exponent(gaps, share, confidence)
        row |= {f"gap_exponent_{share:g}{end}": value for end, value in zip(("", "_low", "_high"), values, strict=True)}
    return row


def gap_distribution(gaps: np.ndarray) -> list[Cells]:
    """P(Delta_12 <= gap) = share on a log-spaced grid of shares, from ten images on."""
    ordered = np.sort(gaps)
    counts = np.ceil(SHARES * len(ordered)).astype(int)
    return [
        {"share": count / len(ordered), "gap": float(ordered[count - 1])} for count in np.unique(counts) if count >= 10
    ]
