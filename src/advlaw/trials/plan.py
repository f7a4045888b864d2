"""What all measurements of the nets of a set share: the nets, where they are attacked, and the kept results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from advlaw.attacks.settings import Attack
from advlaw.core.code import code_sha256, sha256
from advlaw.core.kept import kept_path
from advlaw.models.settings import Spec


@dataclass(frozen=True)
class Setting:
    """Where all nets of a set are attacked: the data set's file and hash, the study's seed, and the device."""

    dataset: Path
    data: str
    seed: int
    device: str
    portable: bool


@dataclass(frozen=True)
class Measured:
    """A trained net: its name, what it is, and the file it lies in."""

    name: str
    spec: Spec
    path: Path


def outcomes_path(
    module: str, setting: Setting, attacks: Mapping[str, Attack], nets: Sequence[Measured], **more: Any
) -> Path:
    """Where the outcomes of some nets under attacks, by their keys, are kept: under the hash of all that decides them.

    `module` computes them; `more` is what else they depend on, as JSON can hold it.
    """
    families = {f"advlaw.attacks.{key.partition('.')[0]}" for key in attacks}
    architectures = {f"advlaw.models.{net.spec['arch']}" for net in nets}
    return kept_path(
        "outcomes",
        {
            **more,
            "weights": [sha256(net.path) for net in nets],
            "attacks": [[key, attack.model_dump()] for key, attack in attacks.items()],  # in the order of the file
            "seed": setting.seed,
            "data": setting.data,
            "device": setting.device,
            "portable": setting.portable,
            "code": code_sha256(module, *families, *architectures),
            "torch": torch.__version__,
        },
    )
