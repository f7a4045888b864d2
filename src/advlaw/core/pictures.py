"""Files of images as a source of pixels: which they are, where they lie, and how a net is shown them."""

import hashlib
import io
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from advlaw.core.view import View

RESAMPLING = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
LEAST_AREA = 0.08  # of an image, for a random crop
WIDEST = 4 / 3  # width over height of one, at most; at least its inverse


@dataclass(frozen=True)
class Files:
    """N image files of a place: their paths (N,) from its folder, and the SHA-256 (N, 32) uint8 of their bytes."""

    place: str
    paths: np.ndarray
    sha256: np.ndarray

    def __len__(self) -> int:
        return len(self.paths)


class Pictures:
    """`files` as a `view` shows them, pixels (N, C, size, size) uint8: decoded when they are asked for, none kept."""

    def __init__(self, files: Files, view: View) -> None:
        self.files, self.view, self.folder = files, view, folder_of(files.place)
        self.shape = (len(files), *view.shape)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: slice | np.ndarray) -> np.ndarray:
        rows = np.arange(len(self))[index]
        found = np.empty((len(rows), *self.view.shape), np.uint8)
        for at, row in enumerate(rows):
            found[at] = self._pixels(int(row))
        return found

    def cropped(self, index: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Pixels (n, C, size, size) uint8 of the images `index` (n,), each cut as its `numbers` (n, 5) say."""
        found = np.empty((len(index), *self.view.shape), np.uint8)
        for at, row in enumerate(index):
            found[at] = self._pixels(int(row), numbers[at])
        return found

    def _pixels(self, row: int, crop: np.ndarray | None = None) -> np.ndarray:
        """(C, size, size) uint8; ValueError for a file that is gone, no image, or not what the data set was made of."""
        path = self.folder / str(self.files.paths[row])
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise ValueError(f"{path}: has gone since its data set was made; put it back") from None
        if hashlib.sha256(content).digest() != self.files.sha256[row].tobytes():
            raise ValueError(f"{path}: has changed since its data set was made; put it back, or make the data set anew")
        return decoded(content, path, self.view, crop)


def folder_of(place: str) -> Path:
    """The folder of a place: an absolute path, what ADVLAW_<PLACE> names, or the one that ADVLAW_MIRROR holds."""
    if Path(place).is_absolute():
        return Path(place)
    variable, mirror = f"ADVLAW_{place.upper().replace('-', '_')}", os.environ.get("ADVLAW_MIRROR")
    own = os.environ.get(variable)
    folder = Path(own) if own else Path(mirror or "") / place
    if not own and not mirror:
        raise ValueError(f"{place}: no such folder is known; set {variable} to the folder with these images")
    if not folder.is_dir():
        named = f"{variable} = {own}" if own else f"ADVLAW_MIRROR = {mirror}"
        raise ValueError(f"{named}: {folder} is no folder; set {variable} to the folder with these images")
    return folder


@contextmanager
def opened(content: bytes, path: Path) -> Iterator[Image.Image]:
    """The image in a file's bytes; raises ValueError naming `path` where it is none, or has more than 8 bits a channel.

    Only its header is read here; what is damaged behind it is found when the block asks for pixels.
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            mode = image.mode
            if mode[0] not in "IF":
                yield image
    except UnidentifiedImageError:
        raise ValueError(f"{path}: cannot be read as an image: of no known format; mend or remove it") from None
    except Exception as error:  # PIL raises whatever a damaged file leads its decoders to
        what = str(error) or type(error).__name__
        raise ValueError(f"{path}: cannot be read as an image: {what}; mend or remove it") from None
    if mode[0] in "IF":
        raise ValueError(f"{path}: more than 8 bits per channel ({mode}); convert it to 8")


def decoded(content: bytes, path: Path, view: View, crop: np.ndarray | None = None) -> np.ndarray:
    """Pixels (C, size, size) uint8 of an image file's bytes, as a view shows them, or as `crop` (5,) cuts them.

    See `resized_crop`; raises ValueError as `opened`.
    """
    with opened(content, path) as image:
        plain = image.convert("RGB" if view.channels == 3 else "L")
        pixels = np.asarray(_middle(plain, view) if crop is None else resized_crop(plain, view, crop))
        return np.ascontiguousarray(pixels.reshape(view.size, view.size, -1).transpose(2, 0, 1))


def resized_crop(image: Image.Image, view: View, numbers: np.ndarray) -> Image.Image:
    """A random part of an image, scaled to `size` x `size` and mirrored or not, as `numbers` (5,) in [0, 1) say.

    In turn: its area, uniform from 8 to 100 % of the image's; its width over its height, log-uniform from 3/4 to 4/3;
    how far to the right and how far down it lies, uniform; below 0.5 it is mirrored (Szegedy et al. 2014, Sec. 6). A
    box that does not fit is not drawn again, as others do: the largest of its shape is taken from the middle, so that
    five numbers always suffice.
    """
    area, shape, right, down, side = numbers.tolist()
    width, height = image.size
    ratio = WIDEST ** (2.0 * shape - 1.0)
    pixels = (LEAST_AREA + (1.0 - LEAST_AREA) * area) * width * height
    across, along = round(math.sqrt(pixels * ratio)), round(math.sqrt(pixels / ratio))
    if across > width or along > height:
        across, along = min(width, round(height * ratio)), min(height, round(width / ratio))
        right = down = 0.5
    across, along = max(1, across), max(1, along)
    left, top = int(right * (width - across + 1)), int(down * (height - along + 1))
    cut = image.crop((left, top, left + across, top + along))
    cut = cut.resize((view.size, view.size), RESAMPLING[view.interpolation])
    return cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if side < 0.5 else cut


def _middle(image: Image.Image, view: View) -> Image.Image:
    """The middle, after the shorter side is scaled; sizes are rounded as torchvision's Resize and CenterCrop do."""
    shorter = min(image.size)
    width, height = (view.resize if side == shorter else int(view.resize * side / shorter) for side in image.size)
    image = image.resize((width, height), RESAMPLING[view.interpolation])
    left, top = round((width - view.size) / 2), round((height - view.size) / 2)
    return image.crop((left, top, left + view.size, top + view.size))
