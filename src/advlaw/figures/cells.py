"""Cubuk Fig. 14: the cells that searches found, as graphs from a cell's inputs at the bottom to its output on top."""

from collections.abc import Iterator
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch, PathPatch
from matplotlib.path import Path

from advlaw.core.io import Cells
from advlaw.core.tables import Tables, groups, records
from advlaw.figures.cell_layout import BOX, N_INPUTS, Graph, Node, graph_of
from advlaw.figures.figure import Drawing, Figure, listed
from advlaw.figures.search import BLUE, best_nets
from advlaw.figures.style import COLOURS, in_panels

INPUTS = ("$h_i$", "$h_{i-1}$")
FROM = (BLUE, COLOURS[1], "#555555")  # colours of what comes from h_i, from h_(i-1), from a block
FAMILIES = {
    "identity": "#F2F2F2",
    "conv": "#CFE5F5",
    "dilated": "#CFE5F5",
    "sep": "#FBE3C8",
    "avg": "#D5EFE2",
    "max": "#D5EFE2",
}
LAYER = 1.0  # height, of which a block takes this much:
BLOCK_HEIGHT, JOIN_HEIGHT = 0.5, 0.18
RANDOM = ", by random search"


def draw_cells(tables: Tables) -> Iterator[Drawing]:
    """Each cell that was enlarged, once, with the searches that found it; all to one scale."""
    shown = {}
    for cell, nets in groups(best_nets(tables), "cell"):
        found = dict.fromkeys((row["search"], row["arm"]) for row in records(nets))
        title = " and ".join(f"best of {search}{RANDOM if arm == 'random' else ''}" for search, arm in found)
        shown[title] = graph_of(cell), records(nets)[0]
    layers = max((len(graph.layers) for graph, _ in shown.values()), default=0)
    width = max((right - left for left, right in (_sides(graph) for graph, _ in shown.values())), default=0.0)
    panels = {
        title: partial(draw_cell, graph=graph, about=about, size=(width, layers))
        for title, (graph, about) in shown.items()
    }
    yield from in_panels(panels, 0.5 + 0.62 * layers, "", in_a_row=2)


def _sides(graph: Graph) -> tuple[float, float]:
    return min(x - 0.5 * node.width for node, x in graph.x.items()), max(
        x + 0.5 * node.width for node, x in graph.x.items()
    )


def draw_cell(ax: Axes, graph: Graph, about: Cells, size: tuple[float, int]) -> None:
    """One cell in the middle of a panel for `size`, a width and a number of layers; below how long and wide it is."""
    for layer in graph.layers:
        for node in layer:
            _draw_wires(ax, graph, node)
            _draw_node(ax, graph, node)
    middle, (width, layers) = np.mean(_sides(graph)), size
    ax.set(xlim=(middle - 0.51 * width, middle + 0.51 * width), ylim=(-0.1, (layers - 1) * LAYER + JOIN_HEIGHT + 0.1))
    ax.set_axis_off()
    words = f"{ax.get_title()}: length {about['length']:g}, width {about['width']:g}"
    ax.set_title("")  # cells stand at the bottom of their panels, and so does what they are
    ax.text(0.5, 0.0, words, transform=ax.transAxes, ha="center", va="top")


def _draw_wires(ax: Axes, graph: Graph, node: Node) -> None:
    """What comes from the layer below; a trunk also runs up through its own."""
    x, y = graph.x[node], node.layer * LAYER
    for source, end in _ends(graph, node):
        below = next(other for other in graph.below(node) if other.source == source)
        start = below.layer * LAYER + _height(graph, below)
        colour = FROM[min(source, N_INPUTS)]
        middle = 0.5 * (start + y)
        curve = Path([(graph.x[below], start), (graph.x[below], middle), (end, middle), (end, y)], [1, 4, 4, 4])
        ax.add_patch(PathPatch(curve, facecolor="none", edgecolor=colour, linewidth=0.9, capstyle="round", zorder=1))
        if node.is_trunk:
            ax.plot([x, x], [y, y + _height(graph, node)], color=colour, linewidth=0.9, zorder=1)
        else:
            ax.plot(end, y - 0.03, "^", color=colour, markersize=3, markeredgewidth=0, zorder=3)


