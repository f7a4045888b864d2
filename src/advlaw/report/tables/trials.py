"""Tables of sets of nets: how the exponents of sampled ones are distributed, and what varied ones gain."""

import math

from advlaw.core.io import Cells
from advlaw.core.tables import Tables, groups, records
from advlaw.core.words import interval
from advlaw.report.cells import number, points
from advlaw.report.render import Cell, Grid, Marked, Right
from advlaw.report.table import table

NETS = {"all": "all", "fc": "fully connected", "cnn": "convolutional"}
ESTIMATES = {"net_ls": "least squares", "net": "mean slope"}
SHARES = ("share", "share_low", "share_high", "share_touching")


@table("pooled", "population", "One exponent for all sampled nets, as ε → 0", needs=("laws/pooled",), is_main=True)
def pooled(tables: Tables) -> Grid:
    """A line per attack, kind of net and range: the exponent that nets share, and whether they do."""
    heads = ["set", "attack", "nets", Right("number"), "range", Right("errors"), "as a law, ε → 0", Right("p of B = 1")]
    rows: list[list[Cell]] = []
    for row in records(tables.rows("laws/pooled")):
        cells = [row["set"], Marked(row["attack"], "code"), NETS[row["nets"]], f"{row['n_nets']}"]
        cells += [f"{100 * row['share']:g} %", f"{row['n_errors']:,}", Marked(interval(row), "strong")]
        rows.append([*cells, *(number(row[name], ".2g") for name in ("p_one", "p_equal", "tau"))])
    return Grid([*heads, Right("p of one for all"), Right("spread beyond chance, τ")], rows)


@table(
    "population", "population", "Net exponents of sampled nets, one by one", needs=("trials/*/exponents",), is_main=True
)
def population(tables: Tables) -> Grid:
    """A line per attack, estimator and kind of net: quantiles of the net exponent, its share in the paper's range."""
    heads = ["set", "attack", "nets", Right("number"), "estimator", "median [5 %, 95 %]"]
    heads += [Right("half-width of one net's interval"), "paper", "share in it"]
    rows = []
    for row in records(tables.of_sets("exponents")):
        if row["estimate"] not in ESTIMATES or not row["n_nets"]:
            continue
        middle, low, high = (row[f"quantile_{q}"] for q in ("0.5", "0.05", "0.95"))
        cells = [row["set"], Marked(row["attack"], "code"), NETS[row["nets"]], str(row["n_nets"])]
        cells += [ESTIMATES[row["estimate"]], f"{middle:.2f} [{low:.2f}, {high:.2f}]"]
        rows.append([*cells, f"±{row['median_half_width']:.2f}", *_share(row)])
    return Grid([*heads, Right("nets whose interval touches it")], rows)


@table(
    "differences", "variants", "Accuracy above the baseline's, in points", needs=("trials/*/differences",), is_main=True
)
def differences(tables: Tables) -> Grid:
    """A line per net and attack: how many points more accurate it is than its baseline, clean and at every eps."""
    found = tables.of_sets("differences", "grid_eps")
    sizes = sorted({row["grid_eps"] for row in records(found)})
    rows = []
    for (*names, attack), own in groups(found, "set", "net", "baseline", "attack"):
        at = {row["grid_eps"]: points(row, "difference") for row in records(own)}
        rows.append([*names, Marked(attack, "code"), *(at.get(eps, "–") for eps in sizes)])
    heads = ["set", "net", "against", "attack", *("clean" if eps == 0 else f"ε = {eps:g}" for eps in sizes)]
    return Grid(heads, rows)


def _share(row: Cells) -> list[str]:
    if math.isnan(row["band_low"]):
        return ["–", "–", "–"]
    share, low, high, touching = (f"{100 * row[name]:.0f} %" for name in SHARES)
    return [f"{row['band_low']:g}–{row['band_high']:g}", f"{share} [{low}, {high}]", touching]
