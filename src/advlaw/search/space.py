"""The cells a search draws from, as decisions: for every block two inputs, their operations, and how they are combined.

Zoph et al. 2017, Sec. 3; Cubuk Sec. 4 has seven blocks, and one cell that is both the normal and the reduction cell.
"""

from collections.abc import Sequence

import numpy as np

from advlaw.models.cell_graph import canonical, from_decisions
from advlaw.search.settings import Space


def sizes(space: Space) -> list[int]:
    """How many choices each decision has, five a block."""
    ends = [len(space.operations)] * 2 + [len(space.combine)]
    return [size for block in range(space.blocks) for size in (block + 2, block + 2, *ends)]


def cell_of(space: Space, decisions: Sequence[int]) -> str:
    """The canonical code of the cell that decisions (5 blocks,) describe."""
    return canonical(from_decisions([int(one) for one in decisions], space.operations, space.combine)).code


def uniform(space: Space, count: int, rng: np.random.Generator) -> np.ndarray:
    """Decisions (count, 5 blocks) int64 of cells that are drawn uniformly; the first are the same for any count."""
    return rng.integers(0, np.array(sizes(space)), (count, 5 * space.blocks))
