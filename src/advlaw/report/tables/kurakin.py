"""Kurakin's Tables 1 to 8 as the paper prints them, each cell with the paper's number and ours."""

import math
from collections.abc import Callable, Iterator, Sequence

import pandas as pd

from advlaw.core.io import Cells
from advlaw.core.tables import Tables, chosen, groups, records
from advlaw.papers.kurakin import COLUMNS, LARGEST, METHOD, MODELS, VARIANTS, Row, printed, rows_of, with_roles
from advlaw.report.cells import points
from advlaw.report.render import Cell, Grid, Marked, Right
from advlaw.report.table import Table, table

TOPS = {"top1": "top 1", "top5": "top 5"}
EPS_HEADS = ["clean", *(f"ε = {name[1:]}" for name in COLUMNS[1:])]
NEEDS = ("trials/*/accuracy",)
BLIND = ("fgsm_predicted", "step_ll")  # methods of training that are looked at beside FGSM
Rows = list[tuple[Row, dict[str, Cells]]]  # of a table: its row, our accuracies by the paper's columns
METHODS = {"fgsm": ("fgsm", "FGSM"), "iterbasic": ("iter_basic", "basic iter."), "iterll": ("iter_ll", "iter. l.l.")}


def _cell(paper: float | None, row: Cells | None, name: str) -> str:
    """`71.7 | 48.2 [47.2, 49.2]`: the paper's number and ours, in percent."""
    ours = "–"
    if row is not None and not math.isnan(row[name]):
        low, high = (f"{100 * row[f'{name}_{end}']:.1f}" for end in ("low", "high"))
        ours = f"{100 * row[name]:.1f} [{low}, {high}]"
    return f"{'–' if paper is None else format(100 * paper, '.1f')} | {ours}"


def sets(tables: Tables) -> Iterator[tuple[str, pd.DataFrame, pd.DataFrame]]:
    """Every set that was attacked at a few eps: its name, its nets with their roles, and their accuracies."""
    accuracy = tables.of_sets("accuracy")
    for name, rows in groups(accuracy, "set"):
        yield name, with_roles(tables.rows(f"trials/{name}/nets")), rows


def _found(row: Row, nets: pd.DataFrame, accuracy: pd.DataFrame) -> dict[str, Cells]:
    """The accuracies of the first net of a row by the paper's columns; nothing where there is no such net.

    The largest eps of a set stands for the paper's largest, the others in proportion.
    """
    like = row.nets(nets)
    own = accuracy[accuracy["net"].isin(like["net"].head(1))]
    found = dict(zip(COLUMNS, records(chosen(own, attack="clean")), strict=False))
    for one in records(chosen(own, attack=(row.attack, f"{row.attack}_clipped"))):
        at = LARGEST * one["eps"] / accuracy["eps"].max()
        found |= {column: one for column in COLUMNS[1:] if math.isclose(at, float(column[1:]), rel_tol=0.1)}
    return found


def _is_about(number: str, rows: Sequence[Row], nets: pd.DataFrame, found: Sequence[dict[str, Cells]]) -> bool:
    """Whether a table says something of a set: two of its nets were attacked, and one varies in what the table does."""
    attacked = [row.nets(nets).iloc[0] for row, cells in zip(rows, found, strict=True) if len(cells) > 1]
    varied = {net["varies"] for net in attacked}
    return len({net["net"] for net in attacked}) > 1 and (number not in VARIANTS or VARIANTS[number][0] in varied)


def _told_once(found: dict[str, Rows], tops: Sequence[str]) -> dict[str, Rows]:
    """The sets of which no other has all that they have: sets share nets, whose numbers need not be read twice."""
    told: dict[str, set[tuple[str, ...]]] = {
        here: {
            (row.key, column, _cell(None, one, top))
            for row, ours in rows
            for column, one in ours.items()
            for top in tops
        }
        for here, rows in found.items()
    }
    kept: dict[str, Rows] = {}
    for here, rows in found.items():
        others = [told[other] for other in found if other != here]
        if not any(told[here] < other for other in others) and not any(told[here] == told[other] for other in kept):
            kept[here] = rows
    return kept


def _of_eps(number: str, tops: Sequence[str]) -> Callable[[Tables], Grid]:
    """A table whose columns are clean images and four sizes of eps, for the sets that have one of its variants."""

    def make(tables: Tables) -> Grid:
        found: dict[str, Rows] = {}
        for name, nets, accuracy in sets(tables):
            rows = rows_of(number, nets)
            attacked = [_found(row, nets, accuracy) for row in rows]
            if _is_about(number, rows, nets, attacked):
                here = f"{name}: {', '.join(f'{eps:g}' for eps in sorted(set(accuracy['eps']) - {0.0}))}"
                found[here] = list(zip(rows, attacked, strict=True))
        lines: list[list[Cell]] = []
        for here, with_ours in _told_once(found, tops).items():
            for row, ours in with_ours:
                for top in tops:
                    key = f"K-{number}-{row.key}" + (f"-{top}" if len(tops) > 1 else "")
                    cells = [_cell(printed().get(f"{key}-{column}"), ours.get(column), top) for column in COLUMNS]
                    lines.append([row.label, *([TOPS[top]] if len(tops) > 1 else []), here, *cells])
        return Grid(["", *([""] if len(tops) > 1 else []), "our set: its ε", *EPS_HEADS], lines)

    return make


