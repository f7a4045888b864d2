"""What a person waits for: `dvc repro` when nothing has changed and when one model has, and an experiment on the grid.

In a clone with the cache of this repository; where that lacks the default study, the clone runs it first.
"""

import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rounds import Line

ROOT = Path(__file__).parents[1]
CACHE = ROOT / ".dvc" / "cache"
ROUNDS = 5


def lines() -> Iterator[Line]:
    with tempfile.TemporaryDirectory() as temporary:
        clone = Path(temporary) / "clone"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
        if CACHE.exists():
            shutil.copytree(CACHE, clone / ".dvc" / "cache")
        subprocess.run(
            ["dvc", "checkout", "-q", "--allow-missing", "dvc.yaml", "datasets/dvc.yaml"], cwd=clone, check=True
        )
        repro(clone)
        for _ in range(ROUNDS):
            assert "Running stage" not in repro(clone)[1], "the default study is not up to date: run `dvc repro`"
        yield Line("dvc repro", "–", "nothing changed", "–", *_medians([repro(clone)[0] for _ in range(ROUNDS)]))
        params = clone / "params.yaml"
        changed = params.read_text(encoding="utf-8").replace("    epochs: 30\n", "    epochs: 31\n", 1)
        params.write_text(changed, encoding="utf-8")
        yield Line("dvc repro", "–", "one model changed", "–", *_medians([repro(clone)[0]]))
        took, output = repro(clone, "exp", "run", "-S", "attack.eps_max=32")
        stages = output.count("Running stage")
        yield Line("dvc exp run -S attack.eps_max=32", "–", f"{stages} stages", "–", *_medians([took]))


def repro(clone: Path, *command: str) -> tuple[float, str]:
    """Seconds and output of `dvc repro`, or of another command."""
    start = time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": "src"}
    done = subprocess.run(
        ["dvc", *(command or ("repro",))], cwd=clone, env=environment, capture_output=True, text=True, check=True
    )
    return time.perf_counter() - start, done.stdout


def _medians(seconds: list[float]) -> tuple:
    return statistics.median(seconds), *[None] * 6, len(seconds)
