"""What a study found, in a few lines: its headline numbers, its report, how long it took, what to try next (no stage).

    python stages/headline.py --params params.yaml --started 1700000000      # what `make repro` prints last
reads   the params file  ·  metrics/<study>/summary.json  ·  plots/<study>/laws/exponents.csv
"""

import argparse
import time
from pathlib import Path

from advlaw.attacks.settings import Grid
from advlaw.core.command import run
from advlaw.core.section import read_section
from advlaw.report.headlines import last_lines


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), help="params file (default params.yaml)")
    parser.add_argument("--started", type=float, required=True, help="when the run began, in seconds since 1970")
    return parser.parse_args()


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
    print("", *last_lines(read_section(given.params, "study", str)), sep="\n")
    print(f"took: {duration(time.time() - given.started)}")
    print(f"next: source .venv/bin/activate && {next_step(given.params)} && dvc metrics diff")


if __name__ == "__main__":
    run(main)
