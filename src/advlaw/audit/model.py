"""What an audit is told of the model: a factory with weights, a file with a program, or a name that timm knows.

Mistakes are told from the files, and none is opened here in a way that runs its code.
"""

import pickletools
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STATE = ("collections ", "torch._utils ")  # how a pickled state dict, or a lone tensor, begins
PROGRAM = "/constants.pkl"  # what torch.jit.save also writes
FACTORY = "use --model package.module:factory"
PUBLISHED = "https://huggingface.co/timm/{}/resolve/main/model.safetensors"


@dataclass(frozen=True)
class Given:
    """A model as the command takes it: `model` or `timm`, and what goes with it."""

    model: str | None
    timm: str | None
    arguments: dict[str, Any]
    weights: Path | None

    def entry(self) -> dict[str, Any]:
        """What the entry of `pretrained_models` says of the model itself. Raises ValueError for what cannot be one."""
        if self.weights is not None:
            _check_weights(self.weights)
        if self.timm is not None:
            return _timm_entry(self.timm, self.arguments, self.weights)
        assert self.model is not None
        return _own_entry(self.model, self.arguments, self.weights)


def _check_weights(file: Path) -> None:
    if not file.is_file():
        raise ValueError(f"--weights {file}: no such file; give a state dict of safetensors or torch.save")
    if net := pickled(file):
        raise ValueError(
            f"--weights {file}: holds a whole net, {net}, where its tensors are needed; save net.state_dict() with "
            "torch.save and give that file"
        )


def _timm_entry(name: str, arguments: dict[str, Any], weights: Path | None) -> dict[str, Any]:
    if weights is None:
        raise ValueError(
            f"--timm {name}: its weights are not downloaded here; get {PUBLISHED.format(name)} and give the file as "
            "--weights (a name without a tag has one there: timm.get_pretrained_cfg(NAME).hf_hub_id)"
        )
    return {"arch": "timm", "name": name, "arguments": arguments, "weights": str(weights.resolve())}


def _own_entry(model: str, arguments: dict[str, Any], weights: Path | None) -> dict[str, Any]:
    if Path(model).is_file():
        _check_program(Path(model))
        if weights is not None or arguments:
            raise ValueError(f"--model {model}: a program has its own weights; leave out --weights and --arguments")
        return {"arch": "own_file", "file": str(Path(model).resolve())}
    if ":" not in model:
        raise ValueError(
            f"--model {model}: neither an existing file nor package.module:factory; give one of them, "
            "such as torchvision.models:squeezenet1_0"
        )
    file = str(weights.resolve()) if weights is not None else None
    return {"arch": "own_module", "module": model, "arguments": arguments, "weights": file}


def _check_program(file: Path) -> None:
    """Refuse code, weights and pickled nets, which are no programs."""
    if file.suffix == ".py":
        raise ValueError(
            f"--model {file}: is code, of which a factory is needed; {FACTORY}, here {file.stem}:FACTORY, with "
            "--weights FILE if it does not set them"
        )
    if net := pickled(file):
        raise ValueError(
            f"--model {file}: holds a pickled net, {net}, and no program; save net.state_dict() with torch.save, and "
            f"{FACTORY} --weights FILE"
        )
    if file.suffix == ".safetensors" or _pickle(file) is not None:
        raise ValueError(f"--model {file}: holds weights and no program; {FACTORY} --weights {file}")


def pickled(file: Path) -> str:
    """The class of the object that torch.save wrote; empty for a mapping, a tensor, a program, and any other file."""
    try:
        for operation, argument, _ in pickletools.genops(_pickle(file) or b""):
            if operation.name == "GLOBAL":
                return "" if str(argument).startswith(STATE) else str(argument).replace(" ", ".")
            if operation.name not in ("PROTO", "MARK"):
                break
    except ValueError:  # it is damaged, which its reader answers
        pass
    return ""


def _pickle(file: Path) -> bytes | None:
    """What torch.save has pickled into its archive; None in any other file, that of torch.jit.save among them."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            found = [name for name in names if name.count("/") == 1 and name.endswith("/data.pkl")]
            is_program = any(name.endswith(PROGRAM) for name in names)
            return archive.read(found[0]) if found and not is_program else None
    # no archive, or one that is encrypted or packed by a method of which Python says NotImplementedError: no state dict
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError):
        return None
