"""`search`: searches for architectures by reinforcement learning and at random, and their winners made larger.

Cubuk Sec. 4, after Zoph, Vasudevan, Shlens and Le 2017 (arXiv 1707.07012).
"""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from advlaw.attacks.settings import AttackKey
from advlaw.core.section import Name, Section
from advlaw.models.cell_graph import COMBINE, OPERATIONS
from advlaw.training.settings import Adversarial, Net
from advlaw.trials.settings import fits_a_set, merged

Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0)]
ANY_CELL = "0 identity + 0 identity"  # stands for the cell of a child until it is drawn
ARMS = ("controller", "random")


def _known(names: list[str], allowed: tuple[str, ...], what: str) -> None:
    for name in names:
        if name not in allowed or names.count(name) > 1:
            raise ValueError(f"{what} = {names}: must be different ones of {', '.join(allowed)}")


class Space(Section):
    """Cells of `blocks` blocks, of these `operations` and ways to `combine` two results: all, if left out.

    Cubuk Sec. 4 has 7 blocks, Zoph et al. 5, of all 13 operations.
    """

    blocks: Annotated[int, Field(ge=1, le=20)]
    operations: Annotated[list[str], Field(min_length=1, default_factory=lambda: list(OPERATIONS))]
    combine: Annotated[list[str], Field(min_length=1, default_factory=lambda: list(COMBINE))]

    @model_validator(mode="after")
    def _of_what_there_is(self) -> "Space":
        _known(self.operations, tuple(OPERATIONS), "operations")
        _known(self.combine, tuple(COMBINE), "combine")
        return self


class Measured(Section):
    """Adversarial accuracy of every child: under `attack`, a key of `attacks` that clips, at `eps` (pixel units)."""

    attack: AttackKey
    eps: Annotated[float, Field(gt=0, le=255)]


class ControllerSettings(Section):
    """The recurrent net that draws architectures, and how it learns from their rewards: `advlaw.search.controller`.

    Cubuk Sec. 4 follows Zoph, Vasudevan, Shlens and Le 2017 (App. A.2, A.3), whose values are given where they tell
    one; theirs are for about 20,000 children, and a study of a hundred has to learn faster.

    `units`: of the LSTM; Zoph: 100. Its weights start uniform in [-0.1, 0.1].
    `learning_rate`: of Adam, which Zoph and Le 2016 take; Zoph: 0.00035.
    `entropy_weight`: of the policy's entropy in nats, summed over the decisions of a child; Zoph: 0.00001.
    `baseline_decay`: share of the baseline that stays when the mean reward of a round joins it; Zoph: 0.95.
    `clip`: a decision's ratio of probabilities counts up to 1 +- `clip` in PPO (arXiv 1707.06347, which takes 0.2).
    Neither Zoph nor Cubuk tells it, nor whether ratios are taken a decision or a child: a decision is our choice.
    `passes`: gradient steps on each round, all of its children in each. Told by neither; with 1 nothing is clipped.
    `batch`: children of a round; Zoph: 20.
    `scale_advantage`: divide advantages by the standard deviation of the round's rewards. Ours; Zoph tells of none.
    """

    units: Positive
    learning_rate: Rate
    entropy_weight: Annotated[float, Field(ge=0)]
    baseline_decay: Annotated[float, Field(ge=0, lt=1)]
    clip: Rate
    passes: Positive
    batch: Positive
    scale_advantage: bool


class Repeated(Section):
    """Which cells of every search are trained anew, on `seeds` fresh seeds, and measured on test images.

    The `best` of the controller and of the random arm, by reward, and the first `random` of the random arm, which are
    nobody's choice: how much of a child's accuracy is its cell's, and how much its seed's.
    """

    best: Count
    random: Count
    seeds: Positive


class Search(Section):
    """One search. `adversarial`: on what its children are trained; without it, on clean images alone.

    `reward`: which of a child's accuracies the controller gets, see `advlaw.search.rewards`. The controller draws
    `children`, and so again from each of `seeds`; beside it stand `random` cells that are drawn uniformly.
    """

    adversarial: Adversarial | None = None
    reward: Literal["adversarial", "clean"]
    children: Count
    random: Count
    seeds: Positive = 1

    def arms(self) -> list[tuple[str, int, int]]:
        """Arm, seed and number of children of each of its runs; those without children are left out."""
        runs = [("controller", seed, self.children) for seed in range(self.seeds)]
        return [run for run in (*runs, ("random", 0, self.random)) if run[2]]


class EnlargedNet(Section):
    """The best cell of a `search`, by reward, of one of its arms, as a larger net.

    It is trained as the children of the search `adversarial` names are, or on clean images; of each minibatch `images`
    are replaced, if it says so. Nets that differ in `seed` alone are independent copies.
    """

    search: Name
    arm: Literal["controller", "random"] = "controller"
    adversarial: Name | None = None
    images: Positive | None = None
    seed: Count = 0


class Enlarged(Section):
    """`net`: what differs from a child's entry. `grid`: values of its keys, of which every combination is tried.

    The one with the highest adversarial accuracy on validation images is kept; of a net that is trained on clean images
    the one with the highest clean accuracy.
    """

    net: Net | None = None
    grid: Annotated[dict[Name, Annotated[list[int | float | str], Field(min_length=1)]], Field(default_factory=dict)]
    nets: dict[Name, EnlargedNet]

    @model_validator(mode="after")
    def _says_how_nets_are_enlarged(self) -> "Enlarged":
        if self.nets and self.net is None:
            raise ValueError("net: missing key, which enlarged nets need")
        return self

    def sets(self) -> list[dict[str, Any]]:
        """All combinations of the grid's values, by their keys."""
        return [dict(zip(self.grid, values, strict=True)) for values in product(*self.grid.values())]


