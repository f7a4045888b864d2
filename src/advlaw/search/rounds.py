"""A search: rounds of children, each rewarded before the next is drawn, and beside them cells that are drawn at random.

Nothing of the controller is stored: it does the same again given the same rewards, and children are kept, so a killed
search goes on with the children it lacks.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial

import numpy as np

from advlaw.core.io import Cells
from advlaw.core.rng import Numbers, generator
from advlaw.core.workers import Pool
from advlaw.search.child import Child, ChildPlan, path_of, train_child
from advlaw.search.controller import Controller
from advlaw.search.rewards import reward
from advlaw.search.settings import Search, Searches
from advlaw.search.space import cell_of, sizes, uniform


@dataclass(frozen=True)
class Running:
    """A search at work: its key, the settings of all and its own, what its children share, and who trains them."""

    name: str
    settings: Searches
    search: Search
    plan: ChildPlan
    pool: Pool

    def trained(self, cells: Sequence[str], seeds: Sequence[int], plan: ChildPlan, what: str) -> list[Cells]:
        """What became of a net of each cell, on each of `seeds`: a row a net, by `advlaw.search.child.train_child`."""
        entries = {cell: self.settings.child_of(self.search, cell) for cell in cells}
        children = [Child(cell, net, seed) for cell, net in entries.items() for seed in seeds]
        paths = {(child.cell, child.seed): path_of(child, plan) for child in children}
        items = [(child,) for child in children]
        self.pool.fan_out(partial(train_child, plan), items, list(paths.values()), f"{self.name}: {what}")
        found = [(cell, seed) for cell in cells for seed in seeds]
        return [{"cell": key[0], "child_seed": key[1], **json.loads(paths[key].read_bytes())} for key in found]

    def by_controller(self, seed: int, count: int) -> tuple[list[Cells], list[Cells]]:
        """`count` children in rounds, and a row a round."""
        space, settings = self.settings.space, self.settings.controller
        assert space is not None
        assert settings is not None
        controller = Controller(sizes(space), settings, Numbers(self.plan.seed, ("controller", seed)))
        children: list[Cells] = []
        rounds: list[Cells] = []
        while len(children) < count:
            number = len(rounds)
            sampled = controller.sample(number, min(settings.batch, count - len(children)))
            cells = [cell_of(space, decisions) for decisions in sampled.decisions]
            found = self.trained(cells, [0], self.plan, f"controller {seed}, round {number + 1}")
            rewards = np.array([reward(self.search.reward, child) for child in found])
            update = controller.update(sampled, rewards)
            children += [
                {"round": number, "reward": float(got), **child} for got, child in zip(rewards, found, strict=True)
            ]
            rounds.append({"round": number, "n_children": len(cells), **asdict(update)})
        return children, rounds

    def at_random(self, count: int) -> list[Cells]:
        """`count` children whose cells are drawn uniformly; the first are the same for any count."""
        assert self.settings.space is not None
        drawn = uniform(self.settings.space, count, generator(self.plan.seed, "search", "random"))
        cells = [cell_of(self.settings.space, decisions) for decisions in drawn]
        found = self.trained(cells, [0], self.plan, "random")
        return [{"round": 0, "reward": reward(self.search.reward, child), **child} for child in found]

    def repeated(self, children: Sequence[Cells]) -> list[Cells]:
        """The winners of both arms and cells that nobody chose, trained anew on fresh seeds: a row a net."""
        how = self.settings.repeated
        assert how is not None
        arms = {arm: [child for child in children if child["arm"] == arm] for arm in ("controller", "random")}
        chosen = [(f"best of {arm}", best(arms[arm], how.best)) for arm in arms]
        chosen.append(("unchosen", list(dict.fromkeys(child["cell"] for child in arms["random"]))[: how.random]))
        plan, seeds = replace(self.plan, on_test=True), range(1, how.seeds + 1)
        found = self.trained([cell for _, cells in chosen for cell in cells], seeds, plan, "trained anew")
        roles = [(role, rank) for role, cells in chosen for rank in range(len(cells)) for _ in seeds]
        return [{"role": role, "rank": rank, **row} for (role, rank), row in zip(roles, found, strict=True)]


def searched(running: Running) -> dict[str, list[Cells]]:
    """A search's `children` in order, its `rounds`, and `repeated`, the nets of cells that are trained anew."""
    children: list[Cells] = []
    rounds: list[Cells] = []
    for arm, seed, count in running.search.arms():
        if arm == "random":
            found = running.at_random(count)
        else:
            found, of_rounds = running.by_controller(seed, count)
            rounds += [{"seed": seed, **row} for row in of_rounds]
        children += [{"arm": arm, "seed": seed, "index": index, **child} for index, child in enumerate(found)]
    return {"children": children, "rounds": rounds, "repeated": running.repeated(children)}


def best(children: Sequence[Cells], count: int = 1) -> list[str]:
    """The cells of the `count` highest rewards, each once; of equal ones those that came first."""
    ordered = sorted(children, key=lambda child: -child["reward"])
    return list(dict.fromkeys(child["cell"] for child in ordered))[:count]
