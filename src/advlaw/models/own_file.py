"""A model in a file that torch.jit or torch.export saved. Such a file is a program: loading it runs what it holds."""

import hashlib
import io
import warnings
import zipfile

import torch
from torch import nn

from advlaw.models.classifier import Classifier
from advlaw.models.wrapped import classifier, contents, said


class Exported(nn.Module):
    """A program of torch.export: it answers as it was exported, in training or evaluation mode, and has no other."""

    def __init__(self, program: nn.Module) -> None:
        super().__init__()
        self.program = program

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.program(pixels)

    def train(self, mode: bool = True) -> "Exported":
        self.training = mode
        return self


def build(
    image_shape: tuple[int, ...],
    n_classes: int,
    file: str,
    sha256: str,
    float64: bool = True,
    channels_last: bool = True,
) -> Classifier:
    """The program in `file`, a path from the root; `sha256` is of its bytes when the model was taken.

    Raises ValueError where it is missing, has changed since, or is no program.
    """
    content = contents(file)
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ValueError(
            f"{file}: has changed since the model was taken (sha256 {sha256[:12]}…, now {found[:12]}…); "
            "run the pretrained stage again, with `dvc repro -f -s pretrained@MODEL`, or `audit` anew"
        )
    return classifier(program(content, file), image_shape[0], float64, channels_last)


def program(content: bytes, file: str) -> nn.Module:
    """The model in the bytes of a TorchScript file or of a torch.export program; `file` is for messages."""
    kind = _kind(content)
    if kind is None:
        raise ValueError(
            f"{file}: neither a TorchScript file nor a torch.export program; save one with torch.export.save, or, if "
            "these are weights alone, use arch: own_module, whose entry names the code and `weights`"
        )
    try:
        if kind == "export":
            return Exported(torch.export.load(io.BytesIO(content)).module())
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"`torch\.jit\.load` is deprecated", FutureWarning)
            warnings.filterwarnings("ignore", r"`torch\.jit\.load` is deprecated", DeprecationWarning)
            return torch.jit.load(io.BytesIO(content), map_location="cpu")
    except Exception as error:  # whatever a reader stumbles over in a damaged or newer file
        raise ValueError(f"{file}: torch {torch.__version__} cannot load it: {said(error)}; save it anew") from error


def _kind(content: bytes) -> str | None:
    """Which of the two formats, both zip archives, these bytes are."""
    try:
        names = zipfile.ZipFile(io.BytesIO(content)).namelist()
    except zipfile.BadZipFile:
        return None
    if any(name.endswith(("models/model.json", "serialized_exported_program.json")) for name in names):
        return "export"
    return "torchscript" if any("/code/" in name for name in names) else None
