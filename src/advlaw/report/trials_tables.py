"""Tables of sets of nets: how the exponents of sampled ones are distributed, and what varied ones gain."""

from fnmatch import fnmatch

from advlaw.core.io import Row
from advlaw.report.cells import table

NETS = {"all": "all", "fc": "fully connected", "cnn": "convolutional"}
ESTIMATES = {"net_ls": "LS", "net": "ML"}
SHARES = ("share", "share_low", "share_high", "share_touching")
LINE = ("set", "net", "baseline", "attack")
EXPONENTS, DIFFERENCES = "trials/*/exponents", "trials/*/differences"


def rows_of(tables: dict[str, list[Row]], pattern: str) -> list[Row]:
    """The rows of all tables whose names match, one set after another, each with its `set`."""
    found = {name.split("/")[1]: rows for name, rows in tables.items() if fnmatch(name, pattern)}
    return [{"set": name, **row} for name, rows in found.items() for row in rows]


def population_table(tables: dict[str, list[Row]]) -> str:
    """A line per attack, estimator and kind of net: quantiles of the net exponent, its share in the paper's range."""
    columns = [
        "set",
        "attack",
        "nets",
        "number:",
        "estimator",
        "median [5 %, 95 %]",
        "half-width of one net's interval:",
    ]
    columns += ["paper", "share in it", "nets whose interval touches it:"]
    rows = []
    for row in rows_of(tables, EXPONENTS):
        if row["estimate"] not in ESTIMATES or row["n_nets"] == "0":
            continue
        middle, low, high = (f"{float(row[f'quantile_{q}']):.2f}" for q in ("0.5", "0.05", "0.95"))
        cells = [row["set"], f"`{row['attack']}`", NETS[row["nets"]], row["n_nets"], ESTIMATES[row["estimate"]]]
        cells += [f"{middle} [{low}, {high}]", f"±{float(row['median_half_width']):.2f}"]
        rows.append([*cells, *_share(row)])
    return table(columns, rows)


def _share(row: Row) -> list[str]:
    if not row["band_low"]:
        return ["–", "–", "–"]
    share, low, high, touching = (f"{100 * float(row[name]):.0f} %" for name in SHARES)
    return [f"{float(row['band_low']):g}–{float(row['band_high']):g}", f"{share} [{low}, {high}]", touching]


def differences_table(tables: dict[str, list[Row]]) -> str:
    """A line per net and attack: how many points more accurate it is than its baseline, clean and at every eps."""
    rows = rows_of(tables, DIFFERENCES)
    sizes = sorted({float(row["grid_eps"]) for row in rows})
    cells = {(tuple(row[key] for key in LINE), float(row["grid_eps"])): _points(row) for row in rows}
    columns = ["set", "net", "against", "attack", *("clean" if eps == 0 else f"ε = {eps:g}" for eps in sizes)]
    lines = []
    for line in dict.fromkeys(line for line, _ in cells):
        lines.append([*line[:-1], f"`{line[-1]}`", *(cells.get((line, eps), "–") for eps in sizes)])
    return table(columns, lines)


def _points(row: Row) -> str:
    value, low, high = (100 * float(row[f"difference{end}"]) for end in ("", "_low", "_high"))
    return f"{value:+.1f} [{low:+.1f}, {high:+.1f}]"
