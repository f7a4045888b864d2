"""Tables of attacks that do not know the label: their exponents, and what happens near a tie."""

import math

from advlaw.core.io import Cells
from advlaw.core.tables import Tables, groups, records
from advlaw.core.words import interval, law
from advlaw.papers.names import ATTACK_NAMES
from advlaw.report.cells import number, percent
from advlaw.report.render import Cell, Grid, Marked, Right
from advlaw.report.table import table

SPEEDS = {"constant": "one speed for all", "linear": "its own linear response", "measured": "measured"}
ESTIMATES = {  # of an exponent: a column -> which errors are counted, and the estimator
    "mean slope, gross": ("gross", "mean_slope"),
    "mean slope, net": ("net", "mean_slope"),
    "least squares, net": ("net", "least_squares"),
}
FEWEST_IMAGES, ALWAYS_RIGHT = 1000, 0.98


@table("odds", "blind", "Net exponents of label-blind attacks as ε → 0, in two factors", needs=("laws/exponents",))
def odds(tables: Tables) -> Grid:
    """A line per curve: the exponent of all changes, that of the odds that one breaks an image, and their sum."""
    heads = [
        "data",
        "net",
        "attack",
        Right("net errors"),
        "all changes, B",
        "odds, D",
        Right("p of even odds"),
        "B + D",
    ]
    rows: list[list[Cell]] = []
    for row in records(tables.rows("laws/exponents", kind="net")):
        cells = [row["dataset"], row["model"], Marked(row["curve"].partition("/")[2], "code")]
        cells += [number(row["n_errors"], ",.0f"), interval(row, "all_changes"), interval(row, "sign_exponent")]
        rows.append([*cells, number(row["p_even"], ".2g"), law(row) if row["remark"] else Marked(law(row), "strong")])
    return Grid(heads, rows)


@table("label-blind", "blind", "Slopes of label-blind attacks, with speeds replaced", needs=("theory/label_blind",))
def label_blind(tables: Tables) -> Grid:
    """A line per net, label-blind attack and account: mean slopes of gross and net errors, and net ones by a line.

    Nets with fewer than a thousand test images are left out: their intervals say nothing.
    """
    rows = []
    for (net, attack, speeds), own in groups(tables.rows("theory/label_blind"), "net", "attack", "speeds"):
        found = {(row["kind"], row["estimator"]): row for row in records(own[own["n_images"] >= FEWEST_IMAGES])}
        if found:
            estimates = [interval(found[estimate]) for estimate in ESTIMATES.values()]
            rows.append([net, ATTACK_NAMES.get(attack, attack), SPEEDS[speeds], *estimates])
    return Grid(["net", "attack", "gaps close at", *ESTIMATES], rows)


@table("ties", "blind", "Who is right near a tie, and how fast gaps close", needs=("theory/ties",))
def ties(tables: Tables) -> Grid:
    """A line per bin of Delta_12: who is right, and how fast gaps close under FGSM-pred and step l.l.

    Up to where practically every prediction is right.
    """
    heads = ["net", Right("median Δ₁₂"), Right("images"), "prediction right", "runner-up right"]
    heads += ["FGSM-pred, mean speed ± spread", "step l.l.", "step l.l. closes"]
    rows = []
    for net, bins in groups(tables.rows("theory/ties"), "net"):
        own = {attack: records(rows) for attack, rows in groups(bins, "attack")}
        if not {"fgsm_predicted", "step_ll"} <= own.keys():
            continue
        for blind, least in zip(own["fgsm_predicted"], own["step_ll"], strict=True):
            if blind["p_right"] > ALWAYS_RIGHT:
                continue
            cells = [net, f"{blind['gap']:.3g}", f"{blind['n_images']:,}"]
            cells += [interval(blind, "p_right"), interval(blind, "p_second"), _speed(blind), _speed(least)]
            rows.append([*cells, percent(least["closing"])])
    return Grid(heads, rows)


@table("near-ties", "blind", "How the speed falls towards a tie", needs=("theory/near_ties",))
def near_ties(tables: Tables) -> Grid:
    """A line per net and attack: the speeds of gaps below 1, as slope * Delta_12 + intercept and their spread."""
    rows = [
        [
            *(row["net"], ATTACK_NAMES.get(row["attack"], row["attack"]), str(row["n_images"])),
            *(number(row[name], ".2g") for name in ("slope", "intercept", "floor", "pole")),
        ]
        for row in records(tables.rows("theory/near_ties"))
        if not math.isnan(row["slope"])  # else too few images are near a tie
    ]
    return Grid(["net", "attack", *map(Right, ("images with Δ₁₂ < 1", "c", "intercept", "s", "1 / c"))], rows)


@table("ideal", "blind", "The account where its assumptions hold exactly", needs=("theory/ideal", "theory/label_blind"))
def ideal(tables: Tables) -> Grid:
    """A line per eps: sampled and derived errors where the account's assumptions hold by construction."""
    errors = ("gross_sampled", "gross_exact", "net_sampled", "net_exact")
    rows = [
        [
            "one for all" if row["speeds"] == "constant" else "falling",
            f"{row['eps']:g}",
            *(f"{row[error]:.3g}" for error in errors),
        ]
        for row in records(tables.rows("theory/ideal"))
    ]
    return Grid(["speeds", *map(Right, ("ε", "gross, sampled", "derived", "net, sampled", "derived"))], rows)


def _speed(row: Cells) -> str:
    return f"{row['speed']:.3g} ± {row['spread']:.2g}"
