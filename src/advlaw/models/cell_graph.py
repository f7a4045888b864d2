"""A cell of the search space of Zoph, Vasudevan, Shlens, Le 2017 (arXiv 1707.07012, Sec. 3): what it is, without torch.

A cell is a list of blocks. A block takes two inputs, applies an operation to each, and adds or concatenates the two
results. Input 0 is the output of the cell before, h_i; input 1 that of the one before it, h_(i-1); input 2 + b is
the result of block b of the same cell. The released NASNet has no blocks that concatenate; we follow the text.

In params and tables a cell is its code, the blocks joined by commas: `0 sep_3x3 + 1 identity, 2 conv_1x1 & 0 max_3x3`
has a block that adds and one that concatenates. For a controller it is 5 whole numbers a block (`from_decisions`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

OPERATIONS = (  # Zoph 2017 Sec. 3
    "identity",
    "conv_1x1",
    "conv_3x3",
    "conv_1x3_3x1",
    "conv_1x7_7x1",
    "dilated_3x3",
    "sep_3x3",
    "sep_5x5",
    "sep_7x7",
    "avg_3x3",
    "max_3x3",
    "max_5x5",
    "max_7x7",
)
COMBINE = {"add": "+", "concat": "&"}
INPUTS = 2  # of a cell
DECISIONS = 5  # of a block

_BLOCK = re.compile(r"(\d+)\s+(\w+)\s+([+&])\s+(\d+)\s+(\w+)")
_BY_SIGN = {sign: name for name, sign in COMBINE.items()}


class Operand(NamedTuple):
    """Half of a block: `operation` on the input numbered `source`."""

    source: int
    operation: str


class Block(NamedTuple):
    """`combine` is "add" or "concat"."""

    left: Operand
    right: Operand
    combine: str

    @property
    def operands(self) -> tuple[Operand, Operand]:
        return self.left, self.right


@dataclass(frozen=True)
class Cell:
    """Blocks in an order in which each takes only earlier ones."""

    blocks: tuple[Block, ...]

    @property
    def code(self) -> str:
        """The text that `parse` reads."""
        return ", ".join(
            f"{left.source} {left.operation} {COMBINE[combine]} {right.source} {right.operation}"
            for left, right, combine in self.blocks
        )


def parse(code: str) -> Cell:
    """The cell of a code. Raises ValueError that says which block is wrong and what is allowed in its place."""
    parts = code.split(",")
    return Cell(tuple(_block(part.strip(), number, len(parts)) for number, part in enumerate(parts)))


def _block(text: str, number: int, count: int) -> Block:
    where = f"block {number + 1} of {count}, {text!r}"
    found = _BLOCK.fullmatch(text)
    if found is None:
        raise ValueError(
            f"{where}: must be an input, an operation, + or &, an input and an operation, as in '0 sep_3x3 + 1 "
            "identity'; blocks are joined by commas"
        )
    sources, names = (int(found[1]), int(found[4])), (found[2], found[5])
    for source in sources:
        if source >= INPUTS + number:
            raise ValueError(f"{where}: input {source}: must be one of {', '.join(map(str, range(INPUTS + number)))}")
    for name in names:
        if name not in OPERATIONS:
            raise ValueError(f"{where}: operation {name!r}: must be one of {', '.join(OPERATIONS)}")
    left, right = (Operand(*operand) for operand in zip(sources, names, strict=True))
    return Block(left, right, _BY_SIGN[found[3]])


def canonical(cell: Cell) -> Cell:
    """The one form that all codings of a graph have: operands sorted, blocks in the least order that is possible.

    The operands of a block may change places because adding is symmetric, and concatenating is up to the order of
    channels. Blocks are numbered one after another, always with the least block next of those whose inputs have
    numbers. Where several blocks are equally least, each is tried, as what uses them later may tell them apart.
    """
    loose = set(loose_ends(cell))
    orders: list[tuple[int, ...]] = [()]  # old numbers of the blocks that have a new one
    blocks: list[Block] = []
    for _ in cell.blocks:
        nexts = [(block, order, old) for order in orders for old, block in _ready(cell, order)]
        least = min(block for block, _, _ in nexts)
        orders = []
        ended: set[tuple[int, ...]] = set()
        for block, order, old in nexts:
            if block == least and not (old in loose and order in ended):
                orders.append((*order, old))
                if old in loose:
                    ended.add(order)  # nothing tells equal loose ends apart: one of them will do
        blocks.append(least)
    return Cell(tuple(blocks))


def _ready(cell: Cell, order: tuple[int, ...]) -> list[tuple[int, Block]]:
    """The blocks, not in `order`, whose inputs are numbered by it: old number, block with the new numbers, sorted."""
    number = {source: source for source in range(INPUTS)}
    number |= {INPUTS + old: INPUTS + new for new, old in enumerate(order)}
    found = []
    for old, block in enumerate(cell.blocks):
        if INPUTS + old not in number and all(source in number for source, _ in block.operands):
            left, right = sorted(Operand(number[source], name) for source, name in block.operands)
            found.append((old, Block(left, right, block.combine)))
    return found


def canonical_code(code: str) -> str:
    """The code of the canonical form; see `parse` for what is raised."""
    return canonical(parse(code)).code


def loose_ends(cell: Cell) -> list[int]:
    """The numbers, from 0 on, of the blocks that no other takes: concatenated, they are the cell's output."""
    used = {operand.source - INPUTS for block in cell.blocks for operand in block.operands}
    return [number for number in range(len(cell.blocks)) if number not in used]


