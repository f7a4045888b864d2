"""Results in a few lines: README's rows and its sentence of verdicts, and what a run of a study prints last."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from advlaw.claims.finding import VERDICTS
from advlaw.claims.rules import curve_verdict
from advlaw.claims.wording import PLURAL
from advlaw.core.io import Cells, read_text
from advlaw.core.tables import Tables, read_labelled, records
from advlaw.core.words import interval, law
from advlaw.papers.ranges import PAPER_RANGES
from advlaw.report.render import Cell, Grid, Marked

COUNTED = {  # a verdict -> how a number of claims with it is told
    "holds": "{} hold",
    "fails": "{} fail",
    "inconclusive": "{} are inconclusive",
    "masked": "{} are masked by weak attacks",
    "scaled": "{} were tested on a smaller analogue only",
    "not run": "{} were not run",
}
NOT_ABOUT_NETS = ("C21", "C23", "C42", "K03", "K04", "K06", "K24")  # but random numbers, settings, the paper's numbers


@dataclass(frozen=True)
class Headline:
    """A row: `found` gives the number and the verdict from the study's tables."""

    what: str
    paper: str
    study: str
    found: Callable[[Tables], tuple[str, str]]
    page: str


def _curve(name: str, claim: str = "") -> Callable[[Tables], tuple[str, str]]:
    """The exponent of one curve, with the verdict on it alone or that on a claim."""

    def found(tables: Tables) -> tuple[str, str]:
        row = _only(tables.rows("laws/exponents", curve=name))
        verdict = _verdict(tables, claim) if claim else curve_verdict(row, PAPER_RANGES[row["attack"]])
        return f"B = {law(row)}", verdict

    return found


def _states(claim: str, *curves: str) -> Callable[[Tables], tuple[str, str]]:
    def found(tables: Tables) -> tuple[str, str]:
        rows = {row["curve"]: row for row in records(tables.rows("laws/exponents", curve=curves))}
        told = (f"{law(rows[curve])} at {100 * rows[curve]['snapshot']:g} %" for curve in curves)
        return f"B = {', '.join(told)}", _verdict(tables, claim)

    return found


def _pool(claim: str, name: str) -> Callable[[Tables], tuple[str, str]]:
    def found(tables: Tables) -> tuple[str, str]:
        row = _only(tables.rows("laws/pooled", set=name, nets="all").head(1))
        return f"B = {interval(row)} for {row['n_nets']:g} nets", _verdict(tables, claim)

    return found


def _parts(claim: str, unit: str = "{:.2f}", scale: float = 1.0) -> Callable[[Tables], tuple[str, str]]:
    """From the least to the largest number that decides the claim."""

    def found(tables: Tables) -> tuple[str, str]:
        parts = tables.rows("claim_parts", claim=claim)
        judged = parts[parts["allowed_low"].notna() | parts["allowed_high"].notna()]["value"] * scale
        return f"{unit.format(judged.min())} to {unit.format(judged.max())}", _verdict(tables, claim)

    return found


def _verdict(tables: Tables, claim: str) -> str:
    return str(_only(tables.rows("claims", claim=claim))["verdict"])


def _only(rows: pd.DataFrame) -> Cells:
    """The one row; raises LookupError where the study has none."""
    if len(rows) != 1:
        raise LookupError
    return records(rows)[0]


MNIST, FINDINGS = "docs/results/mnist.md", "docs/findings"
HEADLINES = (
    Headline("FGSM, fully connected net, MNIST", "0.9–1.3", "mnist", _curve("fc/fgsm"), MNIST),
    Headline("FGSM, 200,000 synthetic images", "0.9–1.3", "digits", _curve("many_fc/fgsm"), "docs/results/digits.md"),
    Headline("FGSM, random nets pooled", "0.9–1.2", "mnist", _pool("C11", "sampled"), MNIST),
    Headline("Step l.l., which knows no label", "1.8–2.5", "mnist", _curve("fc/step_ll"), f"{FINDINGS}/label_blind.md"),
    Headline(
        "Shuffled labels, by training accuracy",
        "1.2 at 100 %",
        "mnist",
        _states("C13", "fc_shuffled_slow/fgsm@0.99", "fc_shuffled_slow/fgsm@1"),
        f"{FINDINGS}/shuffled_labels.md",
    ),
    Headline("FGSM, ResNet-32, CIFAR-10", "0.99", "cifar10", _curve("resnet32/fgsm", "C12"), "docs/results/cifar10.md"),
    Headline("Rank correlation of predicted and measured ε", "strong", "mnist", _parts("C19"), "docs/theory.md"),
    Headline("Accuracy an entropy penalty adds, points", "above 0", "mnist", _parts("C25", "{:+.1f}", 100), MNIST),
    Headline("Accuracy step-l.l. training adds under PGD", "not stated", "mnist", _parts("C27", "{:+.1f}", 100), MNIST),
)


def headlines(studies: Mapping[str, Tables]) -> Grid:
    """A line for each headline whose study was run."""
    rows: list[list[Cell]] = []
    for row in HEADLINES:
        if row.study in studies:
            try:
                number, verdict = row.found(studies[row.study])
            except LookupError:  # a study without the net, the set or the claim
                number, verdict = "–", "not run"
            rows.append([row.what, row.paper, number, verdict, Marked(Path(row.page).stem, "link", row.page)])
    return Grid(["what", "the paper", "found here, as ε → 0 [95 %]", "verdict", "more"], rows)


def verdict_counts(claims: Iterable[Cells]) -> str:
    """`Over all studies, of the papers' 66 claims 9 hold (3 of them about trained nets), 5 fail, …`: one sentence."""
    found = [(row["verdict"], row["claim"]) for row in claims]
    verdicts = [verdict for verdict, _ in found]
    about_nets = sum(verdict == "holds" and claim not in NOT_ABOUT_NETS for verdict, claim in found)
    counts = {name: text.format(verdicts.count(name)) for name, text in COUNTED.items() if name in verdicts}
    if "holds" in counts:
        counts["holds"] += f" ({about_nets} of them about trained nets)"
    *others, last = counts.values()
    return f"Over all studies, of the papers' {len(found)} claims {', '.join(others)} and {last}."


def last_lines(study: str) -> list[str]:
    """A study's headline exponents, its verdicts and where its report is, from what it wrote below this folder."""
    found = json.loads(read_text(Path("metrics") / study / "summary.json"))
    rows = {row["curve"]: row for row in records(read_labelled(Path("plots") / study, "laws/exponents"))}
    lines = (_exponent(rows[curve]) for curve in found["exponent"])
    return [study, *(f"  {line}" for line in (*lines, _counts(found["claims"]))), f"report: plots/{study}/report.html"]


def _exponent(row: Cells) -> str:
    """`fc/fgsm: B = 1.08 [0.48, 2.01] as ε -> 0`, of a row of laws/exponents."""
    found = law(row) if row["remark"] else f"B = {law(row)} as ε -> 0"
    return f"{row['curve']}: {found}, clean accuracy {row['clean_accuracy']:.1%}"


def _counts(counts: Mapping[str, int]) -> str:
    """`66 claims: 7 hold, 3 fail, …`, in the order of all tables and without those that are none."""
    told = [(counts[verdict], verdict) for verdict in VERDICTS if counts[verdict]]
    words = (f"{count} {verdict if count == 1 else PLURAL.get(verdict, verdict)}" for count, verdict in told)
    return f"{sum(counts.values())} claims: {', '.join(words)}"
