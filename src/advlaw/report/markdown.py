"""The README and the pages of docs/, with tables made from the studies' committed tables."""

from collections.abc import Callable, Iterator
from pathlib import Path

from advlaw.claims.verdict import verdict
from advlaw.core.io import Row, Tables
from advlaw.papers.ranges import PAPER_RANGES, PAPER_VALUES
from advlaw.report import theory_tables, trials_tables, worst_case_tables
from advlaw.report.cells import interval, table


def exponents_table(exponents: list[Row]) -> str:
    """A line per curve of the nets fitted to true labels: gross and net exponents, and the paper's."""
    columns = ["data", "net", "attack", "images:", "gross, ML", "net, ML", "net, LS", "paper", "verdict"]
    rows = []
    for reported in _reported(exponents, "original"):
        attack = reported["curve"].partition("/")[2]
        cells = [reported["dataset"], reported["model"], f"`{attack}`", f"{int(reported['n_images']):,}"]
        rows.append([*cells, *_estimates(exponents, reported), *_against_paper(reported)])
    return table(columns, rows)


def shuffled_table(exponents: list[Row], gaps: list[Row], models: list[Row]) -> str:
    """A line per state of a net fitted to shuffled labels: FGSM's exponent and how many images are close to a tie."""
    columns = [
        "data",
        "learning rate",
        "state",
        "epoch:",
        "training accuracy:",
        "gross, ML",
        "net, LS",
        "paper",
        "verdict",
    ]
    columns += ["Δ₁₂ density near 0:", "exponent of P(Δ₁₂ ≤ d), smallest 10 %"]
    trained = (row for row in models if row["learning_rate"])  # here, not by others
    rates = {row["model"]: f"{float(row['learning_rate']):g}, {row['schedule']}" for row in trained}
    rows = []
    for reported in _reported(exponents, "shuffled"):
        if (reported["attack"], reported["split"]) != ("fgsm", "train"):
            continue
        (gap,) = (row for row in gaps if all(row[key] == reported[key] for key in ("model", "snapshot", "split")))
        gross, _, straight = _estimates(exponents, reported)
        snapshot = reported["snapshot"]
        rows.append(
            [
                reported["dataset"],
                rates[reported["model"]],
                f"first {100 * float(snapshot):g} %" if snapshot else "end",
                reported["epoch"],
                f"{100 * float(reported['train_accuracy']):.5g} %",
                gross,
                straight,
                *_against_paper(reported),
                f"{float(gap['gap_density']):.2f}",
                interval(gap, "gap_exponent_0.1"),
            ]
        )
    return table(columns, rows)


def accuracy_table(models: list[Row], gaps: list[Row]) -> str:
    """A line per model: architecture, size, how it was trained, accuracies, and the exponents of its gaps."""
    columns = ["model", "data", "net", "parameters:", "epochs:", "defence", "training accuracy:", "test accuracy:"]
    columns += ["exponent of P(Δ₁₂ ≤ d), smallest 10 %", "smallest 1 %"]
    on_test = {row["model"]: row for row in gaps if row["split"] == "test" and not row["snapshot"]}
    rows = []
    for row in models:
        labels = ", shuffled labels" if row["labels"] == "shuffled" else ""
        sizes = [row["model"], row["dataset"], row["arch"] + labels, f"{int(row['n_parameters']):,}"]
        sizes += [row["epochs"] or "by others", _defence(row)]
        accuracies = [f"{float(row[key]):.2%}" if row[key] else "–" for key in ("train_accuracy", "test_accuracy")]
        gap = on_test.get(row["model"])
        exponents = ["–", "–"] if gap is None else [interval(gap, f"gap_exponent_{cut}") for cut in ("0.1", "0.01")]
        rows.append([*sizes, *accuracies, *exponents])
    return table(columns, rows)


def _defence(row: Row) -> str:
    """What a net was defended with, and whether it learnt to resist nothing but that."""
    overfitted = f"; overfitted to its attack from epoch {row['overfitted_at']}" if row["overfitted_at"] else ""
    return (row["defence"] or "–") + overfitted


