"""`python -m advlaw` with the stages of an audit in its own process: torch is imported once, not fifteen times."""

import contextlib
import runpy
import sys
from pathlib import Path

from advlaw import __main__ as program
from advlaw.audit import stages
from advlaw.core.command import run


def run_stage(folder: Path, stage: list[str]) -> None:
    sys.argv = [f"{stage[0]}.py", *stage[1:], "--params", "params.yaml"]
    with contextlib.chdir(folder):
        runpy.run_path(str(stages.pipeline() / "stages" / f"{stage[0]}.py"), run_name="__main__")


if __name__ == "__main__":
    stages._run = run_stage
    run(program.main)