class Pictures(Section):
    """Images of every class that `attack` at `eps` makes wrong for a `net`, and those it does not (Cubuk Fig. 8, 15).

    Beside the latter those that it makes of the same images for `baseline`.
    """

    net: Name
    baseline: Name
    attack: AttackKey
    eps: Annotated[float, Field(gt=0, le=255)]


class Searches(Section):
    """All searches of a study, on one data set.

    Children are fitted to its first `images` training images (all, if null), and measured on `held_out` ones: those of
    the validation split, then the last of the training split. `child`: what all of them have in common, a net's entry
    without `arch`, `cell`, `dataset` and `adversarial`.
    """

    dataset: Name
    images: Positive | None = None
    held_out: Positive | None = None
    space: Space | None = None
    child: Net | None = None
    measured: Measured | None = None
    controller: ControllerSettings | None = None
    repeated: Repeated | None = None
    searches: dict[Name, Search]
    enlarged: Enlarged
    pictures: dict[Name, Pictures]

    @model_validator(mode="before")
    @classmethod
    def _resolve(cls, values: Any) -> Any:
        """The entries of a child and of an enlarged net, whole."""
        if not isinstance(values, dict) or not isinstance(values.get("child"), dict):
            return values
        child = _with_a_cell(values["child"], "child", values.get("dataset", ""))
        enlarged = values.get("enlarged")
        if isinstance(enlarged, dict) and isinstance(enlarged.get("net"), dict):
            _with_a_cell(enlarged["net"], "enlarged.net", "")
            enlarged = {**enlarged, "net": merged(child, enlarged["net"])}
        return {**values, "child": child, **({"enlarged": enlarged} if enlarged is not None else {})}

    @model_validator(mode="after")
    def _has_what_searches_need(self) -> "Searches":
        needed = ("space", "child", "measured", "controller", "repeated")
        missing = [key for key in needed if getattr(self, key) is None]
        missing += [key for key in ("images", "held_out") if key not in self.model_fields_set]  # DVC reads them by name
        if self.searches and missing:
            raise ValueError(f"{missing[0]}: missing key, which searches need")
        if self.child is not None:
            fits_a_set(self.child.training)
        return self

    @model_validator(mode="after")
    def _enlarges_cells_of_its_searches(self) -> "Searches":
        for name, net in self.enlarged.nets.items():
            for key, search in (("search", net.search), ("adversarial", net.adversarial)):
                if search is not None and search not in self.searches:
                    known = ", ".join(self.searches)
                    raise ValueError(f"enlarged.nets.{name}.{key} = {search!r}: must be a search: {known}")
            found = self.searches[net.search]
            if not (found.children if net.arm == "controller" else found.random):
                raise ValueError(f"enlarged.nets.{name}.arm = {net.arm!r}: searches.{net.search} has no such children")
            self._trained_on(name, net)
            for values in self.enlarged.sets():
                self._checked(values)
        return self

    def _checked(self, values: Mapping[str, Any]) -> None:
        assert self.enlarged.net is not None
        try:
            _net({**self.enlarged.net.entry(), **values})
        except ValidationError as error:
            detail = error.errors(include_url=False)[0]
            key = str(detail["loc"][-1]) if detail["loc"] else ""
            where, what = f".{key}" if key in values else "", str(detail["msg"]).removeprefix("Value error, ")
            raise ValueError(f"enlarged.grid{where}: {what}") from None

    def _trained_on(self, name: str, net: EnlargedNet) -> None:
        adversarial = self.searches[net.adversarial].adversarial if net.adversarial else None
        if net.adversarial and adversarial is None:
            raise ValueError(
                f"enlarged.nets.{name}.adversarial = {net.adversarial!r}: its children are trained on clean images; "
                "leave it out"
            )
        if net.images and adversarial is None:
            raise ValueError(f"enlarged.nets.{name}.images = {net.images}: needs adversarial")

    def child_of(self, search: Search, cell: str) -> Net:
        """The whole entry of a child of this cell."""
        assert self.child is not None
        return _net(self.child.entry(), cell=cell, adversarial=_dumped(search.adversarial))

    def enlarged_nets(self, name: str, cell: str) -> Iterator[tuple[dict[str, Any], Net]]:
        """Every set of hyperparameters of an enlarged net of this cell, and the net's whole entry with them."""
        assert self.enlarged.net is not None
        net = self.enlarged.nets[name]
        adversarial = _dumped(self.searches[net.adversarial].adversarial) if net.adversarial else None
        if adversarial and net.images:
            adversarial["images"] = net.images
        for values in self.enlarged.sets():
            yield values, _net({**self.enlarged.net.entry(), **values}, cell=cell, adversarial=adversarial)


def _dumped(adversarial: Adversarial | None) -> dict[str, Any] | None:
    return adversarial.model_dump() if adversarial else None


def _net(entry: Mapping[str, Any], **more: Any) -> Net:
    return Net.model_validate({**entry, **more})


def _with_a_cell(entry: Mapping[str, Any], key: str, dataset: Any) -> dict[str, Any]:
    for own in ("arch", "cell", "dataset", "adversarial"):
        if own in entry:
            raise ValueError(f"{key}.{own}: leave it out here; it is that of the search")
    return {**entry, "arch": "cell", "cell": ANY_CELL, "dataset": dataset}
