"""Ten overlapping Gaussian classes as images, whose Bayes error is known.

Class k is `mean + s * noise * u_k + noise * z` with orthonormal smooth patterns u_k and standard normal z, rounded
to whole pixels. With equal priors the best classifier picks the largest projection on the u_k, so its accuracy is
the integral of phi(z - s) Phi(z)^(K-1); s is solved for from the wanted error.
"""

import numpy as np
from scipy.fft import idctn
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.stats import norm

from advlaw.core.dataset import Dataset
from advlaw.core.rng import generator
from advlaw.data.splits import consecutive_splits

MEAN = 127.5


def bayes_error(separation: float, classes: int) -> float:
    """Error of the best classifier when class means lie `separation` standard deviations along the u_k."""

    def density(z: float) -> float:
        return norm.pdf(z - separation) * norm.cdf(z) ** (classes - 1)

    return 1.0 - quad(density, separation - 9.0, separation + 9.0, epsabs=1e-12)[0]


def separation_for(error: float, classes: int) -> float:
    """The separation (in standard deviations of the noise) whose Bayes error is `error`."""
    return float(brentq(lambda s: bayes_error(s, classes) - error, 1e-3, 20.0, xtol=1e-10))


def patterns(classes: int, side: int) -> np.ndarray:
    """Orthonormal class patterns (K, side * side): the smoothest cosines of the 2-D DCT but the constant one."""
    rows, columns = np.divmod(np.arange(1, side * side), side)
    smoothest = np.lexsort((rows, rows + columns))[:classes]
    spectrum = np.zeros((classes, side, side))
    spectrum[np.arange(classes), rows[smoothest], columns[smoothest]] = 1.0
    return idctn(spectrum, axes=(1, 2), norm="ortho").reshape(classes, side * side)


def clusters(counts: dict[str, int], classes: int, side: int, noise: float, error: float, seed: int) -> Dataset:
    """Images (N, 1, side, side) with independent, uniformly drawn labels; splits follow one another."""
    total = sum(counts.values())
    rng = generator(seed, "clusters", "images")
    labels = rng.integers(classes, size=total)
    means = separation_for(error, classes) * patterns(classes, side)
    pixels = MEAN + noise * (means[labels] + rng.standard_normal((total, side * side)))
    images = np.clip(np.floor(pixels + 0.5), 0, 255).astype(np.uint8).reshape(total, 1, side, side)
    return Dataset(images, labels.astype(np.int64), consecutive_splits(counts))
