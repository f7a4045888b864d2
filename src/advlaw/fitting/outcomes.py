"""What one attack did to every image, in the form the estimators need; what is no number is left out."""

from dataclasses import dataclass

import numpy as np

AT_EACH_EPS = ("prediction", "top5")  # arrays (E, N) of a sweep; the others begin with N


@dataclass(frozen=True)
class Outcomes:
    """N images on a geometric grid of E values of eps.

    was_right (N,): right when clean. net (E, N): was right minus is right, so that an image which becomes right
    counts -1. broken (E, N): has been wrong at this eps or a smaller one, for images right when clean (gross).
    events, signs (N,): the eps at which an image first changes and +1 (becomes wrong) or -1 (becomes right);
    inf where it never does; None for iterative attacks, whose thresholds are known to a grid interval only.
    top5 (E,): share of images whose label is among the five largest logits. gaps (n,): Delta_12, the largest logit
    minus the second, of the n images right when clean.
    """

    eps: np.ndarray
    was_right: np.ndarray
    net: np.ndarray
    broken: np.ndarray
    events: np.ndarray | None
    signs: np.ndarray
    top5: np.ndarray
    gaps: np.ndarray

    @property
    def n_images(self) -> int:
        return len(self.was_right)


def outcomes(arrays: dict[str, np.ndarray]) -> Outcomes:
    """The outcomes in the arrays of a sweep's file; raises ValueError if its grid is not geometric.

    Of images that are `not_finite` nothing is known: they are counted by who reads the file, and none is among these.
    """
    gaps = _clean_gaps(arrays)
    arrays = {
        name: values if name == "eps" else _judged(name, values, ~arrays["not_finite"])
        for name, values in arrays.items()
    }
    eps = arrays["eps"]
    steps = np.diff(np.log(eps))
    if len(eps) < 2 or not np.allclose(steps, steps[0], rtol=1e-6):
        raise ValueError("the grid of eps must be log-spaced: the estimators rely on it")
    was_right = arrays["clean_prediction"] == arrays["label"]
    is_right = arrays["prediction"] == arrays["label"]
    net = was_right.astype(np.int8) - is_right.astype(np.int8)
    if "threshold" in arrays:
        first_wrong = arrays["threshold"]
        events = np.where(was_right, first_wrong, arrays["recovery"])
    else:
        first_wrong = arrays["bracket"][:, 1]
        events = None
    with np.errstate(invalid="ignore"):
        broken = was_right & (first_wrong <= eps[:, None])
    top5 = arrays["top5"].mean(axis=1)
    return Outcomes(eps, was_right, net, broken, events, np.where(was_right, 1.0, -1.0), top5, gaps)


def _clean_gaps(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """Delta_12 (n,) of the images right when clean, which no attack changes."""
    margins = arrays["clean_margin"][arrays["clean_prediction"] == arrays["label"]].astype(float)
    return margins[np.isfinite(margins)]


def _judged(name: str, values: np.ndarray, judged: np.ndarray) -> np.ndarray:
    """Those of the images (N,) that are to be judged."""
    return values[:, judged] if name in AT_EACH_EPS else values[judged]
