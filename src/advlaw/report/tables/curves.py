"""Tables of error curves: exponents against the papers', in every range, of shuffled labels, and the nets."""

import math

from advlaw.claims.rules import curve_verdict
from advlaw.core.io import Cells
from advlaw.core.tables import Tables, chosen, records
from advlaw.core.words import interval, law
from advlaw.papers.ranges import PAPER_RANGES, PAPER_VALUES
from advlaw.report.cells import number
from advlaw.report.render import Cell, Grid, Marked, Right
from advlaw.report.table import table

GAPS = "exponent of P(Δ₁₂ ≤ d), smallest 10 %"
LAW, PRINTED, SLOPE = "as a law, ε → 0", "as printed", "mean slope"


@table("exponents", "curves", "Exponents of nets fitted to true labels", needs=("laws/exponents",), is_main=True)
def exponents(tables: Tables) -> Grid:
    """A line per curve of the nets fitted to true labels: its exponents in three ways, the paper's, and verdicts."""
    heads = ["data", "net", "attack", Right("images"), Right("errors"), "the paper", LAW, "verdict as a law", PRINTED]
    heads += ["verdict as printed", SLOPE]
    rows = []
    for row in records(tables.rows("laws/exponents", labels="original")):
        cells = [
            row["dataset"],
            row["model"],
            attack_cell(row),
            f"{row['n_images']:,.0f}",
            number(row["n_errors"], ",.0f"),
        ]
        line, slope = other_estimates(tables, row)
        paper, *verdicts = _against_paper(row, line)
        rows.append([*cells, paper, law_in_bold(row), verdicts[0], interval(line), verdicts[1], interval(slope)])
    return Grid(heads, rows)


@table("ranges", "curves", "Exponents as ε → 0 in every range, and how well they fit", needs=("laws/ranges",))
def ranges(tables: Tables) -> Grid:
    """A line per curve: the range that counts, fits in it, with other priors and with none to bend, and every range.

    A range ends where errors are so many of the images that are right when clean.
    """
    found: dict[str, dict[float, str]] = {}
    for one in records(tables.rows("laws/ranges")):
        found.setdefault(one["curve"], {})[one["share"]] = interval(one)
    shares = sorted({share for own in found.values() for share in own}, reverse=True)
    heads = ["data", "curve", "range", Right("p of the fit"), "half the prior", "double", Right("p of a straight line")]
    rows = []
    for row in records(tables.rows("laws/exponents")):
        if own := found.get(row["curve"]):
            end = f"{_whole(row['share'])}, ε ≤ {row['e0'] / row['eps_scale']:.2g}"
            cells = [row["dataset"], Marked(row["curve"], "code"), end, number(row["p_fit"], ".2g")]
            cells += [interval(row, "half_prior"), interval(row, "double_prior"), number(row["p_straight"], ".1g")]
            rows.append([*cells, interval(row, "factor_1"), *(own.get(share, "–") for share in shares)])
    return Grid([*heads, "bend, a₁", *map(_whole, shares)], rows)


@table("models", "curves", "The nets", needs=("models", "logit_gaps"), is_main=True)
def models(tables: Tables) -> Grid:
    """A line per model: architecture, size, how it was trained, accuracies, and the exponents of its gaps."""
    heads = ["model", "data", "net", Right("parameters"), Right("epochs"), "defence", Right("training accuracy")]
    heads += [Right("test accuracy"), GAPS, "smallest 1 %"]
    gaps = {row["model"]: row for row in records(tables.rows("logit_gaps", split="test", snapshot=None))}
    rows = []
    for row in records(tables.rows("models")):
        net = row["arch"] + (", shuffled labels" if row["labels"] == "shuffled" else "")
        cells = [row["model"], row["dataset"], net, f"{row['n_parameters']:,.0f}"]
        cells += [number(row["epochs"], "g", "by others"), _defence(row)]
        cells += [number(row[accuracy], ".2%") for accuracy in ("train_accuracy", "test_accuracy")]
        gap = gaps.get(row["model"])
        rows.append([*cells, *(interval(gap, f"gap_exponent_{cut}") if gap else "–" for cut in ("0.1", "0.01"))])
    return Grid(heads, rows)


@table(
    "shuffled",
    "shuffled",
    "FGSM on nets fitted to shuffled labels",
    needs=("laws/exponents", "logit_gaps", "models"),
    is_main=True,
)
def shuffled(tables: Tables) -> Grid:
    """A line per state of a net fitted to shuffled labels: FGSM's exponent, if errors follow a law, and how many images
    are close to a tie."""
    heads = ["data", "learning rate", "state", Right("training accuracy"), LAW, "half the prior", "double", "a law?"]
    heads += [PRINTED, SLOPE, Right("Δ₁₂ density near 0"), GAPS]
    wanted = {"labels": "shuffled", "attack": "fgsm", "split": "train"}
    rows = []
    for row in records(tables.rows("laws/exponents", **wanted)):
        (net,) = records(tables.rows("models", model=row["model"]))
        (gap,) = records(tables.rows("logit_gaps", net=row["net"], split="train"))
        state = "end" if math.isnan(row["snapshot"]) else f"first {100 * row['snapshot']:g} %"
        cells = [row["dataset"], f"{net['learning_rate']:g}, {net['schedule']}", f"{state}, epoch {row['epoch']:g}"]
        cells += [f"{100 * row['train_accuracy']:.5g} %", interval(row) if row["remark"] else law_in_bold(row)]
        cells += [interval(row, "half_prior"), interval(row, "double_prior")]
        cells.append(f"no: {row['remark']}" if row["remark"] else "yes")
        rows.append([*cells, *map(interval, other_estimates(tables, row)), f"{gap['gap_density']:.2f}"])
        rows[-1].append(interval(gap, "gap_exponent_0.1"))
    return Grid(heads, rows)


def _whole(share: float) -> str:
    return f"{100 * share:g} %"


def attack_cell(row: Cells) -> Marked:
    return Marked(row["curve"].partition("/")[2], "code")


def law_in_bold(row: Cells) -> Cell:
    """The exponent as eps -> 0, or why there is no law."""
    return law(row) if row["remark"] else Marked(law(row), "strong")


def other_estimates(tables: Tables, row: Cells) -> tuple[Cells, Cells]:
    """A curve's slope by least squares on net errors, as the papers have it, and its mean slope over the range."""
    own = tables.rows("exponents", curve=row["curve"])
    (line,) = records(chosen(own, kind="net", estimator="least_squares"))
    (slope,) = records(chosen(own, kind=row["kind"], estimator="mean_slope"))
    return line, slope


def _against_paper(row: Cells, line: Cells) -> list[str]:
    """The paper's value and range for such an attack, and the verdicts on the range as a law and as printed."""
    paper = PAPER_RANGES.get(row["attack"])
    if paper is None:
        return ["–", "–", "–"]
    shown = f"{paper[0]}–{paper[1]}"
    value = PAPER_VALUES.get((row["dataset"], row["labels"], row["attack"]))
    if value and row["arch"] == "fc":
        shown = f"{value}; {shown}"
    return [shown, curve_verdict(row, paper), curve_verdict(line, paper)]


def _defence(row: Cells) -> str:
    """What a net was defended with, and whether it learnt to resist nothing but that."""
    overfitted = number(row["overfitted_at"], "g", "")
    return (row["defence"] or "–") + (f"; overfitted to its attack from epoch {overfitted}" if overfitted else "")
