"""The package as `pip install` leaves it, in a folder of its own: away from this repository, and without a network."""

import shutil
import subprocess
import sys
from pathlib import Path

from repository import ROOT

WHAT_IS_BUILT = ("pyproject.toml", "setup.py", "README.md", "dvc.yaml", "requirements.txt")


def install(target: Path, build: Path) -> Path:
    """Install into `target`, from a copy in `build`, since building leaves files there; returns `target`."""
    for name in ("src", "stages"):
        shutil.copytree(ROOT / name, build / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in WHAT_IS_BUILT:
        shutil.copy(ROOT / name, build / name)
    offline = ("--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--no-compile")
    command = [sys.executable, "-m", "pip", "install", "--quiet", *offline, "--target", str(target), str(build)]
    done = subprocess.run(command, cwd=build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return target
