"""SIGKILL to all processes of a run at random moments: the next run goes on, the last has the undisturbed bytes.

DVC writes its own files in place. Where it is killed just then the next run refuses what was cut short; that is
removed, as docs/trust.md says, and finished stages come back from DVC's run cache.
"""

import json
import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
from common import Outcome, answer
from repository import Repository, environment
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from studies import kind, unlike_finished

RUNS = 4  # of the whole study ...
KILLS = 10  # ... each killed so many times ...
AFTER = (1, 5)  # ... when so many stages have begun, from the one that was killed last ...
WITHIN = 1.5  # ... and so many seconds have passed, in which a stage may end and others begin


def outcomes(folder: Path, seed: int) -> Iterator[Outcome]:
    rng = random.Random(f"{seed} kills")
    for run in range(RUNS):
        repository = Repository(folder / f"run{run}")
        killed = [_killed(repository, rng.randint(*AFTER), rng.uniform(0, WITHIN)) for _ in range(KILLS)]
        was_cut = _mended(repository.folder)
        found = answer(repository.folder, "dvc", "repro", PYTHONPATH="")
        broken = f"the last run failed: {found.last}" if found.code else unlike_finished(repository.folder)
        cut = [*(before for _, _, before in killed[1:]), was_cut]
        for number, ((where, unfit, _), is_cut) in enumerate(zip(killed, cut, strict=True)):
            fault = f"SIGKILL to dvc repro that cuts {is_cut} short" if is_cut else "SIGKILL to dvc repro"
            yield Outcome(fault, f"in {where}, {number} of run {run} of seed {seed}", unfit or broken)


def _mended(tree: Path) -> str:
    """Which of DVC's own files were cut short, which then are removed; nothing where none was."""
    cut = [
        path for path, is_whole in OWN.items() if (tree / path).exists() and not is_whole((tree / path).read_bytes())
    ]
    for path in cut:
        (tree / path).unlink()
    return " and ".join(cut)


def _is_lock(content: bytes) -> bool:
    try:
        return "schema" in YAML(typ="safe").load(content)
    except (YAMLError, TypeError):
        return False


def _is_json(content: bytes) -> bool:
    try:
        return isinstance(json.loads(content), dict)
    except ValueError:
        return False


OWN = {"dvc.lock": _is_lock, "datasets/dvc.lock": _is_lock, ".dvc/tmp/rwlock": _is_json}


def _killed(repository: Repository, stages: int, delay: float) -> tuple[str, str, str]:
    """Run the study until so many stages have begun and some time after, kill everything.

    Where that was, what went wrong before, and which of DVC's files were cut short to begin with.
    """
    tree = repository.folder
    was_cut = _mended(tree)
    log = tree.with_suffix(".log")
    with log.open("w", encoding="utf-8") as output:
        running = subprocess.Popen(
            ["dvc", "repro"], cwd=tree, env=environment(), stdout=output, stderr=subprocess.STDOUT
        )
        while running.poll() is None and len(_begun(log)) < stages:
            time.sleep(0.02)
        end = time.monotonic() + delay
        while running.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        _kill_all(tree)
        running.wait()
    said = log.read_text(encoding="utf-8").strip().splitlines()
    where = _begun(log)[-1] if _begun(log) else "DVC"
    return where, f"the run failed: {said[-1]}" if running.returncode > 0 else "", was_cut


def _begun(log: Path) -> list[str]:
    """The kinds of stages that a run has begun."""
    lines = log.read_text(encoding="utf-8").splitlines()
    return [kind(line.split("'")[1].rpartition(":")[2]) for line in lines if line.startswith("Running stage '")]


def _kill_all(folder: Path) -> None:
    """The processes that work in a folder: of DVC, of stages, of their workers."""
    while True:
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()) == folder:
                    found.append(process)
        if not found:
            return
        for process in found:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(found, timeout=10)
