"""Tables of populations: how the exponents of sampled nets are distributed."""

from advlaw.report.cells import Row, table

NETS = {"all": "all", "fc": "fully connected", "cnn": "convolutional"}
ESTIMATES = {"net_ls": "LS", "net": "ML"}
SHARES = ("share", "share_low", "share_high", "share_touching")


def population_table(tables: dict[str, list[Row]]) -> str:
    """A line per attack, estimator and kind of net: quantiles of the net exponent, its share in the paper's range."""
    columns = ["attack", "nets", "number:", "estimator", "median [5 %, 95 %]", "half-width of one net's interval:"]
    columns += ["paper", "share in it", "nets whose interval touches it:"]
    rows = []
    for row in tables["population/exponents"]:
        if row["estimate"] not in ESTIMATES or row["n_nets"] == "0":
            continue
        middle, low, high = (f"{float(row[f'quantile_{q}']):.2f}" for q in ("0.5", "0.05", "0.95"))
        cells = [f"`{row['attack']}`", NETS[row["nets"]], row["n_nets"], ESTIMATES[row["estimate"]]]
        cells += [f"{middle} [{low}, {high}]", f"±{float(row['median_half_width']):.2f}"]
        rows.append([*cells, *_share(row)])
    return table(columns, rows)


def _share(row: Row) -> list[str]:
    if not row["band_low"]:
        return ["–", "–", "–"]
    share, low, high, touching = (f"{100 * float(row[name]):.0f} %" for name in SHARES)
    return [f"{float(row['band_low']):g}–{float(row['band_high']):g}", f"{share} [{low}, {high}]", touching]