def uses_input(cell: Cell, which: int) -> bool:
    """Whether any block takes input 0 or 1 of the cell."""
    return any(operand.source == which for block in cell.blocks for operand in block.operands)


def length(cell: Cell) -> int:
    """Connections on the longest path from an input to the output: the depth of Shu, Wang, Cai 2019 (arXiv 1909.09569).

    The last of them leads from a block to the output, so that it is 2 where all blocks take inputs of the cell alone.
    """
    depths = [0] * INPUTS
    for block in cell.blocks:
        depths.append(1 + max(depths[operand.source] for operand in block.operands))
    return 1 + max(depths)


def width(cell: Cell) -> float:
    """The width of Shu, Wang, Cai 2019 (arXiv 1909.09569), in units of the filters of a block.

    Each block counts 1, less the share of its operands that are other blocks of the cell.
    """
    return sum(operand.source < INPUTS for block in cell.blocks for operand in block.operands) / 2


def choices(blocks: int, n_operations: int, n_combine: int) -> list[int]:
    """The number of choices of each decision: input, input, operation, operation, combination of every block."""
    each = [(INPUTS + block, INPUTS + block, n_operations, n_operations, n_combine) for block in range(blocks)]
    return [count for counts in each for count in counts]


def from_decisions(decisions: Sequence[int], operations: Sequence[str], combine: Sequence[str]) -> Cell:
    """The cell of 5 decisions a block, where operations and combinations are numbered as in these two lists.

    Raises ValueError for decisions that are no whole blocks, and for one that has no such choice.
    """
    if not decisions or len(decisions) % DECISIONS:
        raise ValueError(f"decisions: {len(decisions)} of them: must be {DECISIONS} for each block")
    allowed = choices(len(decisions) // DECISIONS, len(operations), len(combine))
    for place, (decision, count) in enumerate(zip(decisions, allowed, strict=True)):
        if not 0 <= decision < count:
            raise ValueError(f"decisions[{place}] = {decision}: must be one of 0 to {count - 1}")
    blocks = []
    for start in range(0, len(decisions), DECISIONS):
        first, second, left, right, how = (int(decision) for decision in decisions[start : start + DECISIONS])
        blocks.append(Block(Operand(first, operations[left]), Operand(second, operations[right]), combine[how]))
    return Cell(tuple(blocks))


def decisions_of(cell: Cell, operations: Sequence[str], combine: Sequence[str]) -> list[int]:
    """What `from_decisions` makes the cell of; ValueError where the lists lack an operation or a combination of it."""
    return [
        decision
        for left, right, how in cell.blocks
        for decision in (
            left.source,
            right.source,
            operations.index(left.operation),
            operations.index(right.operation),
            combine.index(how),
        )
    ]


def drawn(rng: np.random.Generator, blocks: int, operations: Sequence[str], combine: Sequence[str]) -> list[int]:
    """The decisions of a random cell: each uniform among its choices, independent of the others."""
    return [int(rng.integers(count)) for count in choices(blocks, len(operations), len(combine))]
