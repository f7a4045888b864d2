"""Files of images as a source of pixels: which they are, where they lie, and how a net is shown them."""

import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

RESAMPLING = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


@dataclass(frozen=True)
class View:
    """What a net is shown of an image: its shorter side scaled to `resize`, then the middle `size` x `size` pixels."""

    size: int
    resize: int
    interpolation: str = "bilinear"
    channels: int = 3

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.channels, self.size, self.size


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

    def _pixels(self, row: int) -> np.ndarray:
        """(C, size, size) uint8; ValueError for a file that is gone, no image, or not what the data set was made of."""
        path = self.folder / str(self.files.paths[row])
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise ValueError(f"{path}: has gone since its data set was made; put it back") from None
        if hashlib.sha256(content).digest() != self.files.sha256[row].tobytes():
            raise ValueError(f"{path}: has changed since its data set was made; put it back, or make the data set anew")
        return decoded(content, path, self.view)


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


def decoded(content: bytes, path: Path, view: View) -> np.ndarray:
    """Pixels (C, size, size) uint8 of an image file's bytes, as a view shows them; raises ValueError as `opened`."""
    with opened(content, path) as image:
        return _cut(image.convert("RGB" if view.channels == 3 else "L"), view)


def _cut(image: Image.Image, view: View) -> np.ndarray:
    """The middle, after the shorter side is scaled; sizes are rounded as torchvision's Resize and CenterCrop do."""
    shorter = min(image.size)
    width, height = (view.resize if side == shorter else int(view.resize * side / shorter) for side in image.size)
    image = image.resize((width, height), RESAMPLING[view.interpolation])
    left, top = round((width - view.size) / 2), round((height - view.size) / 2)
    pixels = np.asarray(image.crop((left, top, left + view.size, top + view.size)))
    return np.ascontiguousarray(pixels.reshape(view.size, view.size, -1).transpose(2, 0, 1))
