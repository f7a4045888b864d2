"""Tables of defended nets: accuracies under weak and strong attacks, and what is left of a gain."""

from advlaw.core.io import Row
from advlaw.report.cells import table

METHODS = {  # a column -> how the names of the attacks in it begin; the lowest accuracy of them is shown
    "step l.l.:": ("one_step.step_ll_clipped",),
    "naive gradient:": ("one_step.step_ll_naive",),
    "FGSM:": ("one_step.fgsm",),
    "PGD:": ("iterative.",),
    "APGD:": ("apgd.",),
    "Square:": ("query.",),
    "transferred:": ("transferred:",),
    "worst case:": ("worst case",),
}


def defences_table(tables: dict[str, list[Row]]) -> str:
    """A line per net and eps: accuracy under each kind of attack, and the gains over its baseline."""
    columns = ["net", "clean:", "ε:", *METHODS, "gain, step l.l.", "gain, worst case", "both gains"]
    accuracies = tables["worst_case/accuracy"]
    gains = {(row["net"], row["eps"]): row for row in tables["worst_case/gains"]}
    rows = []
    for net, eps in dict.fromkeys((row["net"], row["eps"]) for row in accuracies if row["role"] != "clean"):
        own = [row for row in accuracies if row["net"] == net]
        (clean,) = (row for row in own if row["role"] == "clean")
        cells = [net, _percent(clean["accuracy"]), f"{float(eps):g}"]
        for begins in METHODS.values():
            found = [float(row["accuracy"]) for row in own if row["eps"] == eps and row["attack"].startswith(begins)]
            cells.append(_percent(min(found)) if found else "–")
        rows.append([*cells, *_gains(gains.get((net, eps)))])
    return table(columns, rows)


def _gains(row: Row | None) -> list[str]:
    """Both gains in points with their intervals, and the verdict; dashes for a net without a baseline."""
    if row is None:
        return ["–", "–", "–"]
    shown = []
    for name in ("weak_gain", "worst_gain"):
        estimate, low, high = (100 * float(row[f"{name}{end}"]) for end in ("", "_low", "_high"))
        shown.append(f"{estimate:+.1f} [{low:+.1f}, {high:+.1f}]")
    return [*shown, row["verdict"]]


def _percent(share: str | float) -> str:
    return f"{float(share):.1%}"
