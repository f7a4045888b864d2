"""A model that a person's own code makes: package.module:factory, imported and called. This runs that code."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from advlaw.models.classifier import Classifier
from advlaw.models.wrapped import classifier, imported, said, source_sha256


def build(
    image_shape: tuple[int, ...],
    n_classes: int,
    module: str,
    arguments: dict[str, Any],
    sources: str,
    float64: bool = True,
    channels_last: bool = True,
    folded: Sequence[Sequence[str]] = (),
) -> Classifier:
    """What the factory returns; `sources` is `source_sha256(module)` when the model was taken.

    Raises ValueError where the code cannot be imported, fails, returns no nn.Module, or has changed since.
    """
    if sources != (found := source_sha256(module)):
        raise ValueError(
            f"{module}: its code has changed since the model was taken (sha256 {sources[:12]}…, now {found[:12]}…); "
            "run the pretrained stage again, with `dvc repro -f -s pretrained@MODEL`, or `audit` anew"
        )
    net = made(module, arguments)
    _fill_in_sizes(net, module, image_shape)
    return classifier(net, image_shape[0], float64, channels_last, folded)


def _fill_in_sizes(net: nn.Module, module: str, image_shape: tuple[int, ...]) -> None:
    """Have lazy layers, as nn.LazyLinear is, take their sizes from an image; their first weights are seeded."""
    if not any(is_lazy(value) for value in [*net.parameters(), *net.buffers()]):
        return
    torch.manual_seed(0)
    try:
        with torch.no_grad():
            net.eval()(torch.zeros(1, *image_shape))
    except Exception as error:  # whatever the person's code raises
        raise ValueError(
            f"{module}: its lazy layers cannot take their sizes from an image {image_shape}: {said(error)}; give them "
            "their sizes in the code"
        ) from error


def made(module: str, arguments: dict[str, Any]) -> nn.Module:
    """The model that package.module:factory returns."""
    name, _, attributes = module.partition(":")
    factory: Any = imported(name)
    for attribute in attributes.split("."):
        if not hasattr(factory, attribute):
            raise ValueError(f"{module}: {name} has no {attribute!r}; name a function or class that it defines")
        factory = getattr(factory, attribute)
    try:
        net = factory(**arguments)
    except Exception as error:  # whatever the person's code raises
        raise ValueError(
            f"{module}: calling it with {_shown(arguments)} failed: {said(error)}; see `arguments`"
        ) from error
    if not isinstance(net, nn.Module):
        raise ValueError(
            f"{module}: returned {type(net).__name__}, not a torch.nn.Module; name a function or class that makes one"
        )
    return net


def _shown(arguments: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in arguments.items()) or "no arguments"
