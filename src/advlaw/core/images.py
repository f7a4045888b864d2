"""Images as they are kept, one byte a value, and made float32 on the device a batch at a time.

They lie in memory, on a GPU where there is room, or are read or decoded from a disk, ahead of the work if that is slow.
"""

import math
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

ON_A_GPU = 0.25  # of the memory that is free there: what all pixels may take
BLOCK = 1024  # images that are brought there at once
SMALL = 3 * 32 * 32  # values of an image
TIMES_ON_A_GPU = 20  # a batch of small images there is so many times one on a CPU
AT_ONCE = 1000  # images whose statistics are taken together
VALUES_AT_ONCE = 16 * 3 * 224 * 224  # on a CPU, where more are no faster; what their layers keep must fit in memory
SHARE = 0.5  # of a GPU's memory that they may take there
KEPT = 500  # values of all layers for each value of an image: 139 (MobileNetV2) to 980 (NASNet-A) for a gradient
Index = slice | Tensor | np.ndarray | Sequence[int]
T = TypeVar("T")
K = TypeVar("K")


class Source(Protocol):
    """Pixels (N, C, H, W) uint8, given some at a time: by a slice, or by indices (B,) int64. A NumPy array is one."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: slice | np.ndarray, /) -> np.ndarray: ...


@dataclass(frozen=True)
class Chosen:
    """Of a source the images `rows` (n,), in their order: a source again."""

    source: Source
    rows: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self.rows), *self.source.shape[1:]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: slice | np.ndarray) -> np.ndarray:
        return self.source[self.rows[index]]

    def cropped(self, index: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        return self.source.cropped(self.rows[index], numbers)  # type: ignore[attr-defined]


class Images:
    """Of a source, or of a tensor (N, C, H, W) uint8: `images[index]` is (B, C, H, W) float32 in pixel units.

    And `len(images)`, their `shape` (C, H, W) and the `device`. An index is a slice, numbers (B,) from 0, or a mask
    (N,). Where a source stays on a disk, `batches` has `readers` threads read ahead, each of them a batch; with none a
    batch is read when it is wanted. `stays`: it stays there though a GPU has room for it.
    """

    def __init__(self, source: Source | Tensor, device: torch.device, readers: int = 0, stays: bool = False) -> None:
        self.device, self.shape = device, tuple(source.shape[1:])
        self._pixels = source if isinstance(source, Tensor) or stays else _held(source, device, readers)
        self.readers = 0 if isinstance(self._pixels, Tensor) else readers

    def __len__(self) -> int:
        return len(self._pixels)

    def __getitem__(self, index: Index) -> Tensor:
        return self.as_float(self.read(index))

    @property
    def is_on_gpu(self) -> bool:
        return isinstance(self._pixels, Tensor) and self._pixels.is_cuda

    @cached_property
    def mean_and_std(self) -> tuple[Tensor, Tensor]:
        """Of each channel (C,), float64."""
        return mean_and_std(self)

    def read(self, index: Index) -> Tensor:
        """Pixels (B, C, H, W) uint8, where they are kept."""
        if isinstance(self._pixels, Tensor):
            if isinstance(index, slice):
                return self._pixels[index]
            return self._pixels.index_select(0, _numbers(index).to(self._pixels.device))  # a quarter of indexing's time
        return _as_tensor(self._pixels[index if isinstance(index, slice) else _numbers(index).numpy(force=True)])

    def read_cropped(self, index: np.ndarray, numbers: Tensor) -> Tensor:
        """Pixels (B, C, H, W) uint8 of files, cropped by `numbers` (B, 5): see `core.pictures.resized_crop`."""
        assert isinstance(self._pixels, Chosen), "only files are cropped when they are read"
        return _as_tensor(self._pixels.cropped(index, numbers.numpy()))

    def as_float(self, pixels: Tensor) -> Tensor:
        return pixels.to(self.device).float()

    def part(self, which: slice) -> "Images":
        """Some of the images, kept as these are."""
        if isinstance(self._pixels, Tensor):
            return Images(self._pixels[which], self.device)
        return Images(Chosen(self._pixels, np.arange(len(self))[which]), self.device, self.readers)


@dataclass(frozen=True)
class Examples:
    """`images`, or a tensor (N, C, H, W) float32 in pixel units, and their labels (N,) int64, on the model's device."""

    images: Images | Tensor
    labels: Tensor

    def first(self, count: int | None) -> "Examples":
        """The first `count` examples, or all of them."""
        return self.part(slice(count))

    def part(self, which: slice) -> "Examples":
        images = self.images[which] if isinstance(self.images, Tensor) else self.images.part(which)
        return Examples(images, self.labels[which])


