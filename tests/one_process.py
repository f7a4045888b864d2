"""`python -m advlaw` with the stages of an audit in its own process: torch is imported once."""

import contextlib
import sys
from pathlib import Path

from advlaw import __main__ as program
from advlaw.audit import host, stages
from advlaw.core.command import run


def call(running: stages.Host, script: Path, arguments: list[str], name: str) -> None:
    with contextlib.chdir(running.folder):
        if code := host.exit_code([str(script), *arguments]):
            sys.exit(code)


if __name__ == "__main__":
    stages.Host.call = call
    run(program.main)
