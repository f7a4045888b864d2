"""A disk with no room, or little, for what a stage writes; folders that are read-only: a line, and a rerun as ever."""

import random
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from common import Answer, Outcome, answer, refusal

from studies import by_kind, commands, copied, outputs, remove_outputs, unlike_finished

SIZE = "512m"  # of a disk, which holds the study
LEFT = (0, 4, 16)  # KiB free; what a stage writes may fit in the last
FULL = "No space left on device"
READ_ONLY = "Read-only file system"


def outcomes(folder: Path, seed: int) -> Iterator[Outcome]:
    rng, tree = random.Random(f"{seed} disks"), folder / "disk"
    tree.mkdir()
    for stages in by_kind().values():
        for kib in LEFT:
            stage = rng.choice(stages)
            with _mounted(tree, stage):
                broken = _full(tree, stage, kib)
            yield Outcome("a stage with a full disk", f"{stage}, {kib} KiB free, of seed {seed}", broken)
        stage = rng.choice(stages)
        with _mounted(tree, stage):
            broken = _read_only(tree, stage)
        yield Outcome("a stage that may not write", f"{stage} of seed {seed}", broken)


@contextmanager
def _mounted(tree: Path, stage: str) -> Iterator[None]:
    """The finished study on a small disk of its own, without what the stage writes."""
    _call("mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(tree))
    try:
        copied(tree)
        shutil.rmtree(tree / ".ckpt", ignore_errors=True)
        remove_outputs(tree, stage)
        yield
    finally:
        _call("umount", "--recursive", str(tree))


def _full(tree: Path, stage: str, kib: int) -> str:
    """What is not as promised of a stage on a disk that has so little room; nothing where all is."""
    filler = tree / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    with filler.open("r+b") as file:
        file.truncate(max(0, filler.stat().st_size - 1024 * kib))
    found = _run(tree, stage)
    broken = "" if found.code == 0 and kib else refusal(found, FULL)
    left = list(tree.rglob(".*.tmp"))
    filler.unlink()
    return broken or (left and f"left {left[0].name}") or _again(tree, stage)


def _read_only(tree: Path, stage: str) -> str:
    """The same where the folder of what it writes first cannot be written."""
    target = tree / Path(outputs(stage)[0]).parts[0]
    _call("mount", "--bind", str(target), str(target))
    _call("mount", "-o", "remount,bind,ro", str(target))
    found = _run(tree, stage)
    _call("umount", str(target))
    return refusal(found, READ_ONLY) or _again(tree, stage)


def _again(tree: Path, stage: str) -> str:
    """What is not as in the undisturbed study once the stage has run with room."""
    found = _run(tree, stage)
    if found.code:
        return f"does not run afterwards: {found.last}"
    return unlike_finished(tree)


def _run(tree: Path, stage: str) -> Answer:
    return answer(tree, "sh", "-c", commands()[stage], PYTHONPATH="")


def _call(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
