"""Half-done trainings, so that a killed one goes on: .ckpt/<hash>/ under the repository, removed on success."""

import hashlib
import json
import os
import pickle
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from advlaw.core.io import replacing
from advlaw.core.runtime import PORTABLE


class Checkpoint:
    """One training's state under the hash of everything that decides its result, threads and device included."""

    def __init__(self, settings: dict[str, Any], inputs: Sequence[Path]) -> None:
        root = Path(os.environ.get("DVC_ROOT", "."))
        self.folder = root / ".ckpt" / _key(settings, inputs)

    def load(self) -> dict[str, Any] | None:
        path = self.folder / "state.pt"
        if not path.exists():
            return None
        try:
            return torch.load(path, weights_only=True, map_location="cpu")
        except (RuntimeError, EOFError, pickle.UnpicklingError):
            print(f"{path}: not readable; the training begins anew")
            return None

    def save(self, state: dict[str, Any]) -> None:
        with replacing(self.folder / "state.pt") as temporary:
            torch.save(state, temporary)

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def _key(settings: dict[str, Any], inputs: Sequence[Path]) -> str:
    """Hash of the settings, the input files and the project's code that is loaded."""
    machine = {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "cpu": [os.environ.get(name) for name in PORTABLE],
    }
    digest = hashlib.sha256(json.dumps([settings, machine], sort_keys=True).encode())
    loaded = [sys.modules[name].__file__ for name in sorted(sys.modules) if name.startswith("advlaw")]
    for path in [*inputs, *(Path(file) for file in loaded if file)]:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:32]