def _ends(graph: Graph, node: Node) -> list[tuple[int, float]]:
    """Each source that runs into a node, and where: side by side, from left to right as they come."""
    x = graph.x[node]
    if node.is_trunk:
        return [(node.source, x)]
    below = {other.source: graph.x[other] for other in graph.below(node)}
    sources = sorted(graph.taken(node.source), key=below.__getitem__)
    return [(source, x + BOX * ((place + 0.5) / len(sources) - 0.5)) for place, source in enumerate(sources)]


def _height(graph: Graph, node: Node) -> float:
    return BLOCK_HEIGHT if node.is_trunk or node.source >= N_INPUTS else JOIN_HEIGHT


def _draw_node(ax: Axes, graph: Graph, node: Node) -> None:
    """The box of an input, the boxes of a block and its two operations, or that of the output."""
    x, y = graph.x[node], node.layer * LAYER
    if node.is_trunk:
        return
    if node.source == graph.output:
        _box(ax, x, y, BOX, JOIN_HEIGHT, "output")
    elif node.source < N_INPUTS:
        _box(ax, x, y, 0.5 * BOX, JOIN_HEIGHT, INPUTS[node.source], edge=FROM[node.source])
    else:
        below = {other.source: graph.x[other] for other in graph.below(node)}
        halves = sorted(graph.halves[node.source - N_INPUTS], key=lambda half: below[half[0]])  # as what they take
        for (_, operation), (_, end) in zip(halves, _ends(graph, node), strict=True):
            colour = FAMILIES[operation.partition("_")[0]]
            _box(ax, end, y, 0.48 * BOX, BLOCK_HEIGHT - JOIN_HEIGHT, _words(operation), colour)
        join = graph.joins[node.source - N_INPUTS]
        _box(ax, x, y + BLOCK_HEIGHT - JOIN_HEIGHT, 0.98 * BOX, JOIN_HEIGHT, join)


def _words(operation: str) -> str:
    """`sep\\n3×3`, or `identity`."""
    kind, _, sizes = operation.partition("_")
    return f"{kind}\n{sizes.replace('x', '×').replace('_', '–')}" if sizes else kind


def _box(
    ax: Axes, x: float, y: float, width: float, height: float, words: str, colour: str = "white", edge: str = "#888888"
) -> None:
    """A box whose bottom has its middle at (x, y)."""
    shape = FancyBboxPatch((x - 0.5 * width, y), width, height, boxstyle="round,pad=0,rounding_size=0.04", zorder=2)
    shape.set(facecolor=colour, edgecolor=edge, linewidth=0.6)
    ax.add_patch(shape)
    ax.text(x, y + 0.5 * height, words, ha="center", va="center", fontsize=5.5, linespacing=0.9, zorder=4)


def _shapes(tables: Tables, of: str) -> str:
    found = (
        f"{row['search']}{RANDOM if row['arm'] == 'random' else ''}: {row['length']:g} and {row['width']:g}"
        for row in records(best_nets(tables))
    )
    return listed("Length in connections and width in blocks", found)


FIGURES = (
    Figure(
        "search_cells",
        "search",
        "The best cells that searches found",
        "Cubuk Fig. 14: the cell of Experiment 1 is longer and narrower than the one found for clean accuracy.",
        ("search/enlarged",),
        draw_cells,
        (
            "A block applies an operation to each of two inputs and adds or concatenates the results. What no other "
            "block takes is concatenated to the output. One cell is one draw: two searches differ by chance, too.",
            _shapes,
        ),
    ),
)
