"""SIGKILL to all processes of a run at random moments: the next run goes on, the last has the undisturbed bytes."""

import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
from common import Outcome
from repository import Repository, environment

from studies import begun, commands, kind, unlike_finished

RUNS = 4  # of the whole study ...
KILLS = 10  # ... each killed so many times: within one stage of each stretch of stages, another stretch in each run
LONGEST = 2.0  # seconds of a stage before it is killed; most are over by then, and the next one is


def outcomes(folder: Path, seed: int) -> Iterator[Outcome]:
    rng, stages = random.Random(f"{seed} kills"), [name for name in commands() if kind(name) != "check"]
    for run in range(RUNS):
        repository = begun(folder / f"run{run}")
        chosen = sorted((run + RUNS * place) % len(stages) for place in rng.sample(range(len(stages)), KILLS))
        killed = [_killed(repository, stages[place], rng.uniform(0, LONGEST)) for place in chosen]
        last = subprocess.run(
            ["dvc", "repro"], cwd=repository.folder, env=environment(), capture_output=True, text=True, check=False
        )
        said = (last.stdout + last.stderr).strip().splitlines()
        broken = unlike_finished(repository.folder) if last.returncode == 0 else f"the next run failed: {said[-1:]}"
        for number, (where, unfit) in enumerate(killed):
            yield Outcome(f"SIGKILL in {where}", f"{number} of run {run} of seed {seed}", unfit or broken)


def _killed(repository: Repository, stage: str, delay: float) -> tuple[str, str]:
    """Run the study until `delay` seconds into a stage, kill everything; where that was, and what went wrong before."""
    log = repository.folder.with_suffix(".log")
    with log.open("w", encoding="utf-8") as output:
        running = subprocess.Popen(
            ["dvc", "repro"], cwd=repository.folder, env=environment(), stdout=output, stderr=subprocess.STDOUT
        )
        while running.poll() is None and f"Running stage '{stage}'" not in log.read_text(encoding="utf-8"):
            time.sleep(0.02)
        end = time.monotonic() + delay
        while running.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        unfit = f"the run failed: {log.read_text(encoding='utf-8').strip().splitlines()[-1]}" if running.poll() else ""
        while processes := _of(repository.folder):
            for process in processes:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(processes, timeout=10)
        running.wait()
    lines = [line for line in log.read_text(encoding="utf-8").splitlines() if line.startswith("Running stage '")]
    where = kind(lines[-1].split("'")[1].rpartition(":")[2]) if lines else "DVC"
    return where, unfit


def _of(folder: Path) -> list[psutil.Process]:
    """The processes that work in a folder: of DVC, of stages, of their workers."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()) == folder:
                found.append(process)
    return found
