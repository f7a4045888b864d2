"""What a study found, in a few lines: its headline numbers, its report, how long it took, what to try next (no stage).

    python stages/headline.py --params params.yaml --started 1700000000      # what `make repro` prints last
reads   the params file  ·  metrics/<study>/summary.json  ·  plots/<study>/laws/exponents.csv
"""

import argparse
import json
import time
from pathlib import Path

from advlaw.attacks.settings import Grid
from advlaw.claims.finding import VERDICTS
from advlaw.claims.wording import PLURAL
from advlaw.core.command import run
from advlaw.core.io import Cells, read_text
from advlaw.core.section import read_section
from advlaw.core.tables import read_labelled, records
from advlaw.core.words import law


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), help="params file (default params.yaml)")
    parser.add_argument("--started", type=float, required=True, help="when the run began, in seconds since 1970")
    return parser.parse_args()


def exponent(row: Cells) -> str:
    """`fc/fgsm: B = 1.08 [0.48, 2.01] as ε -> 0`, of a row of laws/exponents."""
    found = law(row) if row["remark"] else f"B = {law(row)} as ε -> 0"
    return f"{row['curve']}: {found}, clean accuracy {row['clean_accuracy']:.1%}"


def verdicts(counts: dict[str, int]) -> str:
    """`66 claims: 7 hold, 3 fail, …`, in the order of all tables, without zeros."""
    told = [(counts[verdict], verdict) for verdict in VERDICTS if counts[verdict]]
    words = (f"{count} {verdict if count == 1 else PLURAL.get(verdict, verdict)}" for count, verdict in told)
    return f"{sum(counts.values())} claims: {', '.join(words)}"


def duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def next_step(params: Path) -> str:
    """The command that halves the largest eps, which retrains no net."""
    key = f"attack.eps_max={read_section(params, 'attack', Grid).eps_max / 2:g}"
    if params.parent == Path():
        return f"dvc exp run -S {key}"
    return f"dvc exp run -S {params.as_posix()}:{key} {(params.parent / 'dvc.yaml').as_posix()}"


def main() -> None:
    given = arguments()
    study = read_section(given.params, "study", str)
    found = json.loads(read_text(Path("metrics") / study / "summary.json"))
    rows = {row["curve"]: row for row in records(read_labelled(Path("plots") / study, "laws/exponents"))}
    print(f"\n{study}", *(exponent(rows[curve]) for curve in found["exponent"]), sep="\n  ")
    print(f"  {verdicts(found['claims'])}")
    print(f"report: plots/{study}/report.html")
    print(f"took: {duration(time.time() - given.started)}")
    print(f"next: source .venv/bin/activate && {next_step(given.params)} && dvc metrics diff")


if __name__ == "__main__":
    run(main)
