"""Outputs of a revision that are not in git: DVC's cache holds them under the hashes of its dvc.lock."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML


@cache
def cache_folder(root: Path) -> Path:
    """Where DVC keeps its cache here; raises ValueError where it does not say."""
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "cache", "dir"], cwd=root, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ValueError(f"dvc cache dir: {done.stderr.strip()}")
    return root / done.stdout.strip()


def outputs(lock: bytes) -> dict[str, str]:
    """The hash of every output in a dvc.lock."""
    found: Any = YAML(typ="safe").load(lock)
    stages = (found or {}).get("stages") or {}
    return {out["path"]: out["md5"] for stage in stages.values() for out in stage.get("outs", []) if "md5" in out}


def files_in(folder: Path, md5: str) -> dict[str, Path]:
    """The files of an output that is a folder, by name: those that the cache in `folder` has."""
    listing = _place(folder, md5)
    if not listing.exists():
        return {}
    entries = json.loads(listing.read_text(encoding="utf-8"))
    files = {entry["relpath"]: _place(folder, entry["md5"]) for entry in entries}
    return {name: path for name, path in files.items() if path.exists()}


def _place(folder: Path, md5: str) -> Path:
    return folder / "files" / "md5" / md5[:2] / md5[2:]
