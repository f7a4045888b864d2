"""The tables of the theory in pages, from a net whose linear response is exact by construction."""

import re

import pytest
from small_tables import write_firm_tables, write_theory_tables

from advlaw.core.tables import Tables, read_tables
from advlaw.report.registry import TABLES


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """The tables as the README's script reads them."""
    folder = tmp_path_factory.mktemp("plots")
    write_theory_tables(folder)
    return read_tables(folder, "theory/", "order_statistics/")


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
    write_firm_tables(tmp_path)
    shown = read_tables(tmp_path, "theory/")
    assert shown.rows("theory/predictions")["n_succeeded"].tolist() == [0, 0]
    assert not {f"theory/{name}" for name in ("takeovers", "histograms", "followed")} & shown.frames.keys()
    assert lines(shown, "predictions")[0][4:] == ["too few"] * 2 + ["nowhere"] * 4 + ["no image flips"]
    assert {len(row) for row in lines(shown, "gap-exponents")} == {6}
    assert [lines(shown, name) for name in ("label-blind", "ties", "near-ties")] == [[], [], []]


def test_a_net_that_is_right_of_no_image_is_in_the_tables(tmp_path):
    write_firm_tables(tmp_path, is_right=False)
    shown = read_tables(tmp_path, "theory/")
    assert shown.rows("theory/predictions")[["n_images", "n_right"]].to_numpy().tolist() == [[50, 0]] * 2
    assert shown.rows("theory/predictions")["closing_speed"].isna().all()
    gaps = shown.rows("theory/gap_exponents").query("images == 'right'")
    assert gaps["n_gaps"].tolist() == [0, 0]
    assert gaps["largest_gap"].isna().all()
    assert lines(shown, "predictions")[0][4:] == ["too few"] * 2 + ["nowhere"] * 4 + ["no image flips"]


@pytest.mark.parametrize("name", [table.name for table in TABLES])
def test_a_table_of_nothing_has_no_rows(name):
    assert lines(Tables({}), name) == []
