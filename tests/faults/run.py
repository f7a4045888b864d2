"""The fault campaign: wrong params, bad files and mirrors, kills, full disks, signals, judged by what is promised.

    make faults                        # or: PYTHONPATH=src:tests python tests/faults/run.py --only params --seed 7
writes  benchmarks/faults.csv (with seed 0): of each kind of fault how many were tried, how many ended as promised
        .runs/faults.txt: every one that did not, and what was seen
"""

import argparse
import os
import tempfile
from collections import Counter
from pathlib import Path

import disks
import inputs
import kills
import network
import params
import signals
from common import Outcome, Part, say
from repository import ROOT

from advlaw.core.io import write_text
from advlaw.core.tables import read_table, records, write_table

PARTS: dict[str, Part] = {
    module.__name__: module.outcomes for module in (params, inputs, network, kills, disks, signals)
}
TABLE = ROOT / "benchmarks/faults.csv"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=[*PARTS], help="parts of the campaign")
    parser.add_argument("--seed", type=int, default=0, help="another seed makes other cases")
    arguments = parser.parse_args()
    found = [outcome for name in arguments.only for outcome in _outcomes(name, arguments.seed)]
    broken = [each for each in found if each.broken]
    tried, kept = (Counter(each.fault for each in some) for some in (found, [one for one in found if not one.broken]))
    for kind, count in tried.items():
        print(f"{kind}: {kept[kind]} of {count} as promised")
    write_text(ROOT / ".runs/faults.txt", "".join(f"{each.fault}: {each.case}: {each.broken}\n" for each in broken))
    if arguments.seed == 0:
        before = records(read_table(TABLE)) if TABLE.exists() and arguments.only != [*PARTS] else []
        rows = {row["kind"]: row for row in before}
        rows |= {kind: {"kind": kind, "tried": tried[kind], "as_promised": kept[kind]} for kind in tried}
        write_table(TABLE, [rows[kind] for kind in sorted(rows)])
    if broken:
        raise SystemExit(f"{len(broken)} of {len(found)} were not as promised: see .runs/faults.txt")


def _outcomes(name: str, seed: int) -> list[Outcome]:
    found = []
    with tempfile.TemporaryDirectory(prefix=f"faults-{name}-") as folder:
        os.chdir(folder)
        for outcome in PARTS[name](Path(folder), seed):
            found.append(outcome)
            if outcome.broken:
                say(f"{outcome.fault}: {outcome.case}: {outcome.broken}")
        os.chdir(ROOT)
    return found


if __name__ == "__main__":
    main()
