"""accuracy.csv of a set at a few eps: top-1 and top-5 accuracies, and what is left of the clean ones."""

import numpy as np

from advlaw.core.io import Cells
from advlaw.fitting.proportions import paired_ratio
from advlaw.tables.at_eps.ranks import CLEAN, ENDS, TOP, Point, Ranks, interval, judged_in_all, right_on, share

COLUMNS = (
    "net",
    "attack",
    "eps",
    "n_images",
    *(f"{name}{end}" for name in (*TOP, "ratio") for end in ENDS),
    "top5_ratio",
    "n_not_finite",
)


def accuracy_rows(net: str, ranks: Ranks, confidence: float) -> list[Cells]:
    """A row for the clean images, and for every attack and eps; intervals are Wilson's."""
    return [{"net": net, **_row(point, ranks.clean, confidence)} for point in ranks.points.values()]


def _row(point: Point, clean: Point, confidence: float) -> Cells:
    n = point.n_images
    row: Cells = {**dict.fromkeys(COLUMNS[3:]), "attack": point.attack, "eps": point.eps}
    row |= {"n_images": n, "n_not_finite": len(point.judged) - n}
    for name, k in TOP.items():
        row |= share(name, point.n_right(k), n, confidence)
    if point.attack != CLEAN:
        judged = judged_in_all(point, clean)
        row |= interval("ratio", _ratio(judged, point, clean, 1, confidence))
        row["top5_ratio"] = _ratio(judged, point, clean, TOP["top5"], confidence)[0]
    return row


def _ratio(judged: np.ndarray, point: Point, clean: Point, k: int, confidence: float) -> tuple[float, float, float]:
    attacked, when_clean = right_on(judged, point, clean, k=k)
    return paired_ratio(attacked, when_clean, confidence)
