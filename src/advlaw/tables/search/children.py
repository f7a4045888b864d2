"""children.csv, rounds.csv and repeated.csv: every net that the searches of a study trained, as it was measured."""

from collections.abc import Iterable, Mapping
from typing import Any

from advlaw.core.io import Cells
from advlaw.models.cell_graph import length, loose_ends, parse, width

SHAPE = ("length", "width", "loose_ends")
ACCURACIES = ("clean_accuracy", "adversarial_accuracy")
CHILD_COLUMNS = (
    "search",
    "arm",
    "seed",
    "index",
    "round",
    "cell",
    "n_parameters",
    "flops",
    *SHAPE,
    *ACCURACIES,
    "reward",
    "diverged",
)
ROUND_COLUMNS = ("search", "seed", "round", "n_children", "reward", "moving_average", "entropy", "clipped", "loss")
REPEATED_COLUMNS = (
    "search",
    "role",
    "rank",
    "cell",
    "seed",
    *ACCURACIES,
    *(f"test_{name}" for name in ACCURACIES),
    "diverged",
)

Found = Mapping[str, Mapping[str, Any]]  # of every search what `advlaw.search.rounds.searched` gives


def shape(cell: str) -> Cells:
    """Length and width of a cell's graph, and how many of its blocks no other takes: see `advlaw.models.cell_graph`."""
    graph = parse(cell)
    return {"length": length(graph), "width": width(graph), "loose_ends": len(loose_ends(graph))}


def child_rows(found: Found) -> list[Cells]:
    """A row for every child, in the order in which it was drawn."""
    return [
        {"search": name, **child, **shape(child["cell"])}
        for name, search in found.items()
        for child in search["children"]
    ]


def round_rows(found: Found) -> list[Cells]:
    """A row for every round of every controller."""
    return [
        {"search": name, **row, "moving_average": row["baseline"]}
        for name, search in found.items()
        for row in search["rounds"]
    ]


def repeated_rows(found: Found) -> list[Cells]:
    """A row for every net of a cell that was trained anew."""
    return [
        {"search": name, **row, "seed": row["child_seed"]}
        for name, search in found.items()
        for row in search["repeated"]
    ]


def trained(rows: Iterable[Cells]) -> list[Cells]:
    """The rows of nets whose training did not diverge."""
    return [row for row in rows if not row["diverged"]]
