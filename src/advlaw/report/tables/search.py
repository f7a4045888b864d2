"""Tables of the searches for architectures (Cubuk Sec. 4): the larger nets, their children, and random search."""

import math
from collections import Counter

import pandas as pd

from advlaw.core.io import Cells
from advlaw.core.tables import Tables, chosen, groups, records
from advlaw.papers.search import TABLE_1, with_roles
from advlaw.report.cells import number
from advlaw.report.render import Cell, Grid, Marked, Right
from advlaw.report.table import table

NOTHING = "–"
NAMES = {
    "clean_accuracy": "clean accuracy",
    "n_parameters": "parameters",
    "flops": "operations",
    "length": "length of the cell",
    "width": "width of the cell",
}
COMPARED = {  # a statement of comparison.csv and its images -> a column
    "last third less random children": ("last third of the controller's children less random ones", "held_out"),
    "its best cell less that of random search": (
        "best cell of the controller less best cell of random search",
        "held_out",
    ),
    "the same on test images": ("best cell of the controller less best cell of random search", "test"),
    "its best cell less any, on test images": ("best cell of the controller less cells that nobody chose", "test"),
}
LATE, _, WINNERS, _ = COMPARED


@table("search_table_1", "search", "Cubuk's Table 1, at the ε of the reward", needs=("search/enlarged",), is_main=True)
def search_table_1(tables: Tables) -> Grid:
    """The paper's two rows, and a line for every larger net that was strongly attacked; black box: from a net apart."""
    heads = ["net", Right("ε"), *map(Right, TABLE_1), Right("worst case")]
    printed: dict[str, list[float | None]] = {
        "Madry et al., printed": [column.madry for column in TABLE_1.values()],
        "Cubuk et al., printed": [column.ours for column in TABLE_1.values()],
    }
    first: list[list[Cell]] = [
        [name, "8", *(NOTHING if share is None else f"{share:.1%}" for share in shares), NOTHING]
        for name, shares in printed.items()
    ]
    rows: list[list[Cell]] = []
    for net in records(_nets(tables)):
        attacked = tables.rows("worst_case/accuracy", net=net["net"], eps=(0.0, net["reward_eps"]))
        under = {row["attack"]: row for row in records(attacked)}
        if len(under) > 1:
            places = [*(column.attack for column in TABLE_1.values()), "worst case"]
            cells = [_share(under[place]) if place in under else NOTHING for place in places]
            rows.append([Marked(net["net"], "code"), f"{net['reward_eps']:g}", *cells])
    return Grid(heads, [*first, *rows] if rows else [])


@table("search_enlarged", "search", "Larger nets of the best cells", needs=("search/enlarged",))
def search_enlarged(tables: Tables) -> Grid:
    """A line per larger net: what was chosen on validation images, and what the net is."""
    heads = ["net", "found by", "trained for", Right("sets tried"), "chosen", Right("validation, clean")]
    heads += [Right("validation, attacked"), Right("test, clean"), Right("parameters"), Right("length"), Right("width")]
    models = {row["model"]: row for row in records(tables.rows("models"))}
    tried = Counter(row["net"] for row in records(tables.rows("search/enlarged")))
    rows: list[list[Cell]] = []
    for net in records(_nets(tables)):
        trained = models.get(net["net"], {})
        by = net["search"] if net["arm"] == "controller" else f"{net['search']}, random arm"
        cells: list[Cell] = [Marked(net["net"], "code"), by, net["trained_as"] or "clean accuracy"]
        cells += [f"{tried[net['net']]}", net["hyperparameters"] or NOTHING]
        shares = [
            *(net[name] for name in ("clean_accuracy", "adversarial_accuracy")),
            trained.get("test_accuracy", math.nan),
        ]
        cells += [number(share, ".1%") for share in shares]
        cells += [number(trained.get("n_parameters", math.nan), ",.0f"), f"{net['length']:g}", f"{net['width']:.3g}"]
        rows.append([*cells, Marked(net["cell"], "code")])
    return Grid([*heads, "cell"], rows)


@table("search_correlations", "search", "What goes with robustness over the children", needs=("search/correlations",))
def search_correlations(tables: Tables) -> Grid:
    """A line per search, arm and property of a child: its rank correlation with adversarial accuracy."""
    heads = ["search", "children", Right("number"), "adversarial accuracy with", "ρ", "ρ, given clean accuracy"]
    rows: list[list[Cell]] = []
    for (search, arm, other), own in groups(tables.rows("search/correlations"), "search", "arm", "other"):
        plain, left = (records(chosen(own, given=given)) for given in ("", "clean_accuracy"))
        counted = number(plain[0]["n"], ",.0f")
        rows.append([search, arm, counted, NAMES.get(other, other), *(_rho(found) for found in (plain, left))])
    return Grid(heads, rows)


@table("search_comparison", "search", "The controller beside random search", needs=("search/comparison",), is_main=True)
def search_comparison(tables: Tables) -> Grid:
    """A line per search: what the controller found, and differences in the rewarded accuracy, winners trained anew."""
    settings = {row["search"]: row for row in records(tables.rows("search/settings"))}
    rows: list[list[Cell]] = []
    for search, own in groups(tables.rows("search/comparison"), "search"):
        at = {(row["statement"], row["split"]): row for row in records(own)}
        found = {column: at[key] for column, key in COMPARED.items() if key in at}
        cells = [_points(found[column]) if column in found else NOTHING for column in COMPARED]
        rows.append([search, in_words(found, settings[search]), *cells])
    return Grid(["search", "the controller", *COMPARED], rows)


def in_words(found: dict[str, Cells], settings: Cells) -> str:
    """Whether a controller found better nets than random search: only if late children and winner are both better."""
    if not {LATE, WINNERS} <= found.keys():
        return "was not compared with random search"
    children, seeds = f"{settings['children']:,.0f}", settings["seeds"]
    budget = f"{children} children" if seeds == 1 else f"{seeds:g} x {children} children"
    both = [found[column] for column in (LATE, WINNERS)]
    if all(row["low"] > 0 for row in both):
        return f"found better nets than random search ({budget})"
    if all(row["high"] < 0 for row in both):
        return f"found worse nets than random search ({budget})"
    return f"no better than random search as far as {budget} tell"


def _nets(tables: Tables) -> pd.DataFrame:
    enlarged = tables.rows("search/enlarged")
    return enlarged if enlarged.empty else with_roles(enlarged, tables.rows("search/settings"))


def _share(row: Cells) -> str:
    low, high = (f"{100 * row[end]:.1f}" for end in ("low", "high"))
    return f"{100 * row['accuracy']:.1f} [{low}, {high}]"


def _points(row: Cells) -> str:
    value, low, high = (100 * row[name] for name in ("value", "low", "high"))
    numbers = f"{row['n_first']:g} and {row['n_second']:g} {row['counts']}"
    return f"{value:+.1f} [{low:+.1f}, {high:+.1f}], {numbers}"


def _rho(found: list[Cells]) -> str:
    if not found or math.isnan(found[0]["rho"]):
        return NOTHING
    return "{rho:.2f} [{low:.2f}, {high:.2f}]".format_map(found[0])
