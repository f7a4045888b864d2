"""correlations.csv, running.csv, reliability.csv and spread.csv: what goes with robustness, as in Cubuk Fig. 9."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

import numpy as np

from advlaw.core.io import Cells
from advlaw.fitting.rank_correlation import Correlation, partial, spearman
from advlaw.fitting.reliability import components, spread
from advlaw.fitting.running import running_median
from advlaw.fitting.seeds import Spread, pooled
from advlaw.tables.search.children import ACCURACIES, Found, child_rows, trained

CLEAN, ADVERSARIAL = ACCURACIES
OTHERS = (CLEAN, "n_parameters", "flops", "length", "width")
CORRELATION_COLUMNS = ("search", "arm", "quantity", "other", "given", "n", "rho", "low", "high")
RUNNING_COLUMNS = ("search", "arm", "other", "x", "n", "median", "low", "high")
RELIABILITY_COLUMNS = (
    "search",
    "split",
    "quantity",
    "n_cells",
    "n_nets",
    "sd_cell",
    "sd_seed",
    "reliability",
    "low",
    "high",
)
SPREAD_COLUMNS = (
    "search",
    "arm",
    "clean_from",
    "n",
    "mean",
    "least",
    "largest",
    "sd",
    "sd_low",
    "sd_high",
    "sd_seed",
    "sd_cell",
    "sd_cell_low",
    "sd_cell_high",
)
WINDOW = 10  # children of a window at least
PAPER_S_CUT = 0.85  # clean accuracy of the children in Fig. 9c

Rows = Sequence[Cells]


def arms(found: Found) -> Iterator[tuple[str, str, list[Cells]]]:
    """Search, arm and its children that did not diverge, as rows of children.csv."""
    rows = trained(child_rows(found))
    for name in found:
        for arm in ("random", "controller"):
            children = [row for row in rows if row["search"] == name and row["arm"] == arm]
            if children:
                yield name, arm, children


def correlation_rows(found: Found, rng: np.random.Generator, count: int, confidence: float) -> list[Cells]:
    """Rank correlations of adversarial accuracy with what else is known of a child, and given its clean accuracy.

    Children of a controller are no sample, since it drew them for their rewards: the random arm comes first.
    """
    rows = []
    for search, arm, children in arms(found):
        column = {name: [float(child[name]) for child in children] for name in (ADVERSARIAL, *OTHERS)}
        for other in OTHERS:
            plain = spearman(column[other], column[ADVERSARIAL], rng, count, confidence)
            rows.append(_row(search, arm, other, None, plain))
        for other in OTHERS[1:]:
            left = partial(column[other], column[ADVERSARIAL], column[CLEAN], rng, count, confidence)
            rows.append(_row(search, arm, other, CLEAN, left))
    return rows


def _row(search: str, arm: str, other: str, given: str | None, found: Correlation | None) -> Cells:
    nothing = dict.fromkeys(("n", "rho", "low", "high"))
    about = {"search": search, "arm": arm, "quantity": ADVERSARIAL, "other": other, "given": given}
    return {**about, **(asdict(found) if found else nothing)}


def running_rows(found: Found, confidence: float) -> list[Cells]:
    """The running median of adversarial accuracy over parameters and over clean accuracy, as in Fig. 9a and b."""
    return [
        {"search": search, "arm": arm, "other": other, **row}
        for search, arm, children in arms(found)
        for other in ("n_parameters", CLEAN)
        for row in running_median(
            [child[other] for child in children],
            [child[ADVERSARIAL] for child in children],
            max(1, min(20, len(children) // WINDOW)),
            confidence,
        )
    ]


def reliability_rows(found: Found, confidence: float) -> list[Cells]:
    """Cells that nobody chose, trained anew on several seeds: how much of an accuracy is the cell's."""
    rows = []
    for name, search in found.items():
        for split, before in (("held_out", ""), ("test", "test_")):
            for quantity in ACCURACIES:
                parts = components(list(_by_cell(search["repeated"], before + quantity).values()), confidence)
                if parts is not None:
                    rows.append({"search": name, "split": split, "quantity": quantity, **asdict(parts)})
    return rows


def spread_rows(found: Found, rng: np.random.Generator, count: int, confidence: float) -> list[Cells]:
    """How far children with a good clean accuracy spread in adversarial accuracy, with and without the seeds' part.

    Good: above the paper's 85 %, and the upper half, whatever the data; `clean_from` says which.
    """
    rows = []
    for search, arm, children in arms(found):
        seeds = pooled(_by_cell(found[search]["repeated"], ADVERSARIAL).values())
        median = float(np.median([child[CLEAN] for child in children]))
        for cut in (PAPER_S_CUT, median):
            good = [child[ADVERSARIAL] for child in children if child[CLEAN] >= cut]
            rows += _spread_row(good, seeds, rng, count, confidence, {"search": search, "arm": arm, "clean_from": cut})
    return rows


def _spread_row(
    good: list[float], seeds: Spread | None, rng: np.random.Generator, count: int, confidence: float, about: Cells
) -> list[Cells]:
    if seeds is None or (parts := spread(good, seeds, rng, count, confidence)) is None:
        return []
    return [{**about, "mean": float(np.mean(good)), "sd_seed": seeds.sd, **asdict(parts)}]


def _by_cell(repeated: Rows, column: str) -> dict[str, list[float]]:
    """The accuracies of every cell that nobody chose, over its seeds."""
    found: dict[str, list[float]] = {}
    for row in trained(repeated):
        if row["role"] == "unchosen":
            found.setdefault(row["cell"], []).append(row[column])
    return found
