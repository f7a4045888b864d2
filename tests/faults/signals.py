"""SIGINT, SIGTERM and SIGHUP to every kind of command at random moments; two runs, two audits at once."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from audits import SLOW, write_digits
from common import OF_STAGES, Answer, Outcome, answer, differences, files
from repository import ROOT, environment

from studies import by_kind, commands, copied, remove_outputs, unlike_finished

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
IMPORTS = 1.5  # seconds that a stage needs at least to import torch
LONGEST = 4.0  # seconds after which a signal is sent at the latest
RUNS = 2  # of the whole study and of an audit, ended by each signal; and pairs of them at once
GO_ON = "run the same command again to go on"


def outcomes(folder: Path, seed: int) -> Iterator[Outcome]:
    rng = random.Random(f"{seed} signals")
    yield from _stages(folder, rng, seed)
    yield from _runs(folder, rng, seed)
    yield from _audits(folder, rng, seed)


def _stages(folder: Path, rng: random.Random, seed: int) -> Iterator[Outcome]:
    for name, stages in by_kind().items():
        number, stage = rng.choice(NUMBERS), rng.choice(stages)
        tree = copied(folder / "stage")
        remove_outputs(tree, stage)
        found = _signalled(tree, f"exec env {commands()[stage]}", number, rng)
        broken = "" if found.code == 0 else _ended(found, number)
        left = [path.name for path in tree.rglob(".*.tmp")]
        again = answer(tree, "sh", "-c", commands()[stage], PYTHONPATH="")
        after = again.last if again.code else unlike_finished(tree)
        yield Outcome(
            f"{number.name} to a stage",
            f"{name} ({stage}) of seed {seed}",
            broken or (left and f"left {left}") or after,
        )
        shutil.rmtree(tree)


def _runs(folder: Path, rng: random.Random, seed: int) -> Iterator[Outcome]:
    """Signals to all processes of `dvc repro`, as a terminal sends them; two runs at once."""
    for number in NUMBERS:
        for run in range(RUNS):
            tree = copied(folder / "run", cache=True)
            shutil.rmtree(tree / "plots")
            shutil.rmtree(tree / "models")
            (tree / "dvc.lock").unlink()
            found = _signalled(tree, "exec dvc repro --no-run-cache", number, rng, group=True, longest=20.0)
            broken = "was not ended" if found.code == 0 else ""
            again = answer(tree, "dvc", "repro", PYTHONPATH="")
            after = again.last if again.code else unlike_finished(tree)
            yield Outcome(f"{number.name} to dvc repro", f"{run} of seed {seed}", broken or after)
            shutil.rmtree(tree)
    for run in range(RUNS):
        tree = copied(folder / "run", cache=True)
        (tree / "dvc.lock").unlink()
        two = [_started(tree, "exec dvc repro --no-run-cache", warm=True) for _ in range(2)]
        said = [each.communicate() for each in two]
        codes = sorted(each.returncode for each in two)
        text = "".join(out + error for out, error in said)
        broken = "" if 0 in codes else f"neither ended well: {text.strip()[-300:]}"
        if codes[1] and "Unable to acquire lock" not in text and "is busy" not in text:
            broken = f"one failed, and not for the other's sake: {text.strip()[-300:]}"
        yield Outcome("two dvc repro at once", f"{run} of seed {seed}", broken or unlike_finished(tree))
        shutil.rmtree(tree)


def _audits(folder: Path, rng: random.Random, seed: int) -> Iterator[Outcome]:
    mine = folder / "mine"
    mine.mkdir()
    write_digits(mine)
    command = f"exec {sys.executable} -m advlaw {' '.join(SLOW)}"
    audited = {"PYTHONPATH": str(ROOT / "src"), "DELAY": "0.02"}
    undisturbed = _started(mine, command, **audited)
    undisturbed.communicate()
    kept = _tables(mine)
    shutil.rmtree(mine / "audit", ignore_errors=True)
    for number in NUMBERS:
        for run in range(RUNS):
            found = _signalled(mine, command, number, rng, longest=15.0, **audited)
            broken = _ended(found, number) if found.code else ""
            again = _started(mine, command, **audited)
            out, error = again.communicate()
            after = (out + error).strip()[-300:] if again.returncode else differences(kept, _tables(mine))
            yield Outcome(f"{number.name} to an audit", f"{run} of seed {seed}", broken or after)
            shutil.rmtree(mine / "audit", ignore_errors=True)
    for run in range(RUNS):
        two = [_started(mine, command, **audited) for _ in range(2)]
        text = "".join(out + error for out, error in [each.communicate() for each in two])
        codes = sorted(each.returncode for each in two)
        refused = codes == [0, 1] and "another audit" in text and "Traceback" not in text
        broken = "" if refused else f"exit codes {codes}: {text.strip()[-300:]}"
        yield Outcome("two audits at once", f"{run} of seed {seed}", broken or differences(kept, _tables(mine)))
        shutil.rmtree(mine / "audit", ignore_errors=True)


def _started(folder: Path, command: str, *, warm: bool = False, **more: str) -> subprocess.Popen:
    return subprocess.Popen(
        ["sh", "-c", command],
        cwd=folder,
        env={**environment(warm=warm), **OF_STAGES, **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=_heed,
    )


def _heed() -> None:
    """Signals as a terminal leaves them: a campaign that runs in the background may ignore some."""
    for number in NUMBERS:
        signal.signal(number, signal.SIG_DFL)


def _signalled(
    folder: Path,
    command: str,
    number: signal.Signals,
    rng: random.Random,
    *,
    group: bool = False,
    longest: float = LONGEST,
    **more: str,
) -> Answer:
    """How a command, or all its processes, answers a signal that comes at a random moment after its imports."""
    running = _started(folder, command, **more)
    end = time.monotonic() + rng.uniform(IMPORTS, longest)
    while running.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    if running.poll() is None:
        (os.killpg if group else os.kill)(running.pid, number)
    output, error = running.communicate()
    return Answer(running.returncode, output + error)


def _ended(found: Answer, number: signal.Signals) -> str:
    """Nothing where a command ended as asked, without a word or with one; while it imports, Python says more itself."""
    if found.code not in (1, 128 + number, -number):
        return f"exit code {found.code}: {found.last}"
    if "Traceback" in found.text and "importlib" not in found.text:
        return f"a traceback: {found.last}"
    if found.code != -number and "Traceback" not in found.text and GO_ON not in found.text:
        return f"does not say how to go on: {found.last}"
    return ""


def _tables(folder: Path) -> dict[str, bytes]:
    """The tables that an audit wrote."""
    return {name: content for name, content in files(folder / "audit").items() if name.endswith(".csv")}
