"""The same images attacked in both versions: what pairs tell apart, and when there are none."""

import json
import shutil

import numpy as np
import pytest
from compared import MODEL, compare, git, make_tree, write

from advlaw.comparison.cells import ACCURACY, EXPONENT, Found
from advlaw.comparison.pairs import Pair, compare_pair
from advlaw.comparison.wording import pair_lines
from advlaw.core.io import write_npz
from advlaw.fitting.settings import Fit

FIT = Fit(min_errors=3, max_error=0.3, bootstrap=200, confidence=0.95, headline=["fc/fgsm"])
THRESHOLDS = np.random.default_rng(3).uniform(0.1, 20.0, size=1000)


@pytest.fixture
def tree(tmp_path):
    return make_tree(tmp_path / "tree")


def attacked(thresholds, was_right):
    """The outcomes of images that fall at these eps, those wrong when clean staying wrong."""
    eps = np.geomspace(0.1, 10.0, 21)
    n_images = len(thresholds)
    is_right = was_right & (thresholds > eps[:, None])
    return {
        "eps": eps,
        "label": np.zeros(n_images, dtype=np.int64),
        "prediction": np.where(is_right, 0, 1),
        "clean_prediction": np.where(was_right, 0, 1),
        "threshold": np.where(was_right, thresholds, np.nan),
        "recovery": np.full(n_images, np.inf),
        "not_finite": np.zeros(n_images, bool),
        "top5": np.ones((len(eps), n_images), dtype=bool),
        "clean_margin": np.ones(n_images),
    }


def test_pairs_tell_apart_accuracies_whose_own_intervals_overlap():
    """15 of 1,000 images fewer: 0.9 is in 0.885's interval, but 15 to 0 is not what chance gives (McNemar: 0.00006)."""
    thresholds = np.full(1000, 5.0)
    old, new = (attacked(thresholds, np.arange(1000) < n_right) for n_right in (900, 885))
    found = Found()
    compare_pair(Pair("small", "fc", "fgsm", "gross", old, new), FIT, found)
    accuracy = next(one for one in found.beyond if one.column == "accuracy")
    centre, spread = 15 / 1002, 1.959964 * np.sqrt(16 - 15**2 / 1002) / 1002  # half an observation more in each cell
    assert (accuracy.old, accuracy.new, accuracy.rank) == ("0.9", "0.885", ACCURACY)
    ends = f"[{-centre - spread:.4g}, {-centre + spread:.4g}]"
    assert accuracy.note == f"difference -0.015 {ends} on the same images"


def test_pairs_tell_apart_exponents_whose_own_intervals_overlap():
    """error = eps^B / 100 up to 10, on the same uniform numbers: B = 1.5 and 1.6 from about 500 errors."""
    uniform = np.random.default_rng(0).uniform(size=5000)
    old, new = (attacked(10 * uniform ** (1 / exponent) * 2, np.ones(5000, dtype=bool)) for exponent in (1.5, 1.6))
    found = Found()
    compare_pair(Pair("small", "fc", "fgsm", "gross", old, new), FIT, found)
    (one,) = [one for one in found.beyond if one.column == "exponent"]
    assert one.rank == EXPONENT
    assert float(one.old) == pytest.approx(1.5, abs=0.5)
    difference, low, high = (float(word.strip("[],")) for word in one.note.split()[1:4])
    assert difference == pytest.approx(0.1, abs=0.05)
    assert 0 < low < difference < high < 0.2  # each alone is known to about 0.3


def test_rounding_of_thresholds_is_no_difference():
    thresholds = np.random.default_rng(5).uniform(0.1, 20, size=2000)
    old, new = (attacked(thresholds * factor, np.ones(2000, dtype=bool)) for factor in (1, 1 + 1e-7))
    found = Found()
    compare_pair(Pair("small", "fc", "l2", "gross", old, new), FIT, found)
    assert found.beyond == []
    assert [one.column for one in found.paired] == ["accuracy", *[one.column for one in found.paired[1:-1]], "exponent"]
    assert found.within == len(found.paired) >= 4
    assert pair_lines(found, 9) == []  # no headline
    assert len(pair_lines(found, None)) == found.within


