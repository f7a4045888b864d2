"""Committed first changes: up to a fifth of errors, read back as written, enough to fit exponents again, and small."""

import numpy as np
import pytest
from raw_csv import write_csv
from repository import ROOT, git_of_this_repository
from test_fitting import EPS, SETTINGS, planted

from advlaw.fitting.changes import of_outcomes, of_thresholds
from advlaw.fitting.fit import Fitted
from advlaw.fitting.outcomes import outcomes
from advlaw.fitting.thresholds import KEPT, thresholds
from advlaw.tables.laws import laws_of
from advlaw.tables.thresholds import read_thresholds, write_thresholds

FAMILIES = ("one_step", "iterative")
N = 4000
LARGEST = 5_000_000  # bytes of a study's committed tables


def a_sweep(family, n_images=N, seed=5):
    """A planted curve; some images that were broken are right again at a larger eps, where they do not count as net."""
    rng = np.random.default_rng(seed)
    arrays = planted(rng, n_images, 0.02, 1.2, repaired=0.3, family=family)
    rows = rng.random(n_images) < 0.1
    arrays["prediction"][3::4, rows] = arrays["clean_prediction"][rows]
    return arrays


def written(folder, fitted, curve="fc/fgsm@0.99"):
    """The tables of one curve that a refit reads."""
    write_thresholds(folder, {curve: fitted.thresholds})
    columns = ("curve", "eps", "gross_error", "net_error")
    write_csv(folder / "error_curves.csv", columns, [{"curve": curve, **row} for row in fitted.curve()])
    return curve


def fitted_to(arrays):
    return Fitted(outcomes(arrays), SETTINGS, np.random.default_rng(0))


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_written_is_read_back(tmp_path, family):
    fitted = fitted_to(a_sweep(family))
    curve = written(tmp_path, fitted)
    (found,) = read_thresholds(tmp_path).items()
    assert found[0] == curve
    for name, value in vars(fitted.thresholds).items():
        np.testing.assert_array_equal(getattr(found[1], name), value, strict=isinstance(value, np.ndarray))
    assert found[1].eps.dtype == np.float32
    assert (tmp_path / "thresholds/fc/fgsm@0.99.csv").is_file()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("of_net", [False, True])
def test_a_law_is_that_of_the_sweep_s_own_file(tmp_path, family, of_net):
    arrays = a_sweep(family)
    curve = written(tmp_path, fitted_to(arrays))
    own, again = of_outcomes(outcomes(arrays)), of_thresholds(read_thresholds(tmp_path)[curve])
    for one, other in zip(laws_of(own, of_net, 0.95), laws_of(again, of_net, 0.95), strict=True):
        assert one.numbers == other.numbers


def test_images_are_kept_up_to_a_fifth_of_errors():
    arrays = a_sweep("one_step")
    found = thresholds(outcomes(arrays))
    broken = np.sort(arrays["threshold"][np.isfinite(arrays["threshold"])]).astype(np.float32)
    n_kept = round(KEPT * N)
    np.testing.assert_array_equal(found.eps[found.change > 0], broken[:n_kept])
    assert found.eps_last == broken[n_kept - 1]
    recovered = arrays["recovery"][arrays["recovery"] <= found.eps_last]
    assert found.count(-1) == len(recovered) > 0
    np.testing.assert_array_equal(found.eps[found.change < 0], np.sort(recovered).astype(np.float32))
    assert (np.diff(found.eps) >= 0).all()
    assert (found.n_images, found.n_right) == (N, (arrays["clean_prediction"] == arrays["label"]).sum())


def test_of_an_iterative_attack_cells_are_kept_up_to_the_first_that_holds_a_fifth():
    arrays = a_sweep("iterative")
    found = thresholds(outcomes(arrays))
    edges = arrays["bracket"][:, 1]
    counts = np.array([(edges == eps).sum() for eps in EPS])
    n_points = int((counts.cumsum() >= KEPT * N).argmax()) + 1
    np.testing.assert_array_equal(found.eps[found.change >= 0], EPS[:n_points].astype(np.float32))
    np.testing.assert_array_equal(found.change[found.change >= 0], counts[:n_points])
    first = [np.flatnonzero(column)[:1] for column in (arrays["prediction"] == arrays["label"]).T[edges != edges]]
    assert found.count(-1) == sum(len(point) and point[0] < n_points for point in first)
    assert found.eps_last == np.float32(EPS[n_points - 1])


@pytest.mark.parametrize("family", FAMILIES)
def test_a_curve_that_never_gets_so_far_is_kept_to_the_end_of_the_grid(family):
    arrays = planted(np.random.default_rng(0), N, 0.001, 1.0, family=family)
    found = thresholds(outcomes(arrays))
    assert found.eps_last == np.float32(EPS[-1])
    ends = arrays["threshold"] if family == "one_step" else arrays["bracket"][:, 1]
    assert found.count(1) == np.isfinite(ends).sum() > 0


def test_a_curve_without_any_error_has_an_empty_table(tmp_path):
    fitted = fitted_to(planted(np.random.default_rng(0), 50, 1e-9, 3.0))
    curve = written(tmp_path, fitted)
    assert read_thresholds(tmp_path)[curve].eps.shape == (0,)


def test_an_image_costs_twelve_bytes(tmp_path):
    fitted = fitted_to(a_sweep("one_step", 10_000))
    written(tmp_path, fitted, "fc/fgsm")
    assert (tmp_path / "thresholds/fc/fgsm.csv").stat().st_size < 12 * len(fitted.thresholds.eps)


@pytest.mark.parametrize("study", sorted(path.name for path in (ROOT / "metrics").iterdir()))
def test_the_committed_tables_of_a_study_stay_small(study):
    lines = git_of_this_repository("ls-tree", "-r", "-l", "HEAD", f"plots/{study}/").splitlines()
    sizes = [int(line.split()[3]) for line in lines if line.endswith(".csv")]
    assert 0 < sum(sizes) < LARGEST
