"""Gaps between 5 million times ten i.i.d. logits, against sorting them with NumPy. Both draw the same law."""

from collections.abc import Iterator

import numpy as np
from rounds import Line, Setting, compare

from advlaw.theory.iid import sample_gaps

SAMPLES, CLASSES, RANKS, CHUNK = 5_000_000, 10, 5, 1_000_000


def lines(setting: Setting) -> Iterator[Line]:
    def ours() -> np.ndarray:
        """Mean gaps, as a reduction of all that was drawn."""
        parts = sample_gaps("uniform", SAMPLES, CLASSES, 0, setting.device)
        return sum(gaps.sum(dim=0).cpu().numpy() for gaps in parts) / SAMPLES

    def with_numpy() -> np.ndarray:
        rng, total = np.random.default_rng(0), np.zeros(RANKS - 1)
        for _ in range(SAMPLES // CHUNK):
            largest = np.sort(rng.random((CHUNK, CLASSES)), axis=1)[:, ::-1]
            total += (largest[:, :1] - largest[:, 1:RANKS]).sum(axis=0)
        return total / SAMPLES

    exact = np.arange(1, RANKS) / (CLASSES + 1)
    for found in (ours(), with_numpy()):
        np.testing.assert_allclose(found, exact, rtol=2e-3)
    work = f"{SAMPLES:,} x {CLASSES} logits"
    yield from compare(
        "gaps of i.i.d. logits", "–", work, ours, {"NumPy sort": with_numpy}, setting, counts_flops=False
    )
