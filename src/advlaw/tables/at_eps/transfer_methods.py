"""How well attacks transfer on the whole: a set's rates between different nets together (Kurakin Sec. 4.4).

The rates of all pairs of nets are of the same images, so their interval is a bootstrap over images.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from advlaw.core.io import Arrays, Cells, read_npz
from advlaw.tables.at_eps.ranks import NOT_FINITE, name_of

COLUMNS = ("attack", "other", "eps", "n_images", "n_fooled", "rate", "rate_low", "rate_high")
DRAWS = 2000
SMALLER = "smaller eps"  # what a rate is compared with, where it is not another attack


def transfer_methods(
    folder: Path,
    nets: Sequence[str],
    attacks: Sequence[str],
    eps: Sequence[float],
    confidence: float,
    rng: np.random.Generator,
) -> list[Cells]:
    """A row for every attack and eps: its rate, and what it exceeds that of another attack or a smaller eps by.

    folder: outcomes/transfer, with a file of each net. The rate: of images that are right on a source when clean
    and wrong under attack, over all ordered pairs of different nets, the share that is wrong on the target.
    """
    if len(nets) < 2:
        return []
    sources = {net: read_npz(folder / f"{net}.npz") for net in nets}
    counts = {attack: _counts(sources, attack) for attack in attacks}
    n_images = next(iter(counts.values()))[0].shape[1]
    weights = rng.multinomial(n_images, np.full(n_images, 1 / n_images), size=DRAWS)
    drawn = {}
    for attack, (fooled, moved) in counts.items():
        for index, size in enumerate(eps):
            both = np.stack([moved[index], fooled[index]])
            drawn[attack, size] = (both.sum(axis=1), weights @ both.T)
    rows = []
    for attack in attacks:
        name = name_of(attack)
        for size in eps:
            one = drawn[attack, size]
            rows.append(_row(name, "", size, n_images, one, None, confidence))
            for other in attacks:
                if other != attack:
                    against = name_of(other)
                    rows.append(_row(name, against, size, n_images, one, drawn[other, size], confidence))
        for before, after in pairwise(eps):
            rows.append(_row(name, SMALLER, after, n_images, drawn[attack, after], drawn[attack, before], confidence))
    return rows


def _counts(sources: Mapping[str, Arrays], attack: str) -> tuple[np.ndarray, np.ndarray]:
    """Of every image (E, n): on how many pairs of nets it fools the source, and on how many the target too."""
    shape = sources[next(iter(sources))][f"{attack}/{next(iter(sources))}/rank"].shape
    fooled_on, moved_on = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for source, arrays in sources.items():
        clean, own = arrays[f"clean/{source}/rank"], arrays[f"{attack}/{source}/rank"]
        for target in sources:
            theirs = arrays[f"{attack}/{target}/rank"]
            judged = (np.vstack([clean, own, theirs]) != NOT_FINITE).all(axis=0)
            if target != source:
                fooled = (clean == 0) & (own > 0) & judged
                fooled_on += fooled
                moved_on += fooled & (theirs > 0)
    return fooled_on, moved_on


def _row(
    attack: str,
    other: str,
    eps: float,
    n_images: int,
    one: tuple[np.ndarray, np.ndarray],
    against: tuple[np.ndarray, np.ndarray] | None,
    confidence: float,
) -> Cells:
    (moved, fooled), drawn = one
    rate, rates = _share(moved, fooled), _share(drawn[:, 0], drawn[:, 1])
    if against is not None:
        (theirs, of), their_draws = against
        rate, rates = rate - _share(theirs, of), rates - _share(their_draws[:, 0], their_draws[:, 1])
    is_known = np.isfinite(rates).any()
    ends = [0.5 - confidence / 2, 0.5 + confidence / 2]
    low, high = np.nanquantile(rates, ends) if is_known else (np.nan, np.nan)
    about = {"attack": attack, "other": other, "eps": eps, "n_images": n_images, "n_fooled": int(fooled)}
    return {**about, "rate": float(rate), "rate_low": float(low), "rate_high": float(high)}


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """NaN of nothing."""
    return np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=np.asarray(whole) > 0)
