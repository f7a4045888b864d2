"""Data sets: splits, the synthetic classes' known Bayes error, shuffled labels, IDX files."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chisquare

from advlaw.core.dataset import read_dataset, shuffled_labels, write_dataset
from advlaw.core.section import ParamsError, validate
from advlaw.data.clusters import MEAN, bayes_error, clusters, patterns, separation_for
from advlaw.data.digits import digits
from advlaw.data.idx import read_idx
from advlaw.data.random_images import random_images
from advlaw.data.settings import Dataset
from advlaw.data.splits import random_splits

COUNTS = {"train": 1077, "validation": 180, "test": 540}


@pytest.fixture(scope="module")
def handwritten():
    return digits(COUNTS, 0)


def test_digits_splits_are_disjoint_complete_and_stratified(handwritten):
    together = np.concatenate([handwritten.splits[name] for name in COUNTS])
    np.testing.assert_array_equal(np.sort(together), np.arange(1797))
    whole = np.bincount(handwritten.labels) / 1797
    for name, count in COUNTS.items():
        _, labels = handwritten.split(name)
        assert len(labels) == count
        assert np.abs(np.bincount(labels) - whole * count).max() <= 1.5


def test_digits_pixels_are_the_original_ones_scaled(handwritten):
    from sklearn.datasets import load_digits

    assert handwritten.images.shape == (1797, 1, 8, 8)
    original = load_digits().images[:, None]
    np.testing.assert_array_equal(handwritten.images, np.floor(original * 255 / 16 + 0.5))


def test_splits_may_be_named_together(handwritten):
    images, labels = handwritten.split("train+validation")
    assert len(images) == len(labels) == 1077 + 180


def test_fewer_images_than_there_are_stay_stratified():
    small = digits({"train": 100, "validation": 50, "test": 50}, 3)
    assert [len(index) for index in small.splits.values()] == [100, 50, 50]
    assert len(np.unique(np.concatenate(list(small.splits.values())))) == 200


def test_a_data_set_survives_the_disk_byte_for_byte(handwritten, tmp_path):
    for name in ("a.npz", "b.npz"):
        write_dataset(tmp_path / name, handwritten)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    again = read_dataset(tmp_path / "a.npz")
    np.testing.assert_array_equal(again.images[:], handwritten.images)
    np.testing.assert_array_equal(again.splits["test"], handwritten.splits["test"])


def test_the_best_classifier_of_the_clusters_errs_as_often_as_stated():
    n_test, wanted = 200_000, 0.05
    made = clusters({"train": 10, "validation": 10, "test": n_test}, 10, 8, 24.0, wanted, 0)
    images, labels = made.split("test")
    projections = (images.reshape(n_test, -1) - MEAN) @ patterns(10, 8).T
    found = (projections.argmax(axis=1) != labels).mean()
    assert abs(found - wanted) < 4 * np.sqrt(wanted * (1 - wanted) / n_test)


def test_bayes_error_of_two_classes_is_the_textbook_one():
    from scipy.stats import norm

    assert bayes_error(2.0, 2) == pytest.approx(norm.sf(2.0 / np.sqrt(2)), abs=1e-9)
    assert bayes_error(separation_for(0.05, 10), 10) == pytest.approx(0.05, abs=1e-9)


def test_patterns_are_orthonormal_and_have_no_mean():
    found = patterns(10, 8)
    np.testing.assert_allclose(found @ found.T, np.eye(10), atol=1e-12)
    np.testing.assert_allclose(found.sum(axis=1), 0, atol=1e-12)


def test_random_splits_are_disjoint_and_depend_on_seed_and_name():
    first = random_splits(1000, {"train": 700, "validation": 100}, 0, "mnist")
    assert len(np.unique(np.concatenate(list(first.values())))) == 800
    assert not np.array_equal(
        first["train"], random_splits(1000, {"train": 700, "validation": 100}, 1, "mnist")["train"]
    )
    assert not np.array_equal(first["train"], random_splits(1000, {"train": 700, "validation": 100}, 0, "x")["train"])


def test_shuffled_labels_are_a_seeded_permutation():
    labels = np.arange(5000) % 10
    shuffled = shuffled_labels(labels, 0, "digits")
    np.testing.assert_array_equal(np.sort(shuffled), np.sort(labels))
    np.testing.assert_array_equal(shuffled, shuffled_labels(labels, 0, "digits"))
    agreement = (shuffled == labels).mean()
    assert abs(agreement - 0.1) < 4 * np.sqrt(0.09 / 5000)


def test_idx_reads_what_the_header_says():
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    header = bytes([0, 0, 8, 3]) + np.array(array.shape, dtype=">u4").tobytes()
    np.testing.assert_array_equal(read_idx(header + array.tobytes(), "x"), array)
    for bad in (
        b"",
        b"\x00\x00\x0d\x01\x00\x00\x00\x01\x00",
        header[:9],
        header + array.tobytes()[:-1],
        header + b"1" * 25,
    ):
        with pytest.raises(ValueError, match="x: "):
            read_idx(bad, "x")


@pytest.mark.parametrize(
    ("section", "message"),
    [
        (
            {"source": "digits", "train": 1700, "validation": 90, "test": 90},
            "train \\+ validation \\+ test = 1880",
        ),
        ({"source": "mnist", "train": 60000, "validation": 1, "test": 10}, "train \\+ validation = 60001"),
        ({"source": "mnist", "train": 6, "validation": 1, "test": 10001}, "test = 10001"),
        (
            {"source": "svhn", "train": 6, "validation": 1, "test": 1},
            "'digits', 'mnist', 'fashion_mnist', 'cifar10', 'clusters', 'random'",
        ),
    ],
)
def test_impossible_splits_are_refused(section, message):
    with pytest.raises(ParamsError, match=message):
        validate(section, Dataset, Path("datasets/params.yaml"), "datasets.x")


def idx_files(rng, n_train=300, n_test=100):
    """The four files of a small MNIST: name -> gzipped bytes."""
    files = {}
    for prefix, n in (("train", n_train), ("t10k", n_test)):
        images = rng.integers(0, 256, size=(n, 28, 28), dtype=np.uint8)
        labels = rng.integers(0, 10, size=n, dtype=np.uint8)
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, dtype=">u4").tobytes()
            files[f"{prefix}-{kind}-ubyte.gz"] = gzip.compress(header + array.tobytes(), mtime=0)
    return files


def test_random_images_are_uniform_and_hold_nothing():
    counts = {"train": 300, "validation": 50, "test": 100}
    made = random_images(counts, classes=7, channels=3, side=5, seed=0)
    assert made.images.shape == (450, 3, 5, 5)
    assert [len(index) for index in made.splits.values()] == [300, 50, 100]
    # each of these three bounds would be missed by one seed in ten thousand
    assert chisquare(np.bincount(made.images.ravel(), minlength=256)).pvalue > 1e-4
    assert chisquare(np.bincount(made.labels, minlength=7)).pvalue > 1e-4
    means = made.images.mean(axis=(1, 2, 3))
    assert abs(np.corrcoef(means, made.labels)[0, 1]) < 4 / np.sqrt(450)
    again = random_images(counts, classes=7, channels=3, side=5, seed=0)
    np.testing.assert_array_equal(again.images, made.images)
    assert not np.array_equal(random_images(counts, 7, 3, 5, seed=1).images, made.images)
