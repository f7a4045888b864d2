"""Tables of error curves: exponents against the papers', shuffled labels, and the nets."""

import math

from advlaw.claims.finding import verdict
from advlaw.core.io import Cells
from advlaw.core.tables import Tables, records
from advlaw.core.words import interval
from advlaw.papers.ranges import PAPER_RANGES, PAPER_VALUES
from advlaw.report.cells import ESTIMATES, number
from advlaw.report.render import Cell, Grid, Marked, Right
from advlaw.report.table import table

GAPS = "exponent of P(Δ₁₂ ≤ d), smallest 10 %"


@table("exponents", "curves", "Exponents of nets fitted to true labels", needs=("exponents",), is_open=True)
def exponents(tables: Tables) -> Grid:
    """A line per curve of the nets fitted to true labels: gross and net exponents, and the paper's."""
    heads = ["data", "net", "attack", Right("images"), *ESTIMATES, "paper", "verdict"]
    rows = []
    for row in records(tables.rows("exponents", is_reported=True, labels="original")):
        attack = Marked(row["curve"].partition("/")[2], "code")
        cells = [row["dataset"], row["model"], attack, f"{row['n_images']:,.0f}"]
        rows.append([*cells, *_estimates(tables, row["curve"]), *_against_paper(row)])
    return Grid(heads, rows)


@table("models", "curves", "The nets", needs=("models", "logit_gaps"), is_open=True)
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
    needs=("exponents", "logit_gaps", "models"),
    is_open=True,
)
def shuffled(tables: Tables) -> Grid:
    """A line per state of a net fitted to shuffled labels: FGSM's exponent and how many images are close to a tie."""
    heads = ["data", "learning rate", "state", Right("epoch"), Right("training accuracy"), "gross, ML", "net, LS"]
    heads += ["paper", "verdict", Right("Δ₁₂ density near 0"), GAPS]
    wanted = {"labels": "shuffled", "attack": "fgsm", "split": "train"}
    rows = []
    for row in records(tables.rows("exponents", is_reported=True, **wanted)):
        (net,) = records(tables.rows("models", model=row["model"]))
        (gap,) = records(tables.rows("logit_gaps", net=row["net"], split="train"))
        gross, _, straight = _estimates(tables, row["curve"])
        state = "end" if math.isnan(row["snapshot"]) else f"first {100 * row['snapshot']:g} %"
        cells = [row["dataset"], f"{net['learning_rate']:g}, {net['schedule']}", state, f"{row['epoch']:g}"]
        cells += [f"{100 * row['train_accuracy']:.5g} %", gross, straight, *_against_paper(row)]
        rows.append([*cells, f"{gap['gap_density']:.2f}", interval(gap, "gap_exponent_0.1")])
    return Grid(heads, rows)


def _estimates(tables: Tables, curve: str) -> list[Cell]:
    """Gross and net by maximum likelihood, and the papers' least squares on the net curve; the reported one in bold."""
    found = {(row["kind"], row["estimator"]): row for row in records(tables.rows("exponents", curve=curve))}
    own = [found[estimate] for estimate in ESTIMATES.values()]
    is_bold = [row["is_reported"] and not math.isnan(row["exponent"]) for row in own]
    return [Marked(interval(row), "strong") if bold else interval(row) for row, bold in zip(own, is_bold, strict=True)]


def _against_paper(reported: Cells) -> list[str]:
    """The paper's value and range for such an attack, and the verdict of the reported exponent on the range."""
    paper = PAPER_RANGES.get(reported["attack"])
    if paper is None:
        return ["–", "–"]
    shown = f"{paper[0]}–{paper[1]}"
    value = PAPER_VALUES.get((reported["dataset"], reported["labels"], reported["attack"]))
    if value and reported["arch"] == "fc":
        shown = f"{value}; {shown}"
    estimate, low, high = (reported[f"exponent{end}"] for end in ("", "_low", "_high"))
    return [shown, verdict(estimate, low, high, paper)]


def _defence(row: Cells) -> str:
    """What a net was defended with, and whether it learnt to resist nothing but that."""
    overfitted = number(row["overfitted_at"], "g", "")
    return (row["defence"] or "–") + (f"; overfitted to its attack from epoch {overfitted}" if overfitted else "")