class Pixels(Protocol):
    """Images that are taken a few at a time: a tensor, or `Images`."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, which: slice, /) -> Tensor: ...


def mean_and_std(images: Pixels) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel (C,) of images (N, C, H, W), float64, where these are.

    Sums of whole pixels are exact, so the numbers depend on no order.
    """
    total = squares = torch.zeros(())
    for start in range(0, len(images), AT_ONCE):
        exact = images[start : start + AT_ONCE].double()
        total = total.to(exact.device) + exact.sum(dim=(0, 2, 3))
        squares = squares.to(exact.device) + exact.square().sum(dim=(0, 2, 3))
    count = len(images) * math.prod(images.shape[-2:])
    mean = total / count
    return mean, (squares / count - mean.square()).clamp_min(0.0).sqrt().clamp_min(1e-6)


def is_small(shape: Sequence[int]) -> bool:
    """Whether images (..., C, H, W) are no larger than CIFAR-10's."""
    return math.prod(shape[-3:]) <= SMALL


def at_once(shape: Sequence[int], device: torch.device) -> int:
    """How many images (..., C, H, W) a net of others takes at once: more are computed in parts, for gradients twice.

    Of a GPU the whole memory counts, not what is free: numbers depend on batches in their last digits, and must not on
    what else runs there. Where that is too many, `evaluation.batches` halves them.
    """
    values = math.prod(shape[-3:])
    if device.type == "cuda":
        return max(1, int(SHARE * torch.cuda.get_device_properties(device).total_memory) // (4 * KEPT * values))
    return max(1, VALUES_AT_ONCE // values)


def most_at_once(size: int, shape: Sequence[int], device: torch.device) -> int:
    """A batch of `size` small images, or of as many large ones (..., C, H, W) as a net takes at once."""
    if device.type == "cuda":
        return min(TIMES_ON_A_GPU * size, at_once(shape, device))
    return size if is_small(shape) else min(size, at_once(shape, device))


def batches(images: Images | Tensor, indices: Iterable[Index]) -> Generator[Tensor]:
    """images[index] (B, C, H, W) for each index, in order, read ahead if they are `Images` that have readers."""
    if isinstance(images, Tensor):
        for index in indices:
            yield images[index]
        return
    with closing(read_ahead(images.read, indices, images.readers)) as found:
        for pixels in found:
            yield images.as_float(pixels)


def read_ahead(read: Callable[[K], T], keys: Iterable[K], readers: int) -> Generator[T]:
    """read(key) for each key, in order; the next `readers` of them are read meanwhile, each by a thread.

    What reading raises is raised where its turn is. Closed early, it waits for what is being read and reads no more.
    """
    if readers == 0:
        yield from map(read, keys)
        return
    pool, waiting = ThreadPoolExecutor(readers, "read_ahead"), deque[Future[T]]()
    try:
        for key in keys:
            waiting.append(pool.submit(read, key))
            if len(waiting) > readers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _held(source: Source, device: torch.device, readers: int) -> Tensor | Source:
    """All pixels as a tensor, on a GPU that has room for them, else of an array in memory; or the source itself."""
    if device.type == "cuda" and math.prod(source.shape) <= ON_A_GPU * torch.cuda.mem_get_info(device)[0]:
        held = torch.empty(source.shape, dtype=torch.uint8, device=device)
        blocks = [slice(start, start + BLOCK) for start in range(0, len(source), BLOCK)]
        for block, pixels in zip(blocks, read_ahead(source.__getitem__, blocks, readers), strict=True):
            held[block] = _as_tensor(pixels)
        return held
    return _as_tensor(source) if isinstance(source, np.ndarray) else source


def _as_tensor(pixels: np.ndarray) -> Tensor:
    """The same memory as a tensor, where torch can write to it, else a copy."""
    assert pixels.dtype == np.uint8, f"pixels are uint8, not {pixels.dtype}"
    return torch.from_numpy(np.require(pixels, requirements=["C", "W"]))


def _numbers(index: Tensor | np.ndarray | Sequence[int]) -> Tensor:
    """Indices (B,) int64, of those or of a mask (N,)."""
    if not isinstance(index, Tensor):
        index = torch.from_numpy(np.array(index, None if len(index) else np.int64))
    return index.nonzero()[:, 0] if index.dtype == torch.bool else index
