"""Tables of published nets on photographs: what they are, their exponents, and every two of them side by side."""

import math

from advlaw.claims.rules import curve_verdict
from advlaw.claims.study import nearest
from advlaw.core.io import Cells
from advlaw.core.tables import Tables, records
from advlaw.core.words import interval
from advlaw.figures.style import ATTACK_NAMES
from advlaw.papers.imagenet import CUBUK, RANGES
from advlaw.report.cells import number, points
from advlaw.report.render import Grid, Marked, Right
from advlaw.report.table import table
from advlaw.report.tables.curves import LAW, PRINTED, attack_cell, law_in_bold, other_estimates

EPS = 0.2  # at which Cubuk Sec. 1 gives errors


@table("published", "imagenet", "Clean accuracy beside the published one", needs=("published/nets",), is_main=True)
def published(tables: Tables) -> Grid:
    """A line per published net: which net of the paper it is, or stands in for, what it was trained on, accuracies."""
    heads = ["net", "timm's name", "the paper's net", "trained on", "images", Right("number"), "top 1"]
    rows = []
    for row in records(tables.rows("published/nets")):
        trained_on = f"{row['defence']} examples" if row["defence"] else "clean images"
        cells = [row["net"], Marked(row["network"], "code") if row["network"] else "–", _paper_net(row), trained_on]
        cells += [row["holds"], number(row["n_images"], ",.0f"), _share(row, "top1")]
        rows.append([*cells, number(row["published_accuracy"], ".1%"), _share(row, "top5")])
    return Grid([*heads, Right("published"), "top 5"], rows)


@table(
    "published_exponents",
    "imagenet",
    "Exponents of published nets, and their error at ε = 0.2",
    needs=("published/nets", "laws/exponents", "exponents", "error_curves"),
    is_main=True,
)
def published_exponents(tables: Tables) -> Grid:
    """A line per net and attack: its exponents as a law and as printed against the paper's range for ImageNet nets."""
    heads = ["net", "attack", Right("images"), Right("errors"), "the paper", LAW, "verdict as a law", PRINTED]
    nets, rows = tuple(row["net"] for row in records(tables.rows("published/nets"))), []
    for row in records(tables.rows("laws/exponents", model=nets, attack=tuple(RANGES), split="test", snapshot=None)):
        paper, (line, _) = RANGES[row["attack"]], other_estimates(tables, row)
        cells = [row["model"], attack_cell(row), f"{row['n_images']:,.0f}", number(row["n_errors"], ",.0f")]
        cells += [f"{paper[0]}–{paper[1]}", law_in_bold(row), curve_verdict(row, paper)]
        cells += [interval(line), curve_verdict(line, paper)]
        (point,) = records(nearest(tables.rows("error_curves", curve=row["curve"]), "grid_eps", EPS, math.inf))
        shown = {"e": point["net_error"], "e_low": point["net_low"], "e_high": point["net_high"]}
        rows.append([*cells, f"{point['grid_eps']:.2g}", _share(shown, "e")])
    return Grid([*heads, "verdict as printed", Right("ε"), "error there"], rows)


@table("published_pairs", "imagenet", "Every two published nets on the same images", needs=("published/pairs",))
def published_pairs(tables: Tables) -> Grid:
    """A line per two nets, attack and eps: errors, and how much larger the first net's are; paired, over all images."""
    heads = ["net", "other", "attack", Right("ε"), Right("images"), Right("adversarial error"), Right("of the other")]
    rows = []
    for row in records(tables.rows("published/pairs")):
        cells = [row["net"], row["other"], ATTACK_NAMES[row["attack"]], f"{row['eps']:.2g}", f"{row['n_images']:,.0f}"]
        cells += [f"{row['net_error']:.1%}", f"{row['net_error_other']:.1%}", points(row, "net_difference")]
        cells += [f"{row['error']:.1%}", f"{row['error_other']:.1%}", points(row, "difference")]
        rows.append(cells)
    more = [Right("top-1 error"), Right("of the other"), "difference, points"]
    return Grid([*heads, "difference, points", *more], rows)


def _paper_net(row: Cells) -> str:
    """`NASNet-A`, or `instead of ResNet v1 50`."""
    return f"instead of {row['stands_for']}" if row["stands_for"] else CUBUK.get(row["network"], "–")


def _share(row: Cells, name: str) -> str:
    """`78.0 % [76.5, 79.4]`."""
    value, low, high = (100 * row[f"{name}{end}"] for end in ("", "_low", "_high"))
    return "–" if math.isnan(value) else f"{value:.1f} %" + ("" if math.isnan(low) else f" [{low:.1f}, {high:.1f}]")
