"""Copy reports and stamp each copy with its commit and time (not a DVC stage: `make report`, after a repro).

    python stages/stamp.py [STUDY ...]    # or `summary`; all reports if no name is given
reads   plots/<study>/report.html
writes  .runs/<study>-report.html, which git ignores
"""

import argparse
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from advlaw.core.command import run
from advlaw.core.io import write_text
from advlaw.report.page import stamped


def commit() -> str:
    """The commit that is checked out, and whether tracked files differ from it."""
    command = ["git", "describe", "--always", "--abbrev=12", "--dirty=, with changes", "--exclude=*"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "no commit"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studies", nargs="*", metavar="STUDY", help="a study, or summary (default: all)")
    made = sorted(path.parent.name for path in Path("plots").glob("*/report.html"))
    line = f"Commit {commit()}; copied on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC."
    for study in parser.parse_args().studies or made:
        page = (Path("plots") / study / "report.html").read_text(encoding="utf-8")
        target = Path(".runs") / f"{study}-report.html"
        write_text(target, stamped(page, line))
        print(target)


if __name__ == "__main__":
    run(main)
