"""transfer.csv of a set at a few eps: adversarial images of one net that fool another (Kurakin Sec. 4.4, App. C)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from advlaw.core.io import Arrays, Cells, read_npz
from advlaw.tables.at_eps.ranks import ENDS, NOT_FINITE, TOP, name_of, share


def _columns(prefix: str) -> tuple[str, ...]:
    counts = (f"{prefix}{name}" for name in ("n_clean", "fooled", "transferred"))
    return (*counts, *(f"{prefix}{name}{end}" for name in ("rate", "error") for end in ENDS))


PREFIXES = {"": TOP["top1"], "top5_": TOP["top5"]}
COLUMNS = ("source", "target", "attack", "eps", "n_images", *(name for prefix in PREFIXES for name in _columns(prefix)))


def transfer_rows(
    folder: Path, nets: Sequence[str], attacks: Sequence[str], sizes: Sequence[float], confidence: float
) -> list[Cells]:
    """A row for every attack (key), net that the images are made of, net that they are shown to, and eps."""
    kept = {net: read_npz(folder / f"{net}.npz") for net in nets}
    return [
        {"source": source, "target": target, "attack": name_of(attack), **row}
        for attack in attacks
        for source, arrays in kept.items()
        for target in kept
        for row in _rows(arrays, source, target, attack, sizes, confidence)
    ]


def _rows(
    kept: Arrays, source: str, target: str, attack: str, sizes: Sequence[float], confidence: float
) -> list[Cells]:
    """At each of the sizes, on the images that are finite for both nets at all of them."""
    clean, own, theirs = kept[f"clean/{source}/rank"], kept[f"{attack}/{source}/rank"], kept[f"{attack}/{target}/rank"]
    judged = (np.vstack([clean, own, theirs]) != NOT_FINITE).all(axis=0)
    rows = []
    for i, eps in enumerate(sizes):
        row: Cells = {"eps": eps, "n_images": int(judged.sum())}
        for prefix, k in PREFIXES.items():
            was_right, is_right, on_target = (ranks[judged] < k for ranks in (clean, own[i], theirs[i]))
            row |= _transferred(prefix, was_right, is_right, on_target, confidence)
            if source == target and row[f"{prefix}fooled"]:
                row |= {f"{prefix}rate{end}": 1.0 for end in ENDS}  # by definition
        rows.append(row)
    return rows


def _transferred(
    prefix: str, was_right: np.ndarray, is_right: np.ndarray, on_target: np.ndarray, confidence: float
) -> Cells:
    """Fooled: right on the source when clean, wrong under attack. Transferred: those that are wrong on the target too.

    The rate is of those; the error is the target's over all images, fooled or not, as in Kurakin App. C.
    """
    fooled = was_right & ~is_right
    transferred, n_fooled = int((fooled & ~on_target).sum()), int(fooled.sum())
    return {
        f"{prefix}n_clean": int(was_right.sum()),
        f"{prefix}fooled": n_fooled,
        f"{prefix}transferred": transferred,
        **share(f"{prefix}rate", transferred, n_fooled, confidence),
        **share(f"{prefix}error", int((~on_target).sum()), len(on_target), confidence),
    }
