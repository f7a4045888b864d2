"""Files written whole or not at all, the same bytes for the same values."""

import codecs
import itertools
import json
import math
import struct
import zipfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import IO, Any

import numpy as np

Cells = dict[str, Any]  # of a row of a table, by column: text, a flag, a number, or nothing (None, NaN)
Arrays = dict[str, np.ndarray]  # in an npz file
LOCAL_HEADER = struct.Struct("<26xHH")  # before a member's bytes in a zip file: the lengths of its name and its extras


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, moved over it when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:  # such as a full disk's, which names no file
        error.filename = error.filename or str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def read_text(path: Path) -> str:
    """Text that a person wrote: UTF-8, with or without a mark in front, its lines ended as on any system.

    Raises ValueError naming the file where it is in another encoding.
    """
    content = path.read_bytes()
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ValueError(f"{path}: is text in UTF-16; save it as UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{path}: line {line} is not UTF-8; save it as UTF-8") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def write_text(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")


def write_npz(path: Path, arrays: Mapping[str, np.ndarray], plain: Collection[str] = ()) -> None:
    """An npz file, see `npz`."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        npz(file, arrays, plain)


def npz(file: IO[bytes], arrays: Mapping[str, np.ndarray], plain: Collection[str] = ()) -> None:
    """An npz whose headers say nothing of when, where and by which Python it was written; np.savez's do.

    Members are compressed, but for those named in `plain`, of which `rows_on_disk` reads a part.
    """
    with zipfile.ZipFile(file, "w") as members:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            member.create_system, member.external_attr = 3, 0o600 << 16
            member.compress_type = zipfile.ZIP_STORED if name in plain else zipfile.ZIP_DEFLATED
            member.file_size = array.nbytes  # beyond 2 GiB it takes other headers
            with members.open(member, "w") as content:
                np.lib.format.write_array(content, array, allow_pickle=False)


def read_npz(path: Path, *names: str) -> Arrays:
    """The arrays that are named, or all."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in names or file.files}


def members(path: Path) -> list[str]:
    """The names of the arrays in an npz."""
    with zipfile.ZipFile(path) as file:
        return [name.removesuffix(".npy") for name in file.namelist()]


@dataclass(frozen=True)
class Rows:
    """An array in a file that is read a part at a time: `rows[slice or indices]` is a new array.

    The file is not mapped: what is mapped counts as memory of the process, and may be far more than what is looked at.
    """

    path: Path
    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: slice | np.ndarray) -> np.ndarray:
        """Rows that follow one another are read at once; ValueError where the file has become shorter."""
        rows = np.arange(len(self))[index]
        found = np.empty((len(rows), *self.shape[1:]), self.dtype)
        content, size = found.reshape(-1).view(np.uint8).data, math.prod(self.shape[1:]) * self.dtype.itemsize
        breaks = np.flatnonzero(np.diff(rows) != 1) + 1
        with self.path.open("rb", buffering=0) as file:
            for first, last in itertools.pairwise([0, *breaks.tolist(), len(rows)]):
                if last > first:
                    file.seek(self.offset + int(rows[first]) * size)
                    self._fill(content[first * size : last * size], file)
        return found

    def _fill(self, content: memoryview, file: FileIO) -> None:
        while len(content):
            n_read = file.readinto(content)  # at most 2 GiB at once
            if not n_read:
                raise ValueError(f"{self.path}: ends before its array does; make it anew with `dvc repro`")
            content = content[n_read:]


def rows_on_disk(path: Path, name: str) -> Rows | None:
    """The array `name` of an npz, to be read in parts; None where it is compressed, so that only the whole can be."""
    with zipfile.ZipFile(path) as file:
        member = file.getinfo(f"{name}.npy")
        if member.compress_type != zipfile.ZIP_STORED:
            return None
        with file.open(member) as content:
            read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
            shape, is_fortran, dtype = read_header[np.lib.format.read_magic(content)](content)
            header = content.tell()
    with path.open("rb") as raw:
        raw.seek(member.header_offset)
        before = LOCAL_HEADER.size + sum(LOCAL_HEADER.unpack(raw.read(LOCAL_HEADER.size)))
    return None if is_fortran else Rows(path, member.header_offset + before + header, shape, dtype)
