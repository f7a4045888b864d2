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
OTHER_FOLDER = "give another --out, or remove this folder"


def net_name(model: str, arguments: dict[str, Any]) -> str:
    """The net's name in tables and figures: of its factory or file, and of arguments that are text.

    create_model with {"model_name": "resnet18", "width": 2} is create_model_resnet18.
    """
    last = model.rpartition(":")[2] if ":" in model else Path(model).stem
    parts = [last, *(value for value in arguments.values() if isinstance(value, str))]
    name = re.sub(r"[^A-Za-z0-9_-]", "_", "_".join(parts)).strip("-_") or "model"
    if len(name) > LONGEST:
        digest = hashlib.sha256(_text([model, arguments]).encode()).hexdigest()
        name = f"{name[: LONGEST - DIGITS - 1]}_{digest[:DIGITS]}"
    return f"{name}_net" if name in RESERVED else name


def check_folder(folder: Path, model: dict[str, Any], is_given: bool) -> None:
    """It must be new, empty, or of an earlier audit of this model: nothing of a person's own is written over.

    A folder that `is_given` by --out may hold an audit of the model with other arguments, which is then replaced; so is
    one that failed before it had taken its model.
    """
    where = f"--out {folder}" if is_given else f"{folder}"
    if not folder.exists() or (folder.is_dir() and all(path.name == DONE for path in folder.iterdir())):
        return
    params = folder / "params.yaml"
    if not (params.is_file() and params.read_bytes().startswith(HEADER.encode())):
        raise ValueError(f"{where}: exists and holds no audit; give a new or an empty folder")
    if not has_taken(folder):
        return
    earlier = _earlier(params)
    for key in ("module", "file"):
        if earlier.get(key) != model.get(key):
            found = earlier.get("module") or earlier.get("file")
            raise ValueError(f"{where}: holds an audit of {found}; {OTHER_FOLDER}")
    if earlier.get("weights") != model.get("weights"):
        found = f"the weights {earlier['weights']}" if earlier.get("weights") else "the factory's own weights"
        raise ValueError(f"{where}: holds an audit of {model['module']} with {found}; {OTHER_FOLDER}")
    if not is_given and earlier.get("arguments") != model.get("arguments"):
        found = f"--arguments '{_text(earlier.get('arguments'))}'"
        raise ValueError(f"{where}: holds an audit of {model['module']} with {found}; {OTHER_FOLDER}")


def _earlier(params: Path) -> dict[str, Any]:
    """The entry of `pretrained_models` of an earlier audit."""
    try:
        (entry,) = read_yaml(params)["pretrained_models"].values()
        return dict(entry)
    except (ParamsError, YAMLError, KeyError, AttributeError, TypeError, ValueError):
        raise ValueError(f"{params}: was changed and no longer describes an audit; {OTHER_FOLDER}") from None


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
