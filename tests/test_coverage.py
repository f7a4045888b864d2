"""What benchmarks/coverage.py and validation.py have found, and the tables in docs/findings/exponent.md."""

import pytest
from repository import ROOT

from advlaw.core.tables import read_table
from advlaw.fitting.truths import LIKE_NETS
from advlaw.report.coverage import coverage, together, validation

SIMULATED, VALIDATED = (read_table(ROOT / "benchmarks" / f"{name}.csv") for name in ("coverage", "validation"))
LAWS = SIMULATED[(SIMULATED["estimator"] == "small_eps") & SIMULATED["truth"].isin(LIKE_NETS)]


def test_intervals_hold_the_exponents_of_curves_like_those_of_nets():
    assert len(LAWS) == len(LIKE_NETS) * 4 * 3
    assert LAWS["coverage"].min() >= 0.92


def test_the_bias_is_small_beside_the_standard_error():
    ones = LAWS[(LAWS["true_exponent"] == 1) & (LAWS["n_images"] >= 10_000)]
    assert (ones["bias"].abs() / ones["standard_error"]).max() <= 0.7


def test_a_pool_holds_the_exponent():
    assert SIMULATED.loc[SIMULATED["estimator"] == "pooled", "coverage"].min() >= 0.92


def test_parts_of_other_data_hold_an_exponent_of_1():
    laws = VALIDATED[VALIDATED["estimator"] == "small_eps"]
    assert (laws["coverage"] * laws["n_chunks"]).sum() / laws["n_chunks"].sum() >= 0.92
    assert ((laws["exponent_low"] <= 1) & (laws["exponent_high"] >= 1)).all()


@pytest.mark.parametrize("grid", [coverage(SIMULATED), together(SIMULATED), validation(VALIDATED)])
def test_tables_have_a_cell_for_every_head(grid):
    assert grid.rows
    assert {len(row) for row in grid.rows} == {len(grid.heads)}
