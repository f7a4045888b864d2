"""The tables of the theory in pages, from a net whose linear response is exact by construction."""

import re

import numpy as np
import pytest

from advlaw.core.tables import Tables, read_tables, write_table
from advlaw.fitting.settings import Fit
from advlaw.report.registry import TABLES
from advlaw.tables.theory import TheoryTables
from advlaw.theory.mean_field import class_thresholds, ranking
from advlaw.theory.settings import Rays, Theory

FIT = Fit(min_errors=10, max_error=0.1, bootstrap=100, confidence=0.95, headline=[])
RAYS = Rays(eps_min=0.25, eps_max=64.0, count=8, followed=2, residual=20)


def attack(logits, label, order, rng):
    """Gamma, and thresholds as its linear response has them."""
    rows = np.arange(len(logits))
    gamma = rng.normal(size=logits.shape)
    gamma[rows, order[:, 0]] -= 3.0
    per_class = class_thresholds(logits, gamma)
    exact, taken = per_class.min(axis=1), order[rows, per_class.argmin(axis=1) + 1]
    right = label == order[:, 0]
    return {
        "gamma": gamma,
        "threshold": np.where(right, exact, np.nan),
        "threshold_class": np.where(right, taken, -1),
        "recovery": np.where(right, np.nan, np.where(taken == label, exact, np.inf)),
        "not_finite": np.zeros(len(label), bool),
        "scale": np.array(1.0),
    }


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """The tables as the README's script reads them."""
    folder = tmp_path_factory.mktemp("plots")
    rng = np.random.default_rng(0)
    made = TheoryTables(RAYS, FIT, Theory(cut_offs=[0.1, 0.01], compared=["one", "two"]), seed=0)
    for name in ("one", "two"):
        logits = rng.normal(size=(3000, 10)) * 3
        order = ranking(logits)
        label = np.where(rng.uniform(size=3000) < 0.9, order[:, 0], order[:, 1])
        made.add_net(name, "x", {"logits": logits, "label": label}, {2: 0.5 * logits})
        eps, gamma = np.concatenate([[0.0], np.geomspace(0.25, 64, 8)]), rng.normal(size=(2, 10))
        residual_eps = np.geomspace(1e-3, 64, 30)
        straight = logits[:2] + eps[:, None, None] * gamma
        rays = {"eps": eps, "image": np.array([0, 1]), "logits": straight, "gamma": gamma}
        made.add_rays({**rays, "residual_eps": residual_eps, "residual": residual_eps[:, None] ** 2 * np.ones(5)})
        for kind in ("l2", "fgsm", "fgsm_predicted", "step_ll", "step_rnd"):
            made.add_attack(kind, attack(logits, label, order, rng), kind not in ("l2", "fgsm"))
    made.write(folder / "theory")
    exponent = {"exponent": 0.0, "exponent_low": -0.1, "exponent_high": 0.1}
    rows = [{"law": "uniform", "rank": j, "share": s, **exponent} for s in (0.1, 0.01) for j in (2, 3, 4, 5)]
    write_table(folder / "order_statistics" / "exponents.csv", rows)
    rows = [{"law": "uniform", "rank": j, "constant": 10.0 * j, "chi2_p_value": 0.1 * j} for j in (2, 3, 4, 5)]
    write_table(folder / "order_statistics" / "constants.csv", rows)
    return read_tables(folder, "theory", "order_statistics")


def lines(tables, name):
    """The cells of a table, without its heads."""
    (found,) = (table for table in TABLES if table.name == name)
    return found.make(tables).rows


def test_predictions_show_that_the_planted_response_is_exact(tables):
    rows = lines(tables, "predictions")
    assert [row[1:3] for row in rows] == [[net, name] for net in ("one", "two") for name in ("L2", "FGSM")]
    assert all(row[4] == "1.00 [1.00, 1.00]" for row in rows)
    assert all(re.fullmatch(r"ε = \S+–\S+", row[6]) for row in rows)
    assert all(re.fullmatch(r"\d+\.\d % \[\d+\.\d, \d+\.\d\] of \d,\d+", row[10]) for row in rows)
    assert {row[1] for row in lines(tables, "deciles")} == {"0.0 % (0.0 %)"}


