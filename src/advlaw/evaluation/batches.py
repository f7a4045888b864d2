"""Work over all images in batches; a batch that does not fit the device's memory is halved."""

from collections.abc import Callable, Iterator
from typing import TypeVar

import torch

from advlaw.core.progress import progress

T = TypeVar("T")


def in_batches(n_images: int, size: int, work: Callable[[slice], T], description: str) -> list[T]:
    """`work(slice)` over consecutive batches of at most `size` images, in order."""
    results: list[T] = []

    def run() -> Iterator[None]:
        start, batch = 0, size
        while start < n_images:
            try:
                results.append(work(slice(start, min(start + batch, n_images))))
            except torch.OutOfMemoryError:
                if batch == 1:
                    raise
                batch = (batch + 1) // 2
                torch.cuda.empty_cache()
                continue
            start += batch
            yield

    for _ in progress(run(), description, total=-(-n_images // size)):
        pass
    return results
