"""The table of defended nets: accuracies under weak and strong attacks, and what is left of a gain."""

from advlaw.core.tables import Tables, chosen, groups, records
from advlaw.report.cells import points
from advlaw.report.render import Grid, Right
from advlaw.report.table import table

METHODS = {  # a column -> how the names of the attacks in it begin; the lowest accuracy of them is shown
    "step l.l.": "one_step.step_ll_clipped",
    "naive gradient": "one_step.step_ll_naive",
    "FGSM": "one_step.fgsm",
    "PGD": "iterative.",
    "APGD": "apgd.",
    "Square": "query.",
    "transferred": "transferred:",
    "worst case": "worst case",
}


@table("defences", "defences", "Accuracy under every kind of attack", needs=("worst_case/accuracy",))
def defences(tables: Tables) -> Grid:
    """A line per net and eps: accuracy under each kind of attack, and the gains over its baseline, if it has one."""
    gains = {(row["net"], row["eps"]): row for row in records(tables.rows("worst_case/gains"))}
    rows = []
    for net, own in groups(tables.rows("worst_case/accuracy"), "net"):
        (clean,) = records(chosen(own, role="clean"))
        for eps, attacked in groups(own[own["role"] != "clean"], "eps"):
            cells = [net, f"{clean['accuracy']:.1%}", f"{eps:g}"]
            for begins in METHODS.values():
                found = attacked["accuracy"][attacked["attack"].str.startswith(begins)]
                cells.append("–" if found.empty else f"{found.min():.1%}")
            gain = gains.get((net, eps))
            told = [points(gain, "weak_gain"), points(gain, "worst_gain"), gain["verdict"]] if gain else ["–"] * 3
            rows.append([*cells, *told])
    heads = ["net", Right("clean"), Right("ε"), *map(Right, METHODS), "gain, step l.l.", "gain, worst case"]
    return Grid([*heads, "both gains"], rows)
