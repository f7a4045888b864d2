"""The tables of the README, from the study's committed tables."""

from advlaw.claims.verdict import PAPER_RANGES, verdict

Row = dict[str, str]


def exponents_table(exponents: list[Row]) -> str:
    """A line per curve: the reported exponent, the papers' least squares beside it, and the paper's range."""
    lines = [
        "| data | net | attack | images | B, maximum likelihood | errors | B, least squares (net) | paper | verdict |",
        "|---|---|---|---:|---|---|---|---|---|",
    ]
    for reported in (row for row in exponents if row["is_reported"] == "true"):
        (straight_line,) = (
            row
            for row in exponents
            if (row["curve"], row["kind"], row["estimator"]) == (reported["curve"], "net", "least_squares")
        )
        cells = [
            reported["dataset"],
            reported["model"] + (" (training images)" if reported["split"] == "train" else ""),
            f"`{reported['attack']}`",
            f"{int(reported['n_images']):,}",
            _interval(reported),
            f"{reported['n_errors']} {reported['kind']}",
            _interval(straight_line),
            *_against_paper(reported),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def accuracy_table(models: list[Row]) -> str:
    """A line per model: architecture, size, epochs and accuracies."""
    lines = [
        "| model | data | net | parameters | epochs | training accuracy | test accuracy |",
        "|---|---|---|---:|---:|---:|---:|",
    ]
    for row in models:
        labels = ", shuffled labels" if row["labels"] == "shuffled" else ""
        lines.append(
            f"| {row['model']} | {row['dataset']} | {row['arch']}{labels} | {int(row['n_parameters']):,} | "
            f"{row['epochs']} | {float(row['train_accuracy']):.2%} | {float(row['test_accuracy']):.2%} |"
        )
    return "\n".join(lines)


def _against_paper(reported: Row) -> tuple[str, str]:
    """The paper's range for such an attack, and the verdict of the reported exponent."""
    paper = PAPER_RANGES.get(reported["target"])
    if paper is None:
        return "–", "–"
    shown = f"{paper[0]}–{paper[1]}"
    if not reported["exponent_low"]:
        return shown, "inconclusive"
    estimate, low, high = (float(reported[name]) for name in ("exponent", "exponent_low", "exponent_high"))
    return shown, verdict(estimate, low, high, paper)


def _interval(row: Row) -> str:
    if not row["exponent"]:
        return "too few errors"
    if not row["exponent_low"]:
        return f"{float(row['exponent']):.2f}"
    return f"{float(row['exponent']):.2f} [{float(row['exponent_low']):.2f}, {float(row['exponent_high']):.2f}]"


def replace_block(text: str, name: str, content: str) -> str:
    """`text` with the lines between `<!-- name -->` and `<!-- /name -->` replaced; raises ValueError without them."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    if text.count(begin) != 1 or text.count(end) != 1:
        raise ValueError(f"README.md: needs one {begin} and one {end}")
    before, rest = text.split(begin)
    return f"{before}{begin}\n{content}\n{end}{rest.split(end)[1]}"
