"""Places for the blocks of a cell and for what runs between them, to be drawn as a graph from bottom to top.

Blocks stand in layers, above all that they take. Whatever a block or an input gives runs up through the layers as one
trunk, and branches to each block that takes it; the order within layers keeps trunks from crossing (Sugiyama, Tagawa,
Toda 1981).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise

import numpy as np

N_INPUTS = 2  # of a cell: h_i, then h_(i-1)
IN_A_LAYER = 3  # blocks; as many fit beside one another
BOX, TRUNK, BETWEEN = 1.0, 0.14, 0.12  # widths in a layer
SWEEPS = 12


@dataclass(frozen=True)
class Node:
    """What stands in a layer: a block by its source number (2 and on), an input (0, 1), a trunk, or the output."""

    source: int
    layer: int
    is_trunk: bool = False

    @property
    def width(self) -> float:
        return TRUNK if self.is_trunk else BOX


@dataclass
class Graph:
    """A cell as it is drawn: the halves of its blocks, nodes by layer from the bottom, and the place of each."""

    halves: list[tuple[tuple[int, str], tuple[int, str]]]
    joins: list[str]
    layers: list[list[Node]] = field(default_factory=list)
    x: dict[Node, float] = field(default_factory=dict)

    @property
    def output(self) -> int:
        return N_INPUTS + len(self.halves)

    def taken(self, source: int) -> list[int]:
        """What a block takes; the output takes all blocks that no other does."""
        if source < self.output:
            return [] if source < N_INPUTS else [taken for taken, _ in self.halves[source - N_INPUTS]]
        used = {taken for halves in self.halves for taken, _ in halves}
        return [block for block in range(N_INPUTS, self.output) if block not in used]

    def below(self, node: Node) -> list[Node]:
        """The nodes of the layer below that something runs from to this one."""
        wanted = [node.source] if node.is_trunk else self.taken(node.source)
        return [other for other in self.layers[node.layer - 1] if other.source in wanted] if node.layer else []


def graph_of(code: str) -> Graph:
    """A cell's code, like `0 sep_3x3 + 1 identity, 2 conv_1x1 & 0 max_3x3`, with a place for everything."""
    halves, joins = [], []
    for block in code.split(", "):
        left, first, join, right, second = block.split()
        halves.append(((int(left), first), (int(right), second)))
        joins.append({"+": "add", "&": "concat"}[join])
    graph = Graph(halves, joins)
    _stack(graph)
    _order(graph)
    _place(graph)
    return graph


def _stack(graph: Graph) -> None:
    """Layers: each block in the lowest that has room above all that it takes; trunks where something runs on."""
    at = dict.fromkeys(range(N_INPUTS), 0)
    for block in range(N_INPUTS, graph.output):
        layer = 1 + max(at[taken] for taken in graph.taken(block))
        while list(at.values()).count(layer) >= IN_A_LAYER:
            layer += 1
        at[block] = layer
    at[graph.output] = 1 + max(at.values())
    graph.layers = [[] for _ in range(at[graph.output] + 1)]
    for source, layer in at.items():
        graph.layers[layer].append(Node(source, layer))
        last = max((at[taker] for taker in at if source in graph.taken(taker)), default=layer)
        for between in range(layer + 1, last):
            graph.layers[between].append(Node(source, between, is_trunk=True))


def _order(graph: Graph) -> None:
    """Sort each layer by the mean place of its neighbours, upwards and downwards in turn; keep the best order."""
    best, fewest = [list(layer) for layer in graph.layers], _crossings(graph)
    for sweep in range(SWEEPS):
        numbers = range(1, len(graph.layers)) if sweep % 2 == 0 else range(len(graph.layers) - 2, -1, -1)
        for number in numbers:
            graph.layers[number].sort(key=partial(_middle, graph, upwards=sweep % 2 == 0))
        if (crossings := _crossings(graph)) < fewest:
            best, fewest = [list(layer) for layer in graph.layers], crossings
    graph.layers = best


def _neighbours(graph: Graph, node: Node, upwards: bool) -> list[Node]:
    if upwards:
        return graph.below(node)
    above = graph.layers[node.layer + 1] if node.layer + 1 < len(graph.layers) else []
    return [other for other in above if node in graph.below(other)]


def _middle(graph: Graph, node: Node, upwards: bool) -> float:
    layer = graph.layers[node.layer - 1 if upwards else node.layer + 1]
    places = [layer.index(other) / len(layer) for other in _neighbours(graph, node, upwards)]
    return float(np.mean(places)) if places else 0.5


def _crossings(graph: Graph) -> int:
    """Pairs of lines between two layers that cross."""
    count = 0
    for below, layer in pairwise(graph.layers):
        lines = [(below.index(other), place) for place, node in enumerate(layer) for other in graph.below(node)]
        count += sum((a - c) * (b - d) < 0 for i, (a, b) in enumerate(lines) for c, d in lines[:i])
    return count


def _place(graph: Graph) -> None:
    """Horizontal places: each near the middle of its neighbours, as near as the widths in its layer let it be."""
    for layer in graph.layers:
        graph.x |= dict(zip(layer, _apart(layer, [0.0] * len(layer)), strict=True))
    for sweep in range(SWEEPS):
        upwards = sweep % 2 == 0
        for layer in graph.layers if upwards else graph.layers[::-1]:
            wanted = []
            for node in layer:
                near = [graph.x[other] for other in _neighbours(graph, node, upwards)]
                wanted.append(float(np.mean(near)) if near else graph.x[node])
            graph.x |= dict(zip(layer, _apart(layer, wanted), strict=True))


def _apart(layer: Sequence[Node], wanted: Sequence[float]) -> list[float]:
    """Places nearest to those wanted by least squares, in order and far enough apart: pools of neighbours that meet."""
    gaps = [0.5 * (left.width + right.width) + BETWEEN for left, right in pairwise(layer)]
    offsets = np.concatenate([[0.0], np.cumsum(gaps)])[: len(layer)]
    pools: list[list[float]] = []
    for value in np.asarray(wanted) - offsets:
        pools.append([value])
        while len(pools) > 1 and np.mean(pools[-2]) > np.mean(pools[-1]):
            pools[-2:] = [pools[-2] + pools[-1]]
    middles = [float(np.mean(pool)) for pool in pools for _ in pool]
    return [middle + float(offset) for middle, offset in zip(middles, offsets, strict=True)]
