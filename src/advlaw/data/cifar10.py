"""CIFAR-10 in its official binary version: records of one label byte and 3,072 pixels (R, G, B planes of 32x32).

Read from a mirror's cifar-10-batches-bin/*.bin, or from the official archive, out of which nothing is written to
disk. The python version is not read: it is a pickle, which may run any code when it is opened.
"""

import gzip
import io
import tarfile
import zlib

import numpy as np

from advlaw.core.dataset import Dataset
from advlaw.data.download import DownloadError, DownloadPlace, Provenance, RemoteFile, fetch, fetch_from_mirror
from advlaw.data.splits import official_splits

SHAPE = (3, 32, 32)
N_CLASSES = 10
RECORDS_A_FILE = 10_000
RECORD_BYTES = 1 + 3 * 32 * 32
FOLDER = "cifar-10-batches-bin"
CONTENT_MD5 = {
    "data_batch_1.bin": "5dd7e06a14cb22eb9f671a540d1b7c25",
    "data_batch_2.bin": "5ea93a67294ea407fff1d09f752e9692",
    "data_batch_3.bin": "942cd6a4bcdd0dd3c604fbe906cb4421",
    "data_batch_4.bin": "ae636b3ba5c66a11e91e8cb52e771fcb",
    "data_batch_5.bin": "53f37980c15c3d472c316c40844f3f0d",
    "test_batch.bin": "803d5f7f4d78ea53de84dbe85f74fb6d",
}
ARCHIVE = RemoteFile(
    "cifar10",
    "cifar-10-binary.tar.gz",
    "sha256",
    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    ("https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/"),
)


def read_records(content: bytes, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (10000, 3, 32, 32) and labels (10000,) of one file; raises ValueError naming it where it is none."""
    if len(content) != RECORDS_A_FILE * RECORD_BYTES:
        raise ValueError(
            f"{name}: {len(content)} bytes; a CIFAR-10 file has {RECORDS_A_FILE} records of {RECORD_BYTES} bytes, "
            f"{RECORDS_A_FILE * RECORD_BYTES} in all"
        )
    records = np.frombuffer(content, dtype=np.uint8).reshape(RECORDS_A_FILE, RECORD_BYTES)
    if records[:, 0].max() >= N_CLASSES:
        at = int((records[:, 0] >= N_CLASSES).argmax())
        raise ValueError(f"{name}: record {at} has label {records[at, 0]}; labels are 0 to {N_CLASSES - 1}")
    return records[:, 1:].reshape(-1, *SHAPE), records[:, 0].astype(np.int64)


def cifar10_dataset(counts: dict[str, int], seed: int, place: DownloadPlace) -> tuple[Dataset, Provenance]:
    """Images (60000, 3, 32, 32), training files first, and the provenance of every file.

    train and validation are drawn from the official training images, test from the official test images.
    """
    contents, provenance = _from_mirror(place) or _from_archive(place)
    arrays = [read_records(contents[name], f"{FOLDER}/{name}") for name in CONTENT_MD5]
    images, labels = (np.concatenate(parts) for parts in zip(*arrays, strict=True))
    n_test = RECORDS_A_FILE
    return Dataset(images, labels, official_splits(len(labels) - n_test, n_test, counts, seed, "cifar10")), provenance


def _from_mirror(place: DownloadPlace) -> tuple[dict[str, bytes], Provenance] | None:
    """The six files of a mirror that has any of them; raises DownloadError where it lacks some."""
    files = [RemoteFile(FOLDER, name, "md5", md5, ()) for name, md5 in CONTENT_MD5.items()]
    found = {file.name: fetch_from_mirror(file, place) for file in files}
    held = {name: content for name, content in found.items() if content is not None}
    missing = sorted(found.keys() - held.keys())
    if missing and held:
        raise DownloadError(f"ADVLAW_MIRROR = {place.mirror}: {FOLDER} lacks {', '.join(missing)}; add what is missing")
    if missing:
        return None
    return {name: content for name, (content, _) in held.items()}, {name: origin for name, (_, origin) in held.items()}


def _from_archive(place: DownloadPlace) -> tuple[dict[str, bytes], Provenance]:
    packed, origin = fetch(ARCHIVE, place)
    contents = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(packed))) as archive:  # the whole, so that it is verified
            for name in CONTENT_MD5:
                member = archive.extractfile(f"{FOLDER}/{name}")
                contents[name] = member.read() if member else b""
    except (tarfile.TarError, zlib.error, KeyError, OSError, EOFError) as error:
        raise DownloadError(f"{ARCHIVE.dataset}/{ARCHIVE.name}: no CIFAR-10 archive: {error}") from None
    return contents, {ARCHIVE.name: origin}