def test_gap_exponents_have_a_line_per_net_share_and_law(tables):
    rows = lines(tables, "gap-exponents")
    assert [row[0] for row in rows] == ["one"] * 4 + ["two"] * 4 + ["i.i.d. uniform"] * 2
    assert [row[1] for row in rows[:4]] == [
        f"{images}, smallest {s} %" for images in ("all", "right") for s in (10, "1.0")
    ]
    assert rows[-1][2:] == ["0.00 [-0.10, 0.10]"] * 4
    assert lines(tables, "constants") == [["uniform", "20 (0.20)", "30 (0.30)", "40 (0.40)", "50 (0.50)"]]


def test_epochs_and_residuals_have_a_line_each(tables):
    assert [row[:2] for row in lines(tables, "epochs")] == [["one", "2"], ["one", "end"], ["two", "2"], ["two", "end"]]
    assert lines(tables, "residuals") == [["x", net, "5", "2.000", "100 %"] for net in ("one", "two")]


def test_label_blind_tables_hold_every_account(tables):
    rows = lines(tables, "label-blind")
    assert len(rows) == 2 * 3 * 3
    assert [row[1:3] for row in rows[1:3]] == [["FGSM-pred", "its own linear response"], ["FGSM-pred", "measured"]]
    for linear, measured in zip(rows[1::3], rows[2::3], strict=True):
        estimate = [float(cell.split()[0]) for cell in (linear[3], measured[3])]
        assert estimate[0] == estimate[1]  # the same curve; the intervals' random numbers differ
    ties = [row for row in lines(tables, "ties") if row[0] == "one"]
    assert [row[2] for row in ties[:4]] == ["50", "50", "100", "200"]
    assert len(lines(tables, "ideal")) == 4


def test_a_net_that_nothing_flips_is_in_the_tables(tmp_path):
    """Gaps open under attack, so there is no threshold, measured or predicted."""
    made = TheoryTables(RAYS, FIT, Theory(cut_offs=[0.1], compared=[]), seed=0)
    logits = np.random.default_rng(0).normal(size=(50, 3))
    order = ranking(logits)
    gamma = np.where(order[:, :1] == np.arange(3), 1.0, 0.0)
    made.add_net("firm", "x", {"logits": logits, "label": order[:, 0]}, {})
    nothing = np.zeros((9, 0, 3))
    rays = {"eps": np.arange(9.0), "image": np.zeros(0, int), "logits": nothing, "gamma": nothing[0]}
    made.add_rays({**rays, "residual_eps": np.geomspace(1e-3, 64, 9), "residual": np.zeros((9, 50))})
    never = {"threshold": np.full(50, np.inf), "threshold_class": np.full(50, -1), "recovery": np.full(50, np.nan)}
    never["not_finite"] = np.zeros(50, bool)
    made.add_attack("l2", {"gamma": gamma, **never, "scale": np.array(8.0)}, False)
    made.write(tmp_path / "theory")
    shown = read_tables(tmp_path, "theory")
    assert shown.rows("theory/predictions")["n_succeeded"].tolist() == [0]
    assert not {f"theory/{name}" for name in ("takeovers", "histograms", "followed")} & shown.frames.keys()
    assert lines(shown, "predictions")[0][4:] == ["too few"] * 2 + ["nowhere"] * 4 + ["none flips"]
    assert {len(row) for row in lines(shown, "gap-exponents")} == {6}
    made.add_attack("step_ll", {"gamma": gamma, **never, "scale": np.array(1.0)}, True)
    made.write(tmp_path / "blind" / "theory")
    blind = read_tables(tmp_path / "blind", "theory")
    assert [lines(blind, name) for name in ("label-blind", "ties", "near-ties")] == [[], [], []]


@pytest.mark.parametrize("name", [table.name for table in TABLES])
def test_a_table_of_nothing_has_no_rows(name):
    assert lines(Tables({}), name) == []
