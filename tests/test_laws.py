"""The tables of laws: from thresholds or counts alike, and a word where there is no law."""

import numpy as np
import pandas as pd
import pytest

from advlaw.core.tables import read_table, write_frame, write_table
from advlaw.fitting.changes import Changes, of_curve
from advlaw.fitting.small_eps import FEW, UNFIT
from advlaw.tables.laws import (
    ENDLESS,
    EXPONENT_COLUMNS,
    LOOSE,
    REPAIRS,
    UNTESTED,
    chosen,
    counted,
    exponent_row,
    laws_of,
    line_rows,
    pooled_rows,
)

GRID = np.geomspace(0.01, 64, 40)
N = 20_000


def bent(rng, n_images=N, b=1.0):
    """Thresholds of error = 0.02 eps^b (1 + 0.25 eps), as of a fully connected net on MNIST."""
    eps = np.geomspace(1e-7, 60, 40_000)
    return np.interp(rng.uniform(size=n_images), 0.02 * eps**b * (1 + 0.25 * eps), eps, right=np.inf)


def changes(wrong, right=(), n_images=N):
    return Changes(n_images, n_images, 64.0, np.sort(wrong), np.sort(np.asarray(right, float)))


def on_grid(wrong, right=()):
    gross, repaired = (np.array([(np.asarray(eps) <= e).sum() for e in GRID], float) for eps in (wrong, right))
    return of_curve(N, N, GRID, gross, gross - repaired)


def test_a_curve_that_bends_has_the_exponent_that_it_begins_with():
    thresholds = bent(np.random.default_rng(0))
    row, found = exponent_row(changes(thresholds), False, 0.95)
    assert list(row) == list(EXPONENT_COLUMNS)
    assert row["exponent_low"] < 1.0 < row["exponent_high"]
    assert row["exponent_high"] - row["exponent_low"] < 0.5
    assert (row["kind"], row["remark"], row["share"]) == ("gross", "", 0.1)
    assert row["amplitude"] == pytest.approx(0.02, rel=0.25)
    assert row["factor_1_low"] > 0.2
    assert row["p_straight"] < 0.02 < row["p_fit"]
    assert [one.share for one in found] == [0.1, 0.05, 0.02, 0.01]
    points = [(line["grid_eps"], line["fitted"]) for line in line_rows(chosen(found), N, 1.0)]
    measured = [(thresholds <= eps).mean() for eps, _ in points]
    np.testing.assert_allclose([error for _, error in points][5:], measured[5:], rtol=0.15, atol=3e-4)


def test_counts_on_a_grid_say_what_thresholds_say():
    thresholds = bent(np.random.default_rng(1))
    exact, coarse = (exponent_row(found, False, 0.95)[0] for found in (changes(thresholds), on_grid(thresholds)))
    assert coarse["exponent"] == pytest.approx(exact["exponent"], abs=0.08)
    points = pd.DataFrame({"grid_eps": GRID, "n_images": N, "gross_error": [(thresholds <= e).mean() for e in GRID]})
    again = exponent_row(counted(points.assign(net_error=points["gross_error"]), 1.0), False, 0.95)[0]
    assert again["exponent"] == coarse["exponent"]


def test_a_line_lies_on_the_grid_whether_its_curve_is_of_thresholds_or_of_counts_in_a_norm_of_its_own():
    thresholds, scale = bent(np.random.default_rng(1)), 28.0
    exact = exponent_row(changes(thresholds), False, 0.95)[1][0]
    points = pd.DataFrame({"grid_eps": GRID, "eps": scale * GRID, "n_images": N})
    error = [(thresholds <= e).mean() for e in GRID]
    counts = exponent_row(counted(points.assign(gross_error=error, net_error=error), 1.0), False, 0.95)[1][0]
    assert counts.range.e0 == pytest.approx(scale * exact.range.e0, rel=0.3)  # to a point of the grid
    ends = [line_rows(found, N, s)[-1] for found, s in ((exact, 1.0), (counts, scale))]
    assert ends[1]["grid_eps"] == pytest.approx(ends[0]["grid_eps"], rel=0.3)
    assert ends[1]["fitted"] == pytest.approx(ends[0]["fitted"], rel=0.3)


