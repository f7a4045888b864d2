"""Half-done trainings, so that a killed one goes on: .ckpt/<hash>/ under the repository, removed on success."""

import hashlib
import json
import os
import pickle
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from advlaw.core.code import sha256
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
    """Hash of the settings, which hold that of the code, and of the input files."""
    machine = {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "cpu": [os.environ.get(name) for name in PORTABLE],
    }
    digest = hashlib.sha256(json.dumps([settings, machine], sort_keys=True).encode())
    digest.update(sha256(*inputs).encode())
    return digest.hexdigest()[:32]
