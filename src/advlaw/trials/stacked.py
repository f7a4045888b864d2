"""Nets of like shape trained as one batched program, for a GPU: one kernel does the step of all of them.

Smaller nets of a group are padded with zeros to the sizes of the largest. That is exact, without masks: a padded unit
has no incoming weights, so it is relu(0) = 0 and its derivative there is 0; gradients of its incoming and outgoing
weights are therefore 0, and Adam leaves 0 where it is. Each net sees its own images in its own order and starts from
the weights it has when trained alone; its result differs from that by rounding, and by the draws of dropout.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from advlaw.core.progress import progress
from advlaw.core.rng import derived_seed
from advlaw.models.classifier import Classifier
from advlaw.models.store import Spec, build, in_fast_layout
from advlaw.training.loop import Examples
from advlaw.training.optimizer import Optimizer
from advlaw.trials.train import (
    Recipe,
    Sampled,
    examples,
    learning_rate,
    n_parameters,
    order,
    packed,
    untrained,
)
from advlaw.trials.workers import keep

MAX_PADDING = 4.0  # parameters of a group, padded over real: small nets keep a GPU waiting, not busy
MAX_PARAMETERS = 500_000_000  # of a group: with gradients and Adam's two moments, 8 GB
SIZES = {"fc": ("widths",), "cnn": ("channels", "dense_units")}
Tensors = dict[str, Tensor]


def train_together(nets: Sequence[Sampled], paths: Sequence[Path], recipe: Recipe, device: torch.device) -> None:
    """Train the groups with a net whose path does not exist, and write each such net as `packed` gives it.

    Draws of dropout belong to a group: a run that was killed goes on to the same bytes, while a larger population, with
    other groups, finds other draws for its further nets.
    """
    path_of = {net.name: path for net, path in zip(nets, paths, strict=True)}
    waiting = [group for group in groups(nets) if not all(path_of[net.name].exists() for net in group)]

    def results() -> Iterator[None]:
        for group in waiting:
            for net, content in zip(group, train_group(group, recipe, device), strict=True):
                if not path_of[net.name].exists():
                    keep(path_of[net.name], content)
                yield

    for _ in progress(results(), "train nets", total=sum(map(len, waiting))):
        pass


def groups(nets: Sequence[Sampled]) -> Iterator[list[Sampled]]:
    """Nets with the same layers but for their sizes, padded to at most 4 times their parameters."""
    alike: dict[tuple, list[Sampled]] = {}
    for net in nets:
        alike.setdefault(_layers(net.spec), []).append(net)
    for family in alike.values():
        family.sort(key=lambda net: n_parameters(net.spec))
        group: list[Sampled] = []
        for net in family:
            longer = [*group, net]
            padded = n_parameters(largest_spec(longer)) * len(longer)
            if group and (padded > MAX_PADDING * sum(n_parameters(n.spec) for n in longer) or padded > MAX_PARAMETERS):
                yield group
                longer = [net]
            group = longer
        yield group


def _layers(spec: Spec) -> tuple:
    """What nets of one program have in common: their kind, their depth and their kernels."""
    kind = spec["arch"]
    return kind, len(spec[SIZES[kind][0]]), *spec.get("kernel_sizes", ())


def largest_spec(nets: Sequence[Sampled]) -> Spec:
    """The spec that every net of a group is padded to."""
    first = nets[0].spec
    largest = {}
    for key in SIZES[first["arch"]]:
        sizes = [net.spec[key] for net in nets]
        largest[key] = max(sizes) if isinstance(sizes[0], int) else [max(column) for column in zip(*sizes, strict=True)]
    return {**first, **largest}


class NetDropout(nn.Module):
    """Dropout whose probability is a buffer, so that each net of a batched program has its own."""

    probability: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("probability", torch.zeros(()), persistent=False)

    def forward(self, values: Tensor) -> Tensor:
        kept = 1.0 - self.probability
        return torch.where(torch.rand_like(values) < kept, values / kept, 0.0)


def train_group(nets: list[Sampled], recipe: Recipe, device: torch.device) -> list[bytes]:
    """Every net as `packed` gives it. A group that does not fit the device's memory is halved."""
    fitted, validation = (examples(recipe.dataset, split, device) for split in ("train", "validation"))
    models = [untrained(net, recipe, fitted.images).to(device) for net in nets]
    losses = None
    try:
        losses = train_stacked(models, nets, fitted, recipe)
    except torch.OutOfMemoryError:
        if len(nets) == 1:
            raise
    if losses is None:  # out here, where the failed attempt's tensors are gone
        del models
        torch.cuda.empty_cache()
        half = len(nets) // 2
        return [*train_group(nets[:half], recipe, device), *train_group(nets[half:], recipe, device)]
    return [packed(in_fast_layout(model), loss, validation) for model, loss in zip(models, losses, strict=True)]