def test_of_an_attack_that_repairs_the_exponents_of_changes_and_of_their_odds_add_up():
    """All changes at a constant rate, of which (1 + tanh(0.3 eps)) / 2 break: the net error goes as eps^2."""
    rng = np.random.default_rng(2)
    eps = rng.uniform(0, 5, size=9000)
    breaks = rng.uniform(size=9000) < (1 + np.tanh(0.3 * eps)) / 2
    row, found = exponent_row(changes(eps[breaks], eps[~breaks]), True, 0.95)
    assert (row["kind"], row["remark"], row["amplitude"]) == ("net", "", None)
    assert row["exponent"] == pytest.approx(row["all_changes"] + row["sign_exponent"])
    assert row["exponent_low"] < 2.0 < row["exponent_high"]
    assert row["all_changes_low"] < 1.0 < row["all_changes_high"]
    assert found[0].share == 0.05
    uneven = rng.uniform(size=9000) < 1 / (1 + np.exp(0.5 - 0.5 * eps))
    assert exponent_row(changes(eps[uneven], eps[~uneven]), True, 0.95)[0]["remark"] == REPAIRS


def test_what_has_no_law_says_why():
    few = exponent_row(changes(np.linspace(1, 60, 30)), False, 0.95)[0]
    assert (few["exponent"], few["remark"]) == (None, FEW)
    steps = np.concatenate([np.full(900, 0.5), np.full(1200, 2.0)]) * np.random.default_rng(0).uniform(0.99, 1, 2100)
    assert exponent_row(changes(steps), False, 0.95)[0]["remark"] == UNFIT
    shares = np.random.default_rng(0).uniform(size=N)
    assert exponent_row(on_grid(5 * shares ** (1 / 8)), False, 0.95)[0]["remark"] == UNTESTED
    late = exponent_row(changes(1 + 30 * shares[:3000]), False, 0.95)[0]  # the first error is at eps = 1
    assert (late["remark"], late["exponent_high"] < late["double_prior"]) == (LOOSE, True)
    assert exponent_row(changes(60 * shares[:3000] ** (1 / 55)), False, 0.95)[0]["remark"] == ENDLESS
    assert laws_of(on_grid([]), False, 0.95) == []
    assert exponent_row(changes([], [1.0, 2.0]), True, 0.95)[0]["remark"] == FEW


def test_nets_of_a_set_are_pooled_together_and_by_their_kind(tmp_path):
    rng = np.random.default_rng(3)
    nets, curves = [], []
    for i, arch in enumerate(("fc", "fc", "fc", "cnn", "cnn")):
        thresholds = bent(rng) * (1 + i / 2)
        about = {"net": f"n{i}", "attack": "fgsm"}
        nets.append({**about, "arch": arch, "target": "true_label", "test_accuracy": 1.0, "n_images": N})
        shares = [(float(eps), float((thresholds <= eps).mean())) for eps in GRID]
        curves += [{**about, "grid_eps": eps, "gross_error": share, "net_error": share} for eps, share in shares]
    nets.append({**nets[0], "net": "weak", "test_accuracy": 0.5})
    write_table(tmp_path / "nets.csv", nets)
    write_table(tmp_path / "curves.csv", curves)
    rows = pooled_rows("drawn", read_table(tmp_path / "nets.csv"), read_table(tmp_path / "curves.csv"), 0.95)
    assert [(row["nets"], row["share"], row["n_nets"]) for row in rows[::3]] == [
        ("all", 0.1, 5),
        ("fc", 0.1, 3),
        ("cnn", 0.1, 2),
    ]
    for row in rows:
        assert row["exponent_low"] < 1.0 < row["exponent_high"]
    assert rows[0]["exponent_high"] - rows[0]["exponent_low"] < 0.3
    write_frame(tmp_path / "pooled.csv", pd.DataFrame(rows))
