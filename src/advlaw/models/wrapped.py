"""A person's own model as a `Classifier`: the head normalises pixels, the tail is the model as it is.

And how its code and its files are found, and known again by their SHA-256.
"""

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.checkpoint import checkpoint

from advlaw.core.images import at_once
from advlaw.models.classifier import AffineHead, Classifier
from advlaw.models.folded import fold


class Normalisation(AffineHead):
    """(images - mean) / std, with no layer behind it: an affine head all the same."""

    def __init__(self, n_channels: int) -> None:
        nn.Module.__init__(self)
        self.register_buffer("mean", torch.zeros(n_channels, 1, 1))
        self.register_buffer("std", torch.ones(n_channels, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        return (images - self.mean) / self.std

    def linear(self, direction: Tensor) -> Tensor:
        return direction / self.std


class Whole(nn.Module):
    """The model, a few images at a time, as it bears what is done with nets here.

    While any layer is in training mode all are taken at once, since batch norm needs the statistics of all.
    `float64`: whether it also computes in double precision; one that does not computes in single all the same.
    `channels_last`: whether it takes the layout in which convolutions are fast; `view` is what may not.
    `folded`: layers, each with the batch norm that is folded into it when evaluation mode is first asked for: weights,
    which are kept as they were published, are loaded before.
    """

    def __init__(self, net: nn.Module, float64: bool, channels_last: bool, folded: Sequence[Sequence[str]]) -> None:
        super().__init__()
        self.net = net
        self.float64 = float64
        self.channels_last = channels_last
        self.to_fold = folded

    def forward(self, pixels: Tensor) -> Tensor:
        given = pixels if self.float64 else pixels.float()
        parts = given.split(at_once(given.shape[1:], given.device))
        if len(parts) == 1 or any(layer.training for layer in self.modules()):
            logits = self._of_part(given)
        elif torch.is_grad_enabled():  # layers are computed anew for the gradient, part by part
            logits = torch.cat(
                [checkpoint(self._of_part, part, use_reentrant=False, preserve_rng_state=False) for part in parts]
            )
        else:
            logits = torch.cat([self._of_part(part) for part in parts])
        return logits if self.float64 else logits.to(pixels.dtype)

    def _of_part(self, pixels: Tensor) -> Tensor:
        with sdpa_kernel(SDPBackend.MATH):  # the one kind of attention that is differentiable twice
            return self.net(pixels.clone())  # what changes its input changes a copy

    def train(self, mode: bool = True) -> "Whole":
        super().train(mode)
        if not mode:
            fold(self.net, self.to_fold)
            self.to_fold = []
        if not self.channels_last:  # the store has changed the layout before it calls eval()
            for layer in self.net.modules():
                if isinstance(layer, nn.Conv2d):
                    layer.to(memory_format=torch.contiguous_format)
        return self

    def _apply(self, fn, recurse=True):  # type: ignore[no-untyped-def]
        return super()._apply(fn if self.float64 else lambda tensor: fn(tensor).to(tensor.dtype), recurse)


def classifier(
    net: nn.Module, n_channels: int, float64: bool, channels_last: bool, folded: Sequence[Sequence[str]] = ()
) -> Classifier:
    """`net`, from normalised pixels to logits, behind a head whose statistics are yet to be set."""
    return Classifier(Normalisation(n_channels), Whole(net, float64, channels_last, folded))


def said(error: BaseException) -> str:
    """What went wrong in a person's code, in a line: kind, message, file and line."""
    message = (str(error).strip().splitlines() or ["no message"])[0]
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" ({trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno})" if trace is not None else ""
    return f"{type(error).__name__}: {message}{where}"


def source_sha256(module: str) -> str:
    """SHA-256 of the code: of every .py file of the outermost package, or of the one file of a lone module."""
    name = module.partition(":")[0]
    imported(name)
    top = importlib.util.find_spec(name.partition(".")[0])
    if top is not None and top.origin is None:  # a namespace package, whose folders may hold anything
        top = importlib.util.find_spec(name)
    if top is None or top.origin is None:
        raise ValueError(f"{module}: {name} is a folder without code; name a module, as package.module:factory")
    origin = Path(top.origin)
    files = sorted(origin.parent.rglob("*.py")) if origin.name == "__init__.py" else [origin]
    total = hashlib.sha256()
    for file in files:
        total.update(f"{file.relative_to(origin.parent).as_posix()}\0".encode() + file.read_bytes() + b"\0")
    return total.hexdigest()


def imported(name: str) -> Any:
    """The module, from what is installed, PYTHONPATH, or the folder where stages run, in this order."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
        importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name + ".").startswith(error.name + "."):
            raise ValueError(
                f"{name}: no module {error.name!r} is installed, in PYTHONPATH or in {here}; "
                "put its folder into PYTHONPATH, or install it"
            ) from None
        raise ValueError(f"{name}: it imports {error.name!r}, which is not installed; install it") from error
    except Exception as error:  # whatever the person's code raises
        raise ValueError(f"{name}: importing it failed: {said(error)}; mend it") from error


def contents(file: str) -> bytes:
    """The bytes of the file; raises ValueError where there is none."""
    path = Path(file)
    if not path.is_file():
        raise ValueError(
            f"{file}: no such file from {Path.cwd()}; give the path of what torch.jit or torch.export saved"
        )
    return path.read_bytes()