def _transferred(number: str, column: str) -> Callable[[Tables], Grid]:
    """Tables 4 and 6: between four models, at the largest eps; of a set the first four nets that it is asked of."""

    def make(tables: Tables) -> Grid:
        rows: list[list[Cell]] = []
        for name, moved in groups(tables.of_sets("transfer"), "set"):
            largest = moved[moved["eps"] == moved["eps"].max()]
            models = [*dict.fromkeys(largest["source"]), *[""] * len(MODELS)][: len(MODELS)]
            for key, (attack, label) in METHODS.items():
                for top, title in TOPS.items():
                    value = column if top == "top1" else f"top5_{column}"
                    for letter, source in zip(MODELS, models, strict=True):
                        own = chosen(largest, attack=(attack, f"{attack}_clipped"), source=source)
                        by_target = {row["target"]: row for row in records(own)}
                        cells = [
                            _cell(
                                printed().get(f"K-{number}-{top}-{key}-{letter}{other}"), by_target.get(target), value
                            )
                            for other, target in zip(MODELS, models, strict=True)
                        ]
                        rows.append([label, title, f"{letter} ({source})" if source else letter, name, *cells])
        return Grid(["method", "", "source", "our set", *(f"to {letter}" for letter in MODELS)], rows)

    return make


def _table(name: str, title: str, make: Callable[[Tables], Grid], needs: tuple[str, ...] = NEEDS) -> Table:
    return table(name, "kurakin", title, needs)(make)


@table("leaks", "kurakin", "Labels that leak at the largest ε", needs=("trials/*/leaking",), is_main=True)
def leaks(tables: Tables) -> Grid:
    """A line for every net trained on one-step examples and method that does not use the label: labels leaked.

    What sets that share nets have in common is told once.
    """
    heads = ["set", "net", "attack", "beside", Right("images"), Right("leaked"), Right("reversed"), "net, in points"]
    rows: dict[object, list[Cell]] = {}
    for name, found in groups(tables.of_sets("leaking"), "set"):
        nets = with_roles(tables.rows(f"trials/{name}/nets"))
        trained = nets[(nets["trained_on"] == "fgsm") | nets["varies"].isin(METHOD) & nets["trained_on"].isin(BLIND)]
        largest = found[(found["eps"] == found["eps"].max()) & found["net"].isin(trained["net"])]
        for row in records(largest):
            ends = {f"net{end}": row[f"net{end or '_share'}"] for end in ("", "_low", "_high")}
            about = [Marked(row[column], "code") for column in ("net", "attack", "blind")]
            counts = [f"{row[column]:,}" for column in ("n_images", "leaked", "reversed")]
            line: tuple[Cell, ...] = (*about, *counts, points(ends, "net"), points(row, "over_clean"))
            rows.setdefault(line, [name, *line])
    return Grid([*heads, "accuracy under attack less clean"], [*rows.values()])


MOVED = ("trials/*/transfer",)
kurakin_1 = _table(
    "kurakin_1", "Kurakin's Table 1: training on step l.l. examples, and a deeper net", _of_eps("T1", ("top1", "top5"))
)
kurakin_2 = _table("kurakin_2", "Kurakin's Table 2: iterative methods", _of_eps("T2", ("top1", "top5")))
kurakin_3 = _table("kurakin_3", "Kurakin's Table 3: label leaking", _of_eps("T3", ("top1", "top5")))
kurakin_4 = _table("kurakin_4", "Kurakin's Table 4: transfer rates at the largest ε", _transferred("T4", "rate"), MOVED)
kurakin_5 = _table(
    "kurakin_5",
    "Kurakin's Table 5: training on other one-step methods, under FGSM (*: step l.l.)",
    _of_eps("T5", ("top1",)),
)
kurakin_6 = _table(
    "kurakin_6",
    "Kurakin's Table 6: error rates of transferred images at the largest ε",
    _transferred("T6", "error"),
    MOVED,
)
kurakin_7 = _table("kurakin_7", "Kurakin's Table 7: activations", _of_eps("T7", ("top1",)))
kurakin_8 = _table("kurakin_8", "Kurakin's Table 8: k adversarial images in a minibatch", _of_eps("T8", ("top1",)))
