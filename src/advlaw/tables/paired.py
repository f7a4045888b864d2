"""How much the exponents at eps -> 0 of two attacks on the same state of a net differ, from every image's outcomes."""

from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

from advlaw.core.io import Cells
from advlaw.core.tables import write_table
from advlaw.fitting.changes import of_outcomes
from advlaw.fitting.outcomes import Outcomes
from advlaw.fitting.paired import Moved, difference, moved
from advlaw.tables.curves import SweptCurve
from advlaw.tables.laws import chosen, laws_of

COLUMNS = ("curve", "other", "n_images", "difference", "difference_low", "difference_high")


@dataclass
class PairedTable:
    """Collects the exponents of all curves, each with how far every image moves it."""

    confidence: float
    curves: dict[tuple[str, str, float | None], dict[str, Moved]] = field(default_factory=dict)

    def add(self, curve: SweptCurve, outcomes: Outcomes) -> None:
        """A curve whose errors have a law; those of attacks that clip are other errors."""
        of_net = curve.kind_of_error == "net"
        best = None if curve.attack.clip else chosen(laws_of(of_outcomes(outcomes), of_net, self.confidence))
        if best is not None:
            state = curve.sweep.model, curve.sweep.split, curve.snapshot
            found = moved(outcomes, best.law, best.odds, best.range.e0)
            self.curves.setdefault(state, {})[curve.key] = found

    def write(self, path: Path) -> None:
        rows: list[Cells] = []
        for found in self.curves.values():
            for one, other in combinations(found, 2):
                if len(found[one].by_image) == len(found[other].by_image):  # all images are judged under both
                    ends = difference(found[one], found[other], self.confidence)
                    about = {"curve": one, "other": other, "n_images": len(found[one].by_image)}
                    rows.append({**about, **dict(zip(COLUMNS[3:], ends, strict=True))})
        write_table(path, rows, COLUMNS)
