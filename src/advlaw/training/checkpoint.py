"""Half-done trainings, so that a killed one goes on: .ckpt/<hash>/ under the repository, removed on success."""

import hashlib
import json
import os
import pickle
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
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


@dataclass(frozen=True)
class Done:
    """How far an epoch is: steps that are made, and the sum of their images' losses."""

    steps: int = 0
    loss: float = 0.0


BEGUN = Done()


@dataclass
class Saver:
    """Saves what `state()` gives to a checkpoint, if there is one, every so many seconds."""

    checkpoint: Checkpoint | None
    state: Callable[[], dict[str, Any]]
    saved: float = field(default_factory=time.monotonic)

    def save_after(self, seconds: float, steps: int = 0, loss: Callable[[], float] = float) -> None:
        """Save if that long ago nothing was; `steps` of the epoch that is running are made, with this sum of losses."""
        if self.checkpoint is not None and time.monotonic() - self.saved > seconds:
            self.checkpoint.save({**self.state(), "steps": steps, "loss": loss()})
            self.saved = time.monotonic()


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
