"""What all parts of the campaign share: what was done and seen, and how a command answers."""

import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from repository import ROOT, environment

OF_STAGES = {"OMP_WAIT_POLICY": "PASSIVE", "NPY_DISABLE_CPU_FEATURES": "X86_V4,AVX512_ICL,AVX512_SPR"}  # as in dvc.yaml


@dataclass(frozen=True)
class Outcome:
    """One case of a kind of fault; `broken` says what was seen where that is not what is promised."""

    fault: str
    case: str
    broken: str = ""


@dataclass(frozen=True)
class Answer:
    """How a command ended, and what it said."""

    code: int
    text: str

    @property
    def last(self) -> str:
        return (self.text.strip().splitlines() or ["nothing"])[-1][:300]


def answer(folder: Path, *command: str, seconds: float = 600, **variables: str) -> Answer:
    """What a command answers in a folder; 124 where it does not end in time."""
    given = {**environment(), **OF_STAGES, "PYTHONPATH": str(ROOT / "src"), **variables}
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=given,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        return Answer(124, f"{error.stdout}{error.stderr}")
    return Answer(done.returncode, done.stdout + done.stderr)


def refusal(found: Answer, *names: str) -> str:
    """Nothing where a command ended with clear lines that have one of the names; else what is wrong with them."""
    if found.code == 0:
        return "was accepted"
    if found.code < 0 or found.code in (124, 137):
        return f"did not end by itself: {found.code}"
    if "Traceback" in found.text:
        return f"a traceback: {found.last}"
    if "error: " not in found.text:
        return f"no line with an error: {found.last}"
    if not any(name in found.text for name in names):
        return f"names none of {', '.join(names)}: {found.last}"
    return ""


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its path from there."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def differences(before: dict[str, bytes], after: dict[str, bytes]) -> str:
    """Which files came, went or have other bytes; nothing where none did."""
    kinds = {
        "came": sorted(after.keys() - before.keys()),
        "went": sorted(before.keys() - after.keys()),
        "other bytes": sorted(name for name in before.keys() & after.keys() if before[name] != after[name]),
    }
    return "; ".join(f"{kind}: {', '.join(names[:4])} ({len(names)})" for kind, names in kinds.items() if names)


Part = Callable[[Path, int], Iterable[Outcome]]
"""An empty folder, a seed -> what was done and seen"""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
