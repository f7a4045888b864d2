"""Do this tree's numbers agree with a git revision's, within their intervals? (not a DVC stage: `make compare`)

    python stages/compare.py [--rev REV] [--study NAME] [--all]
reads   metrics/<study>/ and plots/<study>/ of this tree and, through git, of REV
        ·  data/<study>/sweeps/<sweep>/<attack>.npz of both, where they exist: those of REV in DVC's cache
prints  a line for everything that differs beyond its interval, the most important first; see docs/compare.md
exits   0: equal, or all differences within; 1: some beyond; 2: nothing to compare
"""

import argparse
import sys
from pathlib import Path

from advlaw.comparison.cells import Found
from advlaw.comparison.revision import Revision
from advlaw.comparison.study import both_sides, compare_study, count_bytes, study_names
from advlaw.comparison.wording import (
    DIFFERENCES,
    NOT_JUDGED,
    PAIRS,
    derived_line,
    difference_lines,
    equal_line,
    note_lines,
    pair_lines,
    shown_lines,
    summary_line,
)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rev", default="HEAD", help="git revision to compare with (default: HEAD)")
    parser.add_argument("--study", default="", help="compare only this study")
    parser.add_argument("--all", action="store_true", help="print all differences")
    return parser.parse_args()


def compare(root: Path, rev: str, study: str, show_all: bool) -> bool:
    """Print what differs; whether anything does beyond its interval."""
    revision = Revision(root, rev)
    sides = {name: both_sides(root, revision, name) for name in study_names(root, revision, study)}
    counts = {name: count_bytes(*files) for name, files in sides.items()}
    found, notes = Found(), {}
    for name, (old, new) in sides.items():
        if counts[name].differing:
            from advlaw.comparison.pairing import pair_study  # takes a second, and equal tables do not need it

            compare_study(old, new, found)
            notes[name] = pair_study(root, revision, old, new, found)
    told = f"{rev} ({revision.commit[:7]})"
    if not any(count.differing for count in counts.values()):
        print(equal_line(told, counts), derived_line(counts.values()), sep="\n")
        return False
    rooms = (None, None, None) if show_all else (DIFFERENCES, PAIRS, NOT_JUDGED)
    lines = [*difference_lines(found, rooms[0]), *pair_lines(found, rooms[1])]
    lines += [*note_lines(notes), *shown_lines(found, rooms[2])]
    print(*lines, derived_line(counts.values()), summary_line(told, counts.values(), found), sep="\n")
    return bool(found.beyond)


def main() -> None:
    given = arguments()
    try:
        sys.exit(int(compare(Path(), given.rev, given.study, given.all)))
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