@pytest.fixture
def kept(tree):
    """The tree with the outcomes of 900 right images of 1,000 in data/, and as committed in DVC's cache."""
    arrays = attacked(THRESHOLDS, np.arange(1000) < 900)
    folder, file = tree / "data/small/sweeps/fc", "fgsm.npz"
    write_npz(folder / file, arrays)
    hashes = ("a1" + "0" * 30, "b2" + "0" * 30 + ".dir")
    cache = tree / ".dvc/cache/files/md5"
    for place in ("a1", "b2"):
        (cache / place).mkdir(parents=True)
    shutil.copy(folder / file, cache / "a1" / hashes[0][2:])
    (cache / "b2" / hashes[1][2:]).write_text(json.dumps([{"md5": hashes[0], "relpath": file}]), encoding="utf-8")
    out = f"{{path: data/small/sweeps/fc, hash: md5, md5: {hashes[1]}}}"
    (tree / "dvc.lock").write_text(f"schema: '2.0'\nstages:\n  sweep@fc:\n    outs:\n    - {out}\n", encoding="utf-8")
    fit = json.dumps(FIT.model_dump())
    (tree / "params.yaml").write_text(f"study: small\nseed: 0\nfit: {fit}\n", encoding="utf-8")
    (tree / ".gitignore").write_text("/data/\n/.dvc/cache/\n", encoding="utf-8")
    (tree / ".dvc/config").write_text("", encoding="utf-8")
    write_curve(tree, arrays)
    write(tree, "laws/exponents", {"curve": "fc/fgsm", "kind": "gross"})
    git(tree, "add", "-A")
    git(tree, "commit", "-q", "-m", "a sweep")
    return tree


def write_curve(folder, arrays):
    accuracies = (arrays["prediction"] == arrays["label"]).mean(axis=1).tolist()
    rows = [
        {"curve": "fc/fgsm", "grid_eps": eps, "dataset": "digits", "split": "test", "accuracy": accuracy}
        for eps, accuracy in zip(arrays["eps"].tolist(), accuracies, strict=True)
    ]
    write(folder, "error_curves", *rows)


def test_outcomes_in_data_and_in_the_cache_are_paired(kept, capsys):
    arrays = attacked(THRESHOLDS, np.arange(1000) < 885)
    write_npz(kept / "data/small/sweeps/fc/fgsm.npz", arrays)
    write_curve(kept, arrays)
    assert compare(kept, "HEAD", "", False) is True
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("small  paired  fc/fgsm  accuracy: 0.9 -> 0.885; difference -0.015 [-0.02")
    assert any(line.startswith("within  small  paired  fc/fgsm  exponent: ") for line in lines)
    assert "small: paired: 1 curves on the same images, 0 more with equal outcomes" in lines


def test_outcomes_that_are_not_those_of_the_tables_are_not_paired(kept, capsys):
    write_npz(kept / "data/small/sweeps/fc/fgsm.npz", attacked(THRESHOLDS, np.arange(1000) < 885))
    write(kept, "models", {**MODEL, "learning_rate": 0.002})
    assert compare(kept, "HEAD", "", False) is False
    assert "small: unpaired: fc/fgsm: different images, a different grid of eps, or outcomes" in capsys.readouterr().out


def test_outcomes_that_the_cache_does_not_have_are_not_paired(kept, capsys):
    shutil.rmtree(kept / ".dvc/cache")
    write(kept, "models", {**MODEL, "learning_rate": 0.002})
    assert compare(kept, "HEAD", "", False) is False
    assert "small: unpaired: per-image outcomes of HEAD are not in the cache" in capsys.readouterr().out