def studies_table(studies: dict[str, tuple[str, list[Row] | None]]) -> str:
    """A line per study: name -> the command that runs it and its exponents.csv, or None where it was not run here.

    A file studies/<name>/DUE says why what is committed lags behind the code.
    """
    columns = ["study", "run it", "data", "nets attacked:", "curves:", "results"]
    rows = []
    for name, (command, exponents) in studies.items():
        cells = ["–", "–", "–", "not run here"]
        if exponents is not None:
            curves = list(_reported(exponents))
            data = ", ".join(dict.fromkeys(row["dataset"] for row in curves))
            nets = len({row["model"] for row in curves})
            due = Path("studies", name, "DUE")
            lags = f", [rerun due]({due.as_posix()})" if due.is_file() else ""
            cells = [data, str(nets), str(len(curves)), f"[plots/{name}](plots/{name}){lags}"]
        rows.append([name, f"`{command}`", *cells])
    return table(columns, rows)


def _reported(exponents: list[Row], labels: str | None = None) -> Iterator[Row]:
    return (row for row in exponents if row["is_reported"] == "true" and labels in (None, row["labels"]))


def _estimates(exponents: list[Row], reported: Row) -> list[str]:
    """Gross and net by maximum likelihood, and the papers' least squares on the net curve; the reported one in bold."""
    wanted = [("gross", "maximum_likelihood"), ("net", "maximum_likelihood"), ("net", "least_squares")]
    found = {(row["kind"], row["estimator"]): row for row in exponents if row["curve"] == reported["curve"]}
    cells = []
    for kind, estimator in wanted:
        row = found[kind, estimator]
        bold = "**" if row["is_reported"] == "true" and row["exponent"] else ""
        cells.append(f"{bold}{interval(row)}{bold}")
    return cells


def _against_paper(reported: Row) -> list[str]:
    """The paper's value and range for such an attack, and the verdict of the reported exponent on the range."""
    paper = PAPER_RANGES.get(reported["attack"])
    if paper is None:
        return ["–", "–"]
    shown = f"{paper[0]}–{paper[1]}"
    value = PAPER_VALUES.get((reported["dataset"], reported["labels"], reported["attack"]))
    if value and reported["arch"] == "fc":
        shown = f"{value}; {shown}"
    if not reported["exponent_low"]:
        return [shown, "inconclusive"]
    estimate, low, high = (float(reported[name]) for name in ("exponent", "exponent_low", "exponent_high"))
    return [shown, verdict(estimate, low, high, paper)]


def replace_block(text: str, name: str, content: str) -> str:
    """`text` with the lines between `<!-- name -->` and `<!-- /name -->` replaced; raises ValueError without them."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    if text.count(begin) != 1 or text.count(end) != 1:
        raise ValueError(f"the page needs one {begin} and one {end}")
    before, rest = text.split(begin)
    return f"{before}{begin}\n{content}\n{end}{rest.split(end)[1]}"


# `<!-- NAME STUDY -->` in a page is followed by that table of that study
BLOCKS: dict[str, Callable[[Tables], str]] = {
    "exponents": lambda tables: exponents_table(tables["exponents"]),
    "models": lambda tables: accuracy_table(tables["models"], tables["logit_gaps"]),
    "shuffled": lambda tables: shuffled_table(tables["exponents"], tables["logit_gaps"], tables["models"]),
    "population": trials_tables.population_table,
    "differences": trials_tables.differences_table,
    "defences": worst_case_tables.defences_table,
    "predictions": theory_tables.predictions_table,
    "deciles": theory_tables.deciles_table,
    "gap-exponents": theory_tables.gap_exponents_table,
    "constants": theory_tables.constants_table,
    "residuals": theory_tables.residuals_table,
    "epochs": theory_tables.epochs_table,
    "label-blind": theory_tables.label_blind_table,
    "ties": theory_tables.ties_table,
    "near-ties": theory_tables.near_ties_table,
    "ideal": theory_tables.ideal_table,
}


def filled(text: str, studies: dict[str, tuple[str, Tables | None]]) -> str:
    """A page with its tables made anew: study -> its command and its tables by name, None where it was not run."""
    if "<!-- studies -->" in text:
        curves = {
            name: (command, tables["exponents"] if tables else None) for name, (command, tables) in studies.items()
        }
        text = replace_block(text, "studies", studies_table(curves))
    for study, (_, tables) in studies.items():
        for name, made in BLOCKS.items():
            if tables is not None and f"<!-- {name} {study} -->" in text:
                text = replace_block(text, f"{name} {study}", made(tables))
    return text
