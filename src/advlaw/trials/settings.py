"""`trials`: sets of many nets, drawn at random or varied from a base net; `workers`: what trains and attacks them."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, ValidationError, model_validator

from advlaw.attacks.settings import AttackKey, Grid
from advlaw.core.section import Name, Rising, Section
from advlaw.models.settings import Ranges
from advlaw.training.settings import Net, Training

SHARED = "leave it out here; it is that of the set"
Keys = Annotated[list[AttackKey], Field(min_length=1)]
Enough = Annotated[int, Field(ge=10)]  # images


def fits_a_set(training: Training) -> None:
    """Of a net of a set one file is kept, with its final weights, and true test images are attacked."""
    for key in ("snapshots", "snapshot_epochs", "until_train_accuracy"):
        if value := getattr(training, key):
            raise ValueError(f"{key} = {value}: is not for nets of a set; put the net under models")
    if training.labels != "original":
        raise ValueError(f"labels = {training.labels!r}: is not for nets of a set; put the net under models")


class VariedNet(Net):
    """A net of a varied set. Its random numbers depend on the study's seed and `seed`, not on its name.

    `baseline`: the net of the set that it is compared with.
    """

    seed: Annotated[int, Field(ge=0)] = 0
    baseline: Name | None = None

    @model_validator(mode="after")
    def _trains_what_a_set_holds(self) -> "VariedNet":
        fits_a_set(self.training)
        return self


class Measure(Section):
    """How the nets of a set are attacked.

    `attacks`: keys of the study's attacks, of any family, each over `grid` (the study's, if left out) on the first
    `images` test images (all, if left out). Errors at `reference_eps` enter the tables; of attacks that run anew at
    every eps they are known at points of the grid.
    """

    attacks: Keys
    reference_eps: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1), Rising]
    grid: Grid | None = None
    images: Enough | None = None


class Transfer(Section):
    """Whether adversarial images of one net fool another (Kurakin Sec. 4.4).

    From each of `nets` to all of them, under each of `attacks`, on the first `images` test images. The order of `nets`
    is that of the tables.
    """

    nets: Annotated[list[Name], Field(min_length=2)]
    attacks: Keys
    images: Enough

    @model_validator(mode="after")
    def _nets_differ(self) -> "Transfer":
        for name in self.nets:
            if self.nets.count(name) > 1:
                raise ValueError(f"nets = {self.nets}: lists {name} twice; remove one")
        return self


class AtEps(Section):
    """Accuracies at a few `eps`, as in Kurakin's tables: pixel units, in each attack's own norm, in L2 too.

    `attacks`: keys of the study's attacks, of any family. One-step attacks are met by the first `images` test images
    (all, if left out), those that run anew at every eps by the first `iterative_images` (as many, if left out).
    """

    eps: Annotated[list[Annotated[float, Field(gt=0, le=255)]], Field(min_length=1), Rising]
    attacks: Keys
    images: Enough | None = None
    iterative_images: Enough | None = None
    transfer: Transfer | None = None

    @model_validator(mode="after")
    def _iterative_images_are_among_the_others(self) -> "AtEps":
        if self.images and self.iterative_images and self.iterative_images > self.images:
            raise ValueError(f"iterative_images = {self.iterative_images}: must not exceed images = {self.images}")
        return self

    def images_under(self, key: str) -> int | None:
        """How many test images meet the attack of a key; None: all."""
        return self.images if key.startswith("one_step.") else self.iterative_images or self.images


def _measured(values: Any) -> str:
    is_at_eps = isinstance(values, AtEps) or (isinstance(values, dict) and "eps" in values)
    return "at eps" if is_at_eps else "over a grid"


AnyMeasure = Annotated[
    Annotated[Measure, Tag("over a grid")] | Annotated[AtEps, Tag("at eps")], Discriminator(_measured)
]


class Drawn(Section):
    """`count` nets of random architectures, each the same whatever their number (Cubuk Sec. 2, Fig. 10)."""

    dataset: Name
    count: Annotated[int, Field(ge=0)]
    draw: Ranges
    training: Training
    measure: Measure

    @property
    def n_nets(self) -> int:
        return self.count

    @model_validator(mode="before")
    @classmethod
    def _train_on_the_set_s_data(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not isinstance(values.get("training"), dict):
            return values
        return {**values, "training": _on(values, values["training"])}

    @model_validator(mode="after")
    def _trains_what_a_set_holds(self) -> "Drawn":
        fits_a_set(self.training)
        return self


class Varied(Section):
    """A net and its variants: `nets` has a line for each, with what differs from `base`.

    A key replaces that of the base, `adversarial` is merged key by key (`null` leaves it out), and where `arch` is
    another one the base's architecture is dropped.
    """

    dataset: Name
    base: Net
    nets: dict[Name, VariedNet]
    measure: AnyMeasure

    @property
    def n_nets(self) -> int:
        return len(self.nets)

    @model_validator(mode="before")
    @classmethod
    def _resolve(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not isinstance(values.get("base"), dict):
            return values
        base, nets = _on(values, values["base"]), values.get("nets")
        if not _is_net(base):
            return {**values, "base": base, "nets": {}}  # what is wrong with it is said once
        if isinstance(nets, dict):
            elsewhere = next(
                (name for name, entry in nets.items() if isinstance(entry, dict) and "dataset" in entry), None
            )
            if elsewhere is not None:
                raise ValueError(f"nets.{elsewhere}.dataset: {SHARED}")
            nets = {name: merged(base, entry) if isinstance(entry, dict) else entry for name, entry in nets.items()}
            return {**values, "base": base, "nets": nets}
        return {**values, "base": base}

    @model_validator(mode="after")
    def _compared_with_nets_of_the_set(self) -> "Varied":
        for name, net in self.nets.items():
            if net.baseline is not None and (net.baseline == name or net.baseline not in self.nets):
                others = ", ".join(sorted(self.nets.keys() - {name}))
                raise ValueError(f"nets.{name}.baseline = {net.baseline!r}: must be another net of the set: {others}")
        return self

    @model_validator(mode="after")
    def _transfers_between_nets_of_the_set(self) -> "Varied":
        transfer = self.measure.transfer if isinstance(self.measure, AtEps) else None
        for name in transfer.nets if transfer else ():
            if name not in self.nets:
                nets = ", ".join(sorted(self.nets))
                raise ValueError(f"measure.transfer.nets = {name!r}: must be a net of the set: {nets}")
        return self

    def differences(self, name: str) -> dict[str, Any]:
        """What of a net differs from the base: `adversarial.images` -> 16."""
        net, base = self.nets[name], _leaves(self.base.entry())
        own = _leaves(net.entry())
        if net.adversarial and not self.base.adversarial:  # what it leaves at its default is no difference
            said = net.adversarial.model_dump(exclude_defaults=True)
            own = {key: own[key] for key in own if key.partition(".")[2] in ("", *said)}
        return {key: own[key] for key in own if key not in base or own[key] != base[key]}


def _kind(values: Any) -> str:
    is_drawn = isinstance(values, Drawn) or (isinstance(values, dict) and values.keys() & {"draw", "count", "training"})
    return "drawn" if is_drawn else "varied"


TrialSet = Annotated[Annotated[Drawn, Tag("drawn")] | Annotated[Varied, Tag("varied")], Discriminator(_kind)]


def merged(base: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """The whole entry of a net that says what differs from `base`."""
    whole = dict(base)
    if entry.get("arch", base.get("arch")) != base.get("arch"):
        whole = {key: value for key, value in base.items() if key in (*Training.model_fields, "adversarial")}
    whole |= entry
    both = base.get("adversarial"), entry.get("adversarial")
    if all(isinstance(part, dict) for part in both):
        whole["adversarial"] = {**both[0], **both[1]}  # type: ignore[dict-item]
    return whole


def _on(values: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry with the data set that all nets of a set share."""
    if "dataset" in entry:
        raise ValueError(f"dataset: {SHARED}")
    return {**entry, "dataset": values.get("dataset", "")}


def _is_net(entry: Mapping[str, Any]) -> bool:
    try:
        Net.model_validate(entry)
    except ValidationError:
        return False
    return True


def _leaves(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry's values by dotted key; what holds nothing but values, like `eps`, is one of them."""
    found: dict[str, Any] = {}
    for key, value in entry.items():
        if key == "adversarial" and isinstance(value, Mapping):
            found |= {f"{key}.{inner}": each for inner, each in value.items()}
        else:
            found[key] = value
    return found
