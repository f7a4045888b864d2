"""MNIST and Fashion-MNIST: the IDX format, and where the official files are.

Checksums are of the *contents* (uncompressed), so that a mirror that compressed them anew is still verified.
"""

import math
from collections.abc import Mapping

import numpy as np

from advlaw.core.dataset import Dataset
from advlaw.data.download import DownloadPlace, Provenance, RemoteFile, fetch
from advlaw.data.splits import official_splits

TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"

PLACES = {
    "mnist": (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "http://yann.lecun.com/exdb/mnist/",
    ),
    "fashion_mnist": (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
}
SIDE, CLASSES = 28, 10
CONTENT_MD5 = {
    "mnist": {
        TRAIN_IMAGES: "6bbc9ace898e44ae57da46a324031adb",
        TRAIN_LABELS: "a25bea736e30d166cdddb491f175f624",
        TEST_IMAGES: "2646ac647ad5339dbf082846283269ea",
        TEST_LABELS: "27ae3e4e09519cfbb04c329615203637",
    },
    "fashion_mnist": {
        TRAIN_IMAGES: "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        TRAIN_LABELS: "9018921c3c673c538a1fc5bad174d6f9",
        TEST_IMAGES: "8181f5470baa50b63fa0f6fddb340f0a",
        TEST_LABELS: "15d484375f8d13e6eb1aabb0c3f46965",
    },
}


def read_idx(content: bytes, name: str) -> np.ndarray:
    """The array in an uncompressed IDX file of unsigned bytes.

    Raises ValueError naming the file where it is no such file or its length disagrees with its header.
    """
    if len(content) < 4 or content[:3] != b"\x00\x00\x08":
        raise ValueError(f"{name}: not an IDX file of bytes: begins {content[:4].hex(' ')}, wanted 00 00 08")
    n_axes = content[3]
    start = 4 + 4 * n_axes
    if len(content) < start:
        raise ValueError(f"{name}: ends within its header of {start} bytes")
    shape = tuple(np.frombuffer(content[4:start], dtype=">u4").tolist())
    if len(content) - start != math.prod(shape):
        raise ValueError(f"{name}: {len(content) - start} bytes of data, but its header says {shape}")
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def idx_dataset(name: str, counts: dict[str, int], seed: int, place: DownloadPlace) -> tuple[Dataset, Provenance]:
    """Images (70000, 1, 28, 28), training files first, and the provenance of every file.

    train and validation are drawn from the official training images, test from the official test images.
    """
    arrays, provenance = {}, {}
    for file_name, md5 in CONTENT_MD5[name].items():
        remote = RemoteFile(name, file_name, "md5", md5, PLACES[name])
        content, provenance[file_name] = fetch(remote, place)
        arrays[file_name] = read_idx(content, file_name)
    for of_images, of_labels in ((TRAIN_IMAGES, TRAIN_LABELS), (TEST_IMAGES, TEST_LABELS)):
        _check_pair(arrays, of_images, of_labels)
    images = np.concatenate([arrays[TRAIN_IMAGES], arrays[TEST_IMAGES]])[:, None]
    labels = np.concatenate([arrays[TRAIN_LABELS], arrays[TEST_LABELS]]).astype(np.int64)
    splits = official_splits(len(arrays[TRAIN_LABELS]), len(arrays[TEST_LABELS]), counts, seed, name)
    return Dataset(images, labels, splits), provenance


def _check_pair(arrays: Mapping[str, np.ndarray], of_images: str, of_labels: str) -> None:
    """Raises ValueError where files that a mirror vouches for do not fit, or are no images of ten classes."""
    images, labels = arrays[of_images], arrays[of_labels]
    if images.shape[1:] != (SIDE, SIDE):
        raise ValueError(f"{of_images}: holds {images.shape}, and images of {SIDE}x{SIDE} pixels are wanted")
    if labels.shape != (len(images),):
        raise ValueError(f"{of_labels}: holds {labels.shape}, and a label for each of {len(images)} images is wanted")
    if len(labels) and labels.max() >= CLASSES:
        at = int((labels >= CLASSES).argmax())
        raise ValueError(f"{of_labels}: image {at} has label {labels[at]}; labels are 0 to {CLASSES - 1}")