def train_stacked(models: list[Classifier], nets: list[Sampled], fitted: Examples, recipe: Recipe) -> list[float]:
    """Train a group's models in place, stacked and padded; returns the mean losses of the last epoch."""
    device = fitted.labels.device
    template = _with_own_dropout(build(largest_spec(nets))).to(device).train()
    weights = {
        name: torch.stack([_padded(model.get_parameter(name), wanted.shape) for model in models]).requires_grad_(True)
        for name, wanted in template.named_parameters()
    }
    buffers = {name: torch.stack([model.get_buffer(name) for model in models]) for name in ("head.mean", "head.std")}
    dropouts = torch.tensor([net.spec.get("dropout", 0.0) for net in nets], device=device)
    buffers |= {name: dropouts for name, _ in template.named_buffers() if name.endswith("probability")}

    def loss_of(weights: Tensors, buffers: Tensors, images: Tensor, labels: Tensor) -> Tensor:
        return nn.functional.cross_entropy(functional_call(template, (weights, buffers), (images,)), labels)

    losses_of = vmap(loss_of, randomness="different")
    losses = _run_epochs(
        lambda *batch: losses_of(weights, buffers, *batch), list(weights.values()), nets, recipe, fitted
    )
    with torch.no_grad():
        for i, model in enumerate(models):
            for name, parameter in model.named_parameters():
                parameter.copy_(weights[name][i][tuple(slice(size) for size in parameter.shape)])
    return losses


def _run_epochs(
    losses_of: Callable[[Tensor, Tensor], Tensor],
    parameters: list[Tensor],
    nets: list[Sampled],
    recipe: Recipe,
    fitted: Examples,
) -> list[float]:
    """Train the stacked parameters on images (M, B, C, H, W) of their own; returns the last epoch's mean losses."""
    training, n_images, device = recipe.training, len(fitted.labels), fitted.labels.device
    optimizer = Optimizer("adam", parameters, weight_decay=0.0)
    total = torch.zeros(len(nets), dtype=torch.float64, device=device)
    for epoch in range(1, training.epochs + 1):
        torch.manual_seed(derived_seed(recipe.seed, "population", "dropout", *(net.name for net in nets), epoch))
        orders = torch.stack([order(net, recipe.seed, epoch, n_images) for net in nets]).to(device)
        batches = orders.split(training.batch_size, dim=1)
        total.zero_()
        for step, batch in enumerate(batches):
            losses = losses_of(fitted.images[batch], fitted.labels[batch])
            found = torch.autograd.grad(losses.sum(), parameters)
            gradients = [gradient.contiguous() for gradient in found]  # fused Adam goes by memory, not by index
            optimizer.step(gradients, learning_rate(training, (epoch - 1 + step / len(batches)) / training.epochs))
            total += losses.detach() * batch.shape[1]
    return (total / n_images).tolist()


def _with_own_dropout(model: nn.Module) -> nn.Module:
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Dropout):
                setattr(parent, name, NetDropout())
    return model


def _padded(tensor: Tensor, shape: torch.Size) -> Tensor:
    padded = torch.zeros(shape, dtype=tensor.dtype, device=tensor.device)
    padded[tuple(slice(size) for size in tensor.shape)] = tensor.detach()
    return padded
