"""regret.csv and comparison.csv: what a search found, beside what random search of equal budget finds."""

from dataclasses import asdict

import numpy as np

from advlaw.core.io import Cells
from advlaw.fitting.best_of import best_quantile, expected_best
from advlaw.fitting.searchers import Difference, difference, late_gain
from advlaw.tables.search.children import Found, trained

REGRET_COLUMNS = ("search", "seed", "n", "best_so_far", "expected_best", "low", "high")
COMPARISON_COLUMNS = (
    "search",
    "statement",
    "split",
    "value",
    "low",
    "high",
    "df",
    "n_first",
    "n_second",
    "n_seeds",
    "counts",
)
LATE, WINNERS, CELLS = (
    "last third of the controller's children less random ones",
    "best cell of the controller less best cell of random search",
    "best cell of the controller less cells that nobody chose",
)
BAND = 0.05, 0.95  # of the best of n random children


def regret_rows(found: Found) -> list[Cells]:
    """A row a child of every controller: the best reward so far, and the best of as many random children.

    Of that the exact mean and quantiles (5 and 95 %) over all subsets of the random arm; empty beyond its size.
    """
    rows = []
    for name, search in found.items():
        random = [child["reward"] for child in search["children"] if child["arm"] == "random"]
        columns = [expected_best(random), *(best_quantile(random, q) for q in BAND)] if random else [np.empty(0)] * 3
        for seed, rewards in _of_controllers(search["children"]).items():
            for n, best in enumerate(np.maximum.accumulate(rewards), 1):
                chance = [float(column[n - 1]) if n <= len(column) else None for column in columns]
                chances = dict(zip(("expected_best", "low", "high"), chance, strict=True))
                rows.append({"search": name, "seed": seed, "n": n, "best_so_far": float(best), **chances})
    return rows


def comparison_rows(found: Found, rewards: dict[str, str], confidence: float) -> list[Cells]:
    """The controller's late children against random ones; its winner against random search's and against any cell.

    Winners are judged on nets trained anew, on the images of the search and on test images, by the accuracy that was
    the `rewards` of their search.
    """
    rows = []
    for name, search in found.items():
        controllers = list(_of_controllers(search["children"]).values())
        random = [child["reward"] for child in search["children"] if child["arm"] == "random"]
        late = late_gain(controllers, random, confidence)
        if late is not None:
            rows.append(_row(name, LATE, "held_out", late, late.n_seeds, late.over))
        for split, before in (("held_out", ""), ("test", "test_")):
            column = f"{before}{rewards[name]}_accuracy"
            anew = {
                role: [row[column] for row in trained(search["repeated"]) if row["role"] == role and row["rank"] == 0]
                for role in ("best of controller", "best of random")
            }
            anyone = [row[column] for row in trained(search["repeated"]) if row["role"] == "unchosen"]
            ours = anew["best of controller"]
            for statement, theirs in ((WINNERS, anew["best of random"]), (CELLS, anyone)):
                gain = difference(ours, theirs, confidence)
                if gain is not None:
                    rows.append(_row(name, statement, split, gain, None, "trainings"))
    return rows


def _row(search: str, statement: str, split: str, gain: Difference, n_seeds: int | None, counts: str) -> Cells:
    about = {"search": search, "statement": statement, "split": split, "counts": counts}
    return {**about, **asdict(gain), "n_seeds": n_seeds}


def _of_controllers(children: list[Cells]) -> dict[int, list[float]]:
    """Rewards in order, by the controller's seed."""
    found: dict[int, list[float]] = {}
    for child in children:
        if child["arm"] == "controller":
            found.setdefault(child["seed"], []).append(child["reward"])
    return found
