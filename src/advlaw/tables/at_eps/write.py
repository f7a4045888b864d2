"""The tables of a varied set that is measured at a few eps, as Kurakin's tables are: all of them, from its outcomes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from advlaw.attacks.settings import Attacks
from advlaw.core.io import Cells
from advlaw.core.tables import write_table
from advlaw.tables.at_eps import accuracy, differences, leaking, nets, transfer, transfer_methods
from advlaw.tables.at_eps.ranks import read_ranks
from advlaw.trials.settings import AtEps


def write_at_eps(
    folder: Path,
    listed: Sequence[Cells],
    outcomes: Path,
    measure: AtEps,
    attacks: Attacks,
    confidence: float,
    rng: np.random.Generator,
) -> None:
    """Every table of a set into `folder`: nets as nets.json lists them, and the folder of their outcomes.

    `rng`: for the bootstrap of transfer rates. A net whose training diverged has a row in nets.csv and none elsewhere;
    one that collapsed is left out of the transfer rates of all nets together.
    """
    ranks = {
        net["net"]: read_ranks(outcomes / f"{net['net']}.npz", measure.attacks) for net in listed if not net["diverged"]
    }
    used = {key: attacks.by_key(key) for key in measure.attacks}
    spreads = differences.spreads(listed, ranks)
    tables = {
        "nets": (nets.COLUMNS, nets.net_rows(listed, ranks)),
        "accuracy": (
            accuracy.COLUMNS,
            [row for net, own in ranks.items() for row in accuracy.accuracy_rows(net, own, confidence)],
        ),
        "differences": (differences.COLUMNS, differences.difference_rows(listed, ranks, spreads, confidence)),
        "replicates": (differences.REPLICATE_COLUMNS, differences.replicate_rows(spreads, confidence)),
        "leaking": (
            leaking.COLUMNS,
            [row for net, own in ranks.items() for row in leaking.leaking_rows(net, own, used, confidence)],
        ),
    }
    if measure.transfer:
        of, kept = measure.transfer, [name for name in measure.transfer.nets if name in ranks]
        moved = outcomes / "transfer"
        rows = transfer.transfer_rows(moved, kept, of.attacks, measure.eps, confidence)
        tables["transfer"] = (transfer.COLUMNS, rows)
        judged = [name for name in kept if not nets.is_collapsed(ranks[name])]
        together = transfer_methods.transfer_methods(moved, judged, of.attacks, measure.eps, confidence, rng)
        tables["transfer_methods"] = (transfer_methods.COLUMNS, together)
    for name, (columns, rows) in tables.items():
        write_table(folder / f"{name}.csv", rows, columns)
