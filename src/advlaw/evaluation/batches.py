"""Work over all images in batches; a batch that does not fit the device's memory is halved."""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from advlaw.core.images import Images, batches, most_at_once
from advlaw.core.io import Arrays
from advlaw.core.progress import progress

T = TypeVar("T")


def in_batches(images: Images | Tensor, size: int, work: Callable[[slice, Tensor], T], description: str) -> Iterator[T]:
    """`work(slice, the images there)` over consecutive batches (B, C, H, W) of at most `size` images, in order.

    Images larger than CIFAR-10's come in batches of as many as a net takes at once.
    """
    n_images, size = len(images), most_at_once(size, images.shape, images.device)

    def run() -> Iterator[T]:
        start, batch = 0, size
        while start < n_images:
            slices = [slice(first, min(first + batch, n_images)) for first in range(start, n_images, batch)]
            try:
                with closing(batches(images, slices)) as parts:
                    for part, here in zip(slices, parts, strict=True):
                        found = work(part, here)
                        start = part.stop
                        yield found
            except torch.OutOfMemoryError:
                if batch == 1:
                    raise
                batch = (batch + 1) // 2
                torch.cuda.empty_cache()

    return progress(run(), description, total=-(-n_images // size))


def joined(parts: Iterable[Arrays], n_images: int, first: Collection[str] = ()) -> Arrays:
    """The arrays of all batches; images are along the last axis, in those named along the `first`.

    Each batch is written where it belongs and let go. Kept until the end, its small arrays would lie between the large
    tensors that come and go, of which glibc then reuses little: 10 MB of outcomes took 300 MB.
    """
    whole: Arrays = {}
    start = stop = 0
    for part in parts:
        for name, values in part.items():
            axis = 0 if name in first else -1
            if start == 0:
                shape = list(values.shape)
                shape[axis] = n_images
                whole[name] = np.empty(shape, values.dtype)
            stop = start + values.shape[axis]
            np.moveaxis(whole[name], axis, 0)[start:stop] = np.moveaxis(values, axis, 0)
        start = stop
    return whole
