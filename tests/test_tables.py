"""Committed tables: what a column holds follows from its name, the same bytes for the same values."""

import math

import numpy as np
import pytest

from advlaw.core.tables import groups, read_labelled, read_table, read_tables, records, write_frame, write_table
from advlaw.core.words import interval

ROWS = [
    {"curve": "a/x", "is_on_grid": True, "n_images": 12345678, "epoch": None, "exponent": 1 / 3},
    {"curve": "", "is_on_grid": False, "n_images": 2, "epoch": 7, "exponent": math.nan},
]


def test_a_table_is_read_as_it_was_written_and_written_again_to_the_same_bytes(tmp_path):
    write_table(tmp_path / "a.csv", ROWS)
    text = (tmp_path / "a.csv").read_text("utf-8")
    assert text == "curve,is_on_grid,n_images,epoch,exponent\na/x,true,12345678,,0.3333333\n,false,2,7,\n"
    frame = read_table(tmp_path / "a.csv")
    first, second = records(frame)
    assert (first["curve"], first["is_on_grid"], first["n_images"]) == ("a/x", True, 12345678)
    assert (second["curve"], second["is_on_grid"], second["epoch"]) == ("", False, 7)
    assert math.isnan(first["epoch"])
    assert math.isnan(second["exponent"])
    write_frame(tmp_path / "b.csv", frame)
    assert (tmp_path / "b.csv").read_text("utf-8") == text


def test_a_table_without_rows_has_its_columns(tmp_path):
    write_table(tmp_path / "a.csv", [], ("curve", "exponent", "is_on_grid"))
    assert (tmp_path / "a.csv").read_text("utf-8") == "curve,exponent,is_on_grid\n"
    assert list(read_table(tmp_path / "a.csv").columns) == ["curve", "exponent", "is_on_grid"]
    assert list(groups(read_table(tmp_path / "a.csv"), "curve")) == []


def test_a_float32_has_the_fewest_digits_that_give_it_back(tmp_path):
    eps = np.random.default_rng(0).uniform(0, 255, 1000).astype(np.float32)
    write_table(tmp_path / "a.csv", [{"eps": value} for value in eps])
    np.testing.assert_array_equal(read_table(tmp_path / "a.csv")["eps"].to_numpy(np.float32), eps)
    assert len((tmp_path / "a.csv").read_text("utf-8")) < 11 * len(eps)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"curve": 1}, "column 'curve': 1 is int; it must be text: TEXT and FLAGS"),
        ({"exponent": "1.0"}, "column 'exponent': '1.0' is str; it must be a number"),
        ({"exponent": True}, "column 'exponent': True is bool; it must be a number"),
        ({"is_on_grid": "true"}, "column 'is_on_grid': 'true' is str; it must be true or false"),
        ({"is_on_grid": None}, "column 'is_on_grid': None is NoneType; it must be true or false"),
    ],
)
def test_a_cell_of_another_type_is_not_written(tmp_path, row, message):
    with pytest.raises(ValueError, match=message):
        write_table(tmp_path / "a.csv", [row])
    assert not (tmp_path / "a.csv").exists()


def test_a_row_that_lacks_a_column_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="a row has no 'epoch'; the columns are curve, epoch"):
        write_table(tmp_path / "a.csv", [{"curve": "x"}], ("curve", "epoch"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("curve,exponent\na,1.0\nb,steep\n", r"a\.csv: line 3: column 'exponent': 'steep'; it must be a number"),
        ("curve,is_on_grid\na,yes\n", r"a\.csv: line 2: column 'is_on_grid': 'yes'; it must be true or false"),
    ],
)
def test_a_cell_of_another_type_is_named_when_it_is_read(tmp_path, text, message):
    (tmp_path / "a.csv").write_text(text, "utf-8")
    with pytest.raises(ValueError, match=message):
        read_table(tmp_path / "a.csv")


@pytest.fixture
def plots(tmp_path):
    curves = [{"curve": f"fc/{attack}", "attack": attack, "snapshot": None} for attack in ("fgsm", "l2")]
    write_table(tmp_path / "curves.csv", curves)
    points = [{"curve": f"fc/{attack}", "eps": eps} for attack in ("l2", "fgsm") for eps in (1.0, 2.0)]
    write_table(tmp_path / "error_curves.csv", points)
    write_table(tmp_path / "theory/residuals.csv", [{"net": "fc", "slope": 2.0}])
    for name in ("one", "two", "removed"):
        write_table(tmp_path / f"trials/{name}/nets.csv", [{"net": name}])
    write_table(tmp_path / "trials/sets.csv", [{"set": "two"}, {"set": "one"}])
    return tmp_path


def test_what_a_row_is_of_is_said_once_and_joined(plots):
    rows = records(read_labelled(plots, "error_curves"))
    assert [(row["curve"], row["eps"], row["attack"]) for row in rows] == [
        ("fc/l2", 1.0, "l2"),
        ("fc/l2", 2.0, "l2"),
        ("fc/fgsm", 1.0, "fgsm"),
        ("fc/fgsm", 2.0, "fgsm"),
    ]


def test_the_tables_of_a_study_are_those_named_and_those_in_folders(plots):
    tables = read_tables(plots, "error_curves", "theory/", "trials/")
    assert set(tables.frames) == {
        "error_curves",
        "theory/residuals",
        "trials/sets",
        "trials/one/nets",
        "trials/two/nets",
    }
    assert "theory/residuals" in tables
    assert tables.rows("error_curves", attack="l2", snapshot=None)["eps"].tolist() == [1.0, 2.0]
    assert tables.rows("error_curves", attack=("l2", "fgsm"), eps=1.0)["curve"].tolist() == ["fc/l2", "fc/fgsm"]
    assert tables.rows("no such table", attack="l2").empty
    assert records(tables.of_sets("nets")) == [{"net": "two", "set": "two"}, {"net": "one", "set": "one"}]
    assert tables.of_sets("exponents").empty
    with pytest.raises(KeyError):
        tables.rows("error_curves", attakc="l2")
    with pytest.raises(FileNotFoundError, match=r"models\.csv"):
        read_tables(plots, "models")


def test_groups_come_in_order_of_appearance_missing_values_too(plots):
    frame = read_labelled(plots, "error_curves")
    assert [name for name, _ in groups(frame, "attack")] == ["l2", "fgsm"]
    assert [(attack, len(rows)) for (attack, _), rows in groups(frame, "attack", "snapshot")] == [
        ("l2", 2),
        ("fgsm", 2),
    ]


def test_numbers_in_words():
    ends = {"exponent_low": 1.0, "exponent_high": 1.25}
    assert interval({"exponent": 1.1, **ends}) == "1.10 [1.00, 1.25]"
    assert interval({"exponent": 1.1, "exponent_low": math.nan, "exponent_high": math.nan}) == "1.10"
    assert interval({"exponent": math.nan, "exponent_low": math.nan, "exponent_high": math.nan}) == "too few"
