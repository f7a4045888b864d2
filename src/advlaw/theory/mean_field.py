"""From clean logits and their response to thresholds and error curves (Cubuk Eq. 5-8). NumPy only.

Logits h and responses Gamma are (N, K) by class. Ranks count from the largest clean logit: rank 1 is the prediction.
"""

import numpy as np


def ranking(logits: np.ndarray) -> np.ndarray:
    """Classes (N, K) of every image from the largest logit to the smallest; of equal logits the first, as argmax."""
    return np.argsort(-logits, axis=1, kind="stable")


def by_rank(values: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """`values` (N, K) by class, reordered by the rank of `logits` (N, K)."""
    return np.take_along_axis(values, ranking(logits), axis=1)


def sorted_gaps(logits: np.ndarray) -> np.ndarray:
    """Delta_1j (N, K - 1) for j = 2..K: the largest logit minus the j-th, in float64."""
    ordered = by_rank(logits, logits).astype(float)
    return ordered[:, :1] - ordered[:, 1:]


def class_thresholds(logits: np.ndarray, gamma: np.ndarray) -> np.ndarray:
    """eps_j (N, K - 1) for ranks j = 2..K: Delta_1j / (Gamma_j - Gamma_1) (Cubuk Eq. 6), inf where j gains nothing."""
    ranked = by_rank(gamma, logits).astype(float)
    closing = ranked[:, 1:] - ranked[:, :1]
    gaps = sorted_gaps(logits)
    return np.divide(gaps, closing, out=np.full(gaps.shape, np.inf), where=closing > 0)


def linear_threshold(logits: np.ndarray, gamma: np.ndarray) -> np.ndarray:
    """eps_linear (N,): the smallest of `class_thresholds`; inf where no gap closes."""
    return class_thresholds(logits, gamma).min(axis=1)


def rank_average(gamma: np.ndarray, logits: np.ndarray, images: np.ndarray) -> np.ndarray:
    """<Gamma_j> (K,): the response of the class of rank j, averaged over the `images` (N,) bool; NaN over none."""
    if not images.any():
        return np.full(gamma.shape[1], np.nan)
    return by_rank(gamma, logits)[images].mean(axis=0, dtype=float)


def closing_speed(gamma: np.ndarray, logits: np.ndarray, images: np.ndarray) -> float:
    """<Gamma_2> - <Gamma_1> over `images`: how fast the gap to the runner-up closes on average, per unit of eps."""
    average = rank_average(gamma, logits, images)
    return float(average[1] - average[0])


def mean_field_threshold(logits: np.ndarray, speed: float) -> np.ndarray:
    """eps_MF (N,): Delta_12 over the mean closing speed (Cubuk Eq. 7); inf if gaps do not close on average."""
    gap = sorted_gaps(logits)[:, 0]
    return gap / speed if speed > 0 else np.full(len(gap), np.inf)


def error_curve(thresholds: np.ndarray, eps: np.ndarray, n_images: int) -> np.ndarray:
    """The share (E,) of `n_images` with a threshold of at most eps (E,)."""
    return np.searchsorted(np.sort(thresholds), eps, side="right") / n_images


def agreement_range(measured: np.ndarray, predicted: np.ndarray, usable: np.ndarray, tolerance: float) -> slice:
    """The longest run of grid points where |predicted / measured - 1| <= tolerance, among the `usable` (E,) bool.

    Empty (slice(0, 0)) where there is none.
    """
    ratio = np.divide(predicted, measured, out=np.full(len(measured), np.inf), where=usable & (measured > 0))
    best, start = slice(0, 0), None
    for i, is_close in enumerate([*(np.abs(ratio - 1.0) <= tolerance), False]):
        if is_close and start is None:
            start = i
        elif not is_close and start is not None:
            if i - start > best.stop - best.start:
                best = slice(start, i)
            start = None
    return best
