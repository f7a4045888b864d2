"""error = A * eps^B over a visible range: the papers' straight line and the mean slope, of gross and of net errors.

**Gross** errors are images right when clean that have become wrong; **net** errors are clean accuracy minus
adversarial accuracy, in which images that become right count back (Cubuk's adversarial error). They are different
laws: a label-blind attack repairs nearly as many images as it breaks near a tie.

Every function works on R samples at once (the sample, or its bootstrap), so that the bootstrap repeats all of it,
the choice of the range included.
"""

from dataclasses import dataclass

import numpy as np

from advlaw.fitting.moments import Moments

MIN_POINTS = 3  # through two points there is always a line


@dataclass(frozen=True)
class Range:
    """Grid indices (R,) of the first and the last point fitted; empty where the last comes before the first."""

    first: np.ndarray
    last: np.ndarray

    @property
    def has_points(self) -> np.ndarray:
        return self.last >= self.first


@dataclass(frozen=True)
class PowerLaw:
    """error = A * eps^B of R samples; NaN where there is no fit. `r_squared` is of the log-log line."""

    a: np.ndarray
    b: np.ndarray
    r_squared: np.ndarray


def choose_range(moments: Moments, min_errors: int, max_error: float, eps_last: float | None = None) -> Range:
    """From the smallest eps with `min_errors` net errors up to where net error exceeds max_error * clean accuracy.

    Or, with `eps_last`, up to the last point of the grid that does not exceed it, whatever the error there.
    """
    enough = moments.net >= min_errors
    too_many = moments.net > max_error * moments.n_right[:, None]
    if eps_last is not None:
        too_many = np.broadcast_to(moments.eps > eps_last * (1 + 1e-9), moments.net.shape)
    n_points = moments.net.shape[1]
    first = np.where(enough.any(axis=1), enough.argmax(axis=1), n_points)
    last = np.where(too_many.any(axis=1), too_many.argmax(axis=1), n_points) - 1
    return Range(first, last)


def least_squares(moments: Moments, kind: str, chosen: Range) -> PowerLaw:
    """A straight line through ln(error) against ln(eps) in the range: the papers' way.

    Points with zero or negative error have no logarithm; `n_nonpositive` says how many the range holds.
    """
    counts: np.ndarray = getattr(moments, kind)
    used = _in_range(moments, chosen) & (counts > 0)
    x = np.broadcast_to(np.log(moments.eps), counts.shape)
    y = np.log(np.where(used, counts, 1.0) / moments.n_images)
    n_used = used.sum(axis=1)
    fits = n_used >= MIN_POINTS
    n = np.maximum(n_used, 1)
    mean_x, mean_y = (used * x).sum(axis=1) / n, (used * y).sum(axis=1) / n
    dx, dy = used * (x - mean_x[:, None]), used * (y - mean_y[:, None])
    sxx, sxy, syy = (dx**2).sum(axis=1), (dx * dy).sum(axis=1), (dy**2).sum(axis=1)
    slope = _divide(sxy, sxx, fits)
    return PowerLaw(np.exp(mean_y - slope * mean_x), slope, _divide(sxy**2, sxx * syy, fits))


def mean_slope(moments: Moments, kind: str, chosen: Range) -> PowerLaw:
    """The mean slope up to e0, the last point of the range: the exponent of a power law with the same counts.

    It maximises the likelihood of the counts between grid points; on a geometric grid of ratio r it is
    ln(1 + (N_last - N_first) / sum of N over the points before the last) / ln(r). Of a curve that bends it is no law's.
    """
    last = np.clip(chosen.last, 0, len(moments.eps) - 1)
    rows = np.arange(len(last))
    counts: np.ndarray = getattr(moments, kind)
    n = counts[rows, last]
    before = np.where(np.arange(counts.shape[1]) < last[:, None], counts, 0.0).sum(axis=1)
    growth = _divide(n - counts[:, 0], before, chosen.has_points)
    exponent = np.log1p(np.where(growth > -1, growth, np.nan)) / np.log(moments.eps[1] / moments.eps[0])
    exponent = np.where(exponent > 0, exponent, np.nan)
    nothing = np.full_like(exponent, np.nan)
    with np.errstate(over="ignore"):  # of a cliff, whose amplitude is zero
        return PowerLaw(n / moments.n_images / moments.eps[last] ** exponent, exponent, nothing)


ESTIMATORS = {"mean_slope": mean_slope, "least_squares": least_squares}


def n_nonpositive(moments: Moments, kind: str, chosen: Range) -> np.ndarray:
    """How many points (R,) of the range have zero or negative error."""
    return (_in_range(moments, chosen) & (getattr(moments, kind) <= 0)).sum(axis=1)


def local_slope(counts: np.ndarray, eps: np.ndarray, half_width: int) -> np.ndarray:
    """d ln(error) / d ln(eps) of curves (R, E), over `half_width` grid points to either side; NaN elsewhere."""
    logs = np.log(np.where(counts > 0, counts, np.nan))
    slope = np.full(counts.shape, np.nan)
    width = 2 * half_width
    slope[:, half_width:-half_width] = (logs[:, width:] - logs[:, :-width]) / np.log(eps[width:] / eps[:-width])
    return slope


def _in_range(moments: Moments, chosen: Range) -> np.ndarray:
    index = np.arange(len(moments.eps))
    return (index >= chosen.first[:, None]) & (index <= chosen.last[:, None])


def _divide(a: np.ndarray, b: np.ndarray, where: np.ndarray) -> np.ndarray:
    """a / b, NaN where it is not defined or not wanted."""
    return np.divide(a, b, out=np.full(np.shape(a), np.nan), where=where & (b != 0))
