"""What the controller of a search is rewarded with, computed from what a child's file says: see `advlaw.search.child`.

Another reward is a line here.
"""

from collections.abc import Callable

from advlaw.core.io import Cells

REWARDS: dict[str, Callable[[Cells], float]] = {
    "adversarial": lambda child: child["adversarial_accuracy"],
    "clean": lambda child: child["clean_accuracy"],
}


def reward(name: str, child: Cells) -> float:
    """The reward of a child; 0 where its training diverged."""
    return 0.0 if child["diverged"] else REWARDS[name](child)
