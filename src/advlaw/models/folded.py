"""Batch norm folded into the layer before it, for nets of others in evaluation mode: a quarter of their time.

There it is affine with fixed statistics, as the layer is: gamma (w x + b - mean) / sqrt(var + eps) + beta is one layer
with the weight w gamma / sqrt(var + eps) (Ioffe and Szegedy 2015, Sec. 3.1). torch.fx cannot trace every net, so which
norm is behind which layer is seen in one forward, and believed where the answers stay the same.
"""

import copy
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

Pair = tuple[str, str]  # the paths of a layer and of the norm behind it
LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
WATCHED = 2  # images, where what all layers give is kept, and in double precision
SAME = {torch.float32: 1e-4, torch.float64: 1e-9}  # of the spread of the logits: what differs less is rounding


def foldable(net: nn.Module, images: Tensor, float64: bool) -> list[Pair]:
    """Every layer whose output goes to one batch norm and nowhere else, with that norm; `net` stays as it is.

    None at all where the net, in evaluation mode, answers images (B, C, H, W) float32 otherwise with them folded; with
    `float64` in double precision too.
    """
    with torch.no_grad():
        try:
            pairs = _pairs(net, images[:WATCHED])
            return pairs if pairs and _answers_stay(net, pairs, images, float64) else []
        except Exception:  # whatever a person's code raises that is watched, copied, or misses a norm
            return []


def fold(net: nn.Module, pairs: Iterable[Sequence[str]]) -> None:
    """Fold each norm into its layer; what else the norm does, as timm's BatchNormAct2d, is done where it was."""
    for before, behind in pairs:
        layer, norm = net.get_submodule(before), net.get_submodule(behind)
        assert isinstance(layer, LAYERS)
        assert isinstance(norm, _BatchNorm)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = (norm.running_var.double() + norm.eps).rsqrt()
        if norm.weight is not None:
            scale = scale * norm.weight.double()
        bias = -norm.running_mean.double() * scale
        if layer.bias is not None:
            bias = bias + layer.bias.double() * scale
        if norm.bias is not None:
            bias = bias + norm.bias.double()
        weight = layer.weight.double() * scale.view(-1, *[1] * (layer.weight.ndim - 1))
        layer.bias = nn.Parameter(bias.to(layer.weight.dtype).detach())
        layer.weight = nn.Parameter(weight.to(layer.weight.dtype).detach())
        net.set_submodule(behind, nn.Sequential(*norm.children()))


class _Uses(TorchDispatchMode):
    """Counts, by its id, how many operations take each tensor that is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[int, Tensor] = {}
        self.count: Counter[int] = Counter()

    def keep(self, tensor: Tensor) -> None:
        self.kept[id(tensor)] = tensor

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count.update({id(value) for value in tree_leaves((args, kwargs))} & self.kept.keys())
        return func(*args, **(kwargs or {}))


def _pairs(net: nn.Module, images: Tensor) -> list[Pair]:
    """Pairs in the order of the net, by which tensor a layer gave and a norm was given."""
    given, gave = defaultdict(list), defaultdict(list)
    uses = _Uses()

    def before(name: str, inputs: tuple[Any, ...]) -> None:
        given[name].append(inputs[0] if inputs else None)

    def after(name: str, output: Any) -> None:
        gave[name].append(output)
        uses.keep(output)

    with ExitStack() as hooks:
        for name, module in net.named_modules():
            if isinstance(module, LAYERS):
                for parameter in module.parameters(recurse=False):
                    uses.keep(parameter)
                hooks.enter_context(module.register_forward_hook(lambda _, __, output, name=name: after(name, output)))
            elif isinstance(module, _BatchNorm):
                hooks.enter_context(module.register_forward_pre_hook(lambda _, inputs, name=name: before(name, inputs)))
        with uses:
            net(images.clone())
    layer_of = {id(outputs[0]): name for name, outputs in gave.items() if len(outputs) == 1}
    once = {name: inputs[0] for name, inputs in given.items() if len(inputs) == 1 and id(inputs[0]) in layer_of}
    found = [(layer_of[id(value)], name) for name, value in once.items() if uses.count[id(value)] == 1]
    return [pair for pair in found if _fit(net.get_submodule(pair[0]), net.get_submodule(pair[1]), uses)]


def _fit(layer: nn.Module, norm: nn.Module, uses: _Uses) -> bool:
    """Whether the layer's weights are its own, used once, and the norm's statistics fixed, one for each of its rows."""
    weight, bias = layer._parameters.get("weight"), layer._parameters.get("bias")  # not what a parametrisation computes
    fixed = None if norm.training else norm.running_mean
    if weight is None or not isinstance(fixed, Tensor) or len(fixed) != len(weight):
        return False
    return all(uses.count[id(value)] == 1 for value in (weight, bias) if value is not None)


def _answers_stay(net: nn.Module, pairs: list[Pair], images: Tensor, float64: bool) -> bool:
    for precision, tried in ((torch.float32, images), (torch.float64, images[:WATCHED]))[: 1 + float64]:
        plain = copy.deepcopy(net).to(precision)
        folded = copy.deepcopy(plain)
        fold(folded, pairs)
        expected, found = (each(tried.to(precision, copy=True)) for each in (plain, folded))
        spread = float(expected.max() - expected.min()) or 1.0
        if not float((expected - found).abs().max()) <= SAME[precision] * spread:  # NaN is no agreement
            return False
    return True
