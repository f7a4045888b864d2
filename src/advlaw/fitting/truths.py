"""Curves of known exponent, to try estimators on: error = 0.1 u^B g(u) / g(1), u = eps over that of 10 % error.

`LIKE_NETS` have the bends of measured curves, `OTHERS` bends of which the estimator's smooth factor is no close kin.
"""

from collections.abc import Callable, Mapping

import numpy as np

from advlaw.fitting.changes import Changes

Factor = Callable[[np.ndarray], np.ndarray]  # g of u

LIKE_NETS: Mapping[str, Factor] = {
    "pure": lambda u: np.ones_like(u),
    "linear": lambda u: 1 + 0.2 * u**2,
    "fc": lambda u: 1 + 1.6 * u + 0.3 * u**2,
    "cnn": lambda u: 1 + 2.1 * u**2,
    "cifar": lambda u: 1 / (1 + 0.6 * u),
}
OTHERS: Mapping[str, Factor] = {
    "two speeds": lambda u: 1 - 0.8 * np.expm1(-5 * u) / u,  # a twentieth of the images are fragile, and soon used up
    "kink": lambda u: 1 + 2 * np.maximum(0, u - 0.5) ** 2 / u,  # of the density of margins, half way to 10 %
    "waves": lambda u: 1 + 0.1 * np.sin(np.log(u)),  # without end towards 0: no law is exact there
}
FACTORS = {**LIKE_NETS, **OTHERS}
E10 = 5.0  # eps of 10 % error
SIZES = np.geomspace(1e-8, 3.0, 4000)


def thresholds(factor: Factor, exponent: float, n_images: int, rng: np.random.Generator) -> np.ndarray:
    """The eps (n,), rising, at which those of so many images flip that do so early."""
    share = 0.1 * SIZES**exponent * factor(SIZES) / factor(np.ones(1))
    drawn = rng.uniform(size=n_images)
    early = np.sort(drawn[drawn < share[-1]])
    return E10 * np.interp(early, np.append(0.0, share), np.append(0.0, SIZES))


def changes(flips: np.ndarray, n_images: int) -> Changes:
    """As changes of a net that is right on all images."""
    return Changes(n_images, n_images, float(flips[-1]), flips, np.zeros(0))


def on_grid(flips: np.ndarray, n_images: int, grid: np.ndarray) -> Changes:
    """The same, known between the points of a grid only."""
    counts = np.diff(np.searchsorted(flips, grid, side="right"), prepend=0).astype(float)
    return Changes(n_images, n_images, float(grid[-1]), counts, np.zeros(len(grid)), grid)


def label_blind(n_images: int, rng: np.random.Generator) -> Changes:
    """Changes whose net error goes as eps^2: near ties a net is right by chance.

    Margins m, negative where the net is wrong, have a density that rises as e^m up to m = 2 and is even above; each
    falls at a speed of its own.
    """
    steep, even = np.exp(2.0) - np.exp(-3.0), 6.0 * np.exp(2.0)  # the masses of -3 to 2 and of 2 to 8
    drawn = rng.uniform(0.0, steep + even, n_images)
    margin = np.where(drawn < steep, np.log(np.minimum(drawn, steep) + np.exp(-3.0)), 2.0 + (drawn - steep) / np.exp(2))
    eps = np.abs(margin) * rng.lognormal(0.0, 0.5, n_images)
    wrong, right = (np.sort(eps[chosen & (eps < 4.0)]) for chosen in (margin > 0, margin < 0))
    return Changes(n_images, int((margin > 0).sum()), 4.0, wrong, right)
