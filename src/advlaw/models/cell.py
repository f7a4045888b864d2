"""Nets of one repeated cell: the space of Zoph et al. 2017 (arXiv 1707.07012) as Cubuk Sec. 4 restricts it.

A 3x3 convolution with `stem` times the filters and batch normalisation; then `repeats` normal cells, and `reductions`
times a reduction cell and `repeats` normal ones; ReLU, the mean over all positions, dropout and a linear layer. Normal
and reduction cells are the same cell (Cubuk Sec. 4). A reduction cell has twice the filters, and its operations on
inputs 0 and 1 a stride of 2 (Zoph 2017 Sec. 3).

Both inputs of a cell are brought to its filters first: ReLU - 1x1 convolution - batch normalisation, or a factorized
reduction where input 1 is from before the last reduction. The first cell takes the stem as both. The blocks that no
other takes are concatenated; the released NASNet adds an input 1 that no block takes, and we follow the text.

A cell need not take input 0 or 1. Only what the logits depend on is built: no projection of such an input, and, where
input 0 is unused, not every cell.
"""

import torch
from torch import Tensor, nn

from advlaw.models.cell_graph import INPUTS, Block, Cell, loose_ends, parse, uses_input
from advlaw.models.cell_operations import MODULES, FactorizedReduction, convolution, projection
from advlaw.models.classifier import AffineHead, Classifier
from advlaw.models.settings import scaled


def build(
    image_shape: tuple[int, int, int],
    n_classes: int,
    cell: str,
    filters: int,
    repeats: int,
    reductions: int,
    stem: float = 3.0,
    dropout: float = 0.0,
) -> Classifier:
    """`cell` is a code, see `advlaw.models.cell_graph`; `filters` are those of the first normal cells.

    Raises ValueError for a code that is none, and where no cell is left.
    """
    if repeats == reductions == 0:
        raise ValueError("cell: repeats = 0 and reductions = 0: one of them must be at least 1, or no cell is left")
    n_stem = scaled([filters], stem)[0]
    head = AffineHead(convolution(image_shape[0], n_stem, 3), image_shape[0])
    strides = [1] * repeats + [2, *[1] * repeats] * reductions
    return Classifier(head, _Tail(parse(cell), strides, n_stem, filters, dropout, n_classes))


class _Tail(nn.Module):
    """All but the first convolution: features (B, n_stem, H, W) to logits (B, K)."""

    def __init__(
        self, graph: Cell, strides: list[int], n_stem: int, filters: int, dropout: float, n_classes: int
    ) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(n_stem)
        self.n_cells = len(strides)
        self.used = _used(graph)
        self.cells = nn.ModuleDict()  # by number, as not every cell need be there
        reachable = _reachable(graph, len(strides))
        before, last = (n_stem, 0), (n_stem, 0)  # channels, and how often halved
        for number, stride in enumerate(strides):
            halved = last[1] + (stride == 2)
            n_filters = filters << halved
            if number in reachable:
                halve_before = before[1] < last[1]
                self.cells[str(number)] = _BuiltCell(graph, last[0], before[0], n_filters, stride, halve_before)
            before, last = last, (_n_ends(graph) * n_filters, halved)
        self.relu = nn.ReLU(inplace=True)  # the last cell's output is a new tensor that nothing else sees
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(last[0], n_classes)

    def forward(self, features: Tensor) -> Tensor:
        stem = self.bn(features)
        outputs = {-2: stem, -1: stem}
        for name, cell in self.cells.items():
            number = int(name)
            outputs[number] = cell({which: outputs[number - 1 - which] for which in self.used})
            outputs.pop(number - 2, None)  # which no later cell takes
        return self.linear(self.dropout(self.relu(outputs[self.n_cells - 1]).mean(dim=(2, 3))))


def _used(graph: Cell) -> list[int]:
    """The inputs that a cell takes."""
    return [which for which in range(INPUTS) if uses_input(graph, which)]


def _reachable(graph: Cell, n_cells: int) -> set[int]:
    """The numbers of the cells that the output of the last one depends on."""
    found = {n_cells - 1}
    for number in reversed(range(n_cells)):
        if number in found:
            found |= {number - 1 - which for which in _used(graph)}
    return found


def _n_ends(graph: Cell) -> int:
    """How many times the filters of a cell its output has."""
    return sum(_n_results(graph.blocks[number]) for number in loose_ends(graph))


def _n_results(block: Block) -> int:
    return 2 if block.combine == "concat" else 1


class _BuiltCell(nn.Module):
    """Outputs (B, n, S, S) of the cells before, by number of input, to those of all loose ends, concatenated."""

    def __init__(self, graph: Cell, n_last: int, n_before: int, filters: int, stride: int, halve_before: bool) -> None:
        super().__init__()
        self.inputs = nn.ModuleDict()
        if uses_input(graph, 0):
            self.inputs["0"] = projection(n_last, filters)
        if uses_input(graph, 1):
            self.inputs["1"] = (FactorizedReduction if halve_before else projection)(n_before, filters)
        channels = [filters] * INPUTS + [_n_results(block) * filters for block in graph.blocks]
        self.blocks = nn.ModuleList(_BuiltBlock(block, channels, filters, stride) for block in graph.blocks)
        self.ends = [INPUTS + number for number in loose_ends(graph)]

    def forward(self, outputs: dict[int, Tensor]) -> Tensor:
        states = {which: self.inputs[str(which)](features) for which, features in outputs.items()}
        for number, block in enumerate(self.blocks, INPUTS):
            states[number] = block(states)
        return states[self.ends[0]] if len(self.ends) == 1 else torch.cat([states[end] for end in self.ends], dim=1)


class _BuiltBlock(nn.Module):
    """Two operations, which give `filters` channels each; a block that concatenates has twice as many.

    `channels` are those of all inputs that a block can have, by their number.
    """

    def __init__(self, block: Block, channels: list[int], filters: int, stride: int) -> None:
        super().__init__()
        self.sources = [operand.source for operand in block.operands]
        self.left, self.right = (
            MODULES[name](channels[source], filters, stride if source < INPUTS else 1)
            for source, name in block.operands
        )
        self.concatenates = block.combine == "concat"

    def forward(self, states: dict[int, Tensor]) -> Tensor:
        left, right = self.left(states[self.sources[0]]), self.right(states[self.sources[1]])
        return torch.cat([left, right], dim=1) if self.concatenates else left + right
