"""Where an audit lies and what its net is called, so that two models never share a folder by accident."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from ruamel.yaml.error import YAMLError

from advlaw.audit.stages import DONE, has_taken
from advlaw.config.mistakes import RESERVED
from advlaw.core.section import ParamsError, read_yaml

HEADER = "# Written by `python -m advlaw audit`; the keys are explained in docs/params.md.\n"
LONGEST = 60  # characters of a name, which is part of many files' names
DIGITS = 8
NAMED = ("module", "file", "name")  # by which an entry names its model
OTHER_FOLDER = "give another --out, or remove this folder"


def net_name(entry: dict[str, Any]) -> str:
    """The net's name in tables and figures, and its folder's: of timm, or of its factory or file, and of its arguments.

    Those that are text are shown: create_model with {"model_name": "resnet18"} is create_model_resnet18. Others end it
    with digits that stand for all of them.
    """
    last = entry.get("name") or entry.get("module", "").rpartition(":")[2] or Path(entry.get("file", "")).stem
    values = list(entry.get("arguments", {}).values())
    parts = [last, *(value for value in values if isinstance(value, str))]
    name = re.sub(r"[^A-Za-z0-9_-]", "_", "_".join(parts)).strip("-_") or "model"
    if len(name) > LONGEST - DIGITS - 1 or len(parts) <= len(values):
        digest = hashlib.sha256(_text([last, entry.get("arguments")]).encode()).hexdigest()
        name = f"{name[: LONGEST - DIGITS - 1]}_{digest[:DIGITS]}"
    return f"{name}_net" if name in RESERVED else name


def check_folder(folder: Path, model: dict[str, Any]) -> None:
    """It must be new, empty, or of an earlier audit of this model: nothing of a person's own is written over.

    So is one that failed before it had taken its model.
    """
    if not folder.exists() or (folder.is_dir() and all(path.name == DONE for path in folder.iterdir())):
        return
    params = folder / "params.yaml"
    if not (params.is_file() and params.read_bytes().startswith(HEADER.encode())):
        raise ValueError(f"--out {folder}: exists and holds no audit; give a new or an empty folder")
    if not has_taken(folder):
        return
    earlier = _earlier(params)
    found = next(str(earlier[key]) for key in (*NAMED, "arch") if earlier.get(key))
    if any(earlier.get(key) != model.get(key) for key in NAMED):
        raise ValueError(f"--out {folder}: holds an audit of {found}; {OTHER_FOLDER}")
    if earlier.get("weights") != model.get("weights"):
        weights = f"the weights {earlier['weights']}" if earlier.get("weights") else "the factory's own weights"
        raise ValueError(f"--out {folder}: holds an audit of {found} with {weights}; {OTHER_FOLDER}")
    if earlier.get("arguments") != model.get("arguments"):
        arguments = f"--arguments '{_text(earlier.get('arguments'))}'"
        raise ValueError(f"--out {folder}: holds an audit of {found} with {arguments}; {OTHER_FOLDER}")


def _earlier(params: Path) -> dict[str, Any]:
    """The entry of `pretrained_models` of an earlier audit."""
    try:
        (entry,) = read_yaml(params)["pretrained_models"].values()
        return dict(entry)
    except (ParamsError, YAMLError, KeyError, AttributeError, TypeError, ValueError):
        raise ValueError(f"{params}: was changed and no longer describes an audit; {OTHER_FOLDER}") from None


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
