"""`models`, `robust_models`: nets that are trained here, what they are and how they are trained."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from advlaw.core.section import Name, Rising, Section, Share, Snapshots
from advlaw.models.settings import Composed

PixelSize = Annotated[float, Field(gt=0, le=255)]


Epochs = Annotated[list[Annotated[int, Field(ge=1)]], Rising, Field(default_factory=list)]


class Training(Section):
    """See `advlaw.training.loop`.

    `minibatches`: how many minibatches of `batch_size` images make one step, on one process or shared by several
    (`advlaw.training.parallel`). `entropy_weight`: the weight of the prediction's entropy in the loss (Cubuk Sec. 3.2),
    after a share `entropy_delay` of all steps: from the first step on it can make all answers the same class.
    `watched`: the accuracy on fitted images is taken on the first so many of them; None is all. With 0, accuracies are
    taken after the last epoch alone. `precision` is of the layers while the net is fitted; weights, attacks and all
    that is measured are float32.
    """

    dataset: Name
    labels: Literal["original", "shuffled"] = "original"
    epochs: Annotated[int, Field(ge=1)]
    learning_rate: Annotated[float, Field(gt=0)]
    batch_size: Annotated[int, Field(ge=1)] = 128
    minibatches: Annotated[int, Field(ge=1)] = 1
    optimizer: Literal["adam", "sgd", "rmsprop"] = "adam"
    schedule: Literal["constant", "cosine", "steps", "exponential"] = "cosine"
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    entropy_weight: float = 0.0
    entropy_delay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    augment: Literal["none", "crop_flip", "resized_crop"] = "none"
    precision: Literal["float32", "bfloat16"] = "float32"
    watched: Annotated[int, Field(ge=0)] | None = None
    until_train_accuracy: Share | None = None
    snapshots: Snapshots
    snapshot_epochs: Epochs

    @model_validator(mode="after")
    def _snapshots_come_before_the_end(self) -> "Training":
        until = self.until_train_accuracy
        if until is not None and any(snapshot > until for snapshot in self.snapshots):
            raise ValueError(f"snapshots = {self.snapshots}: training ends at until_train_accuracy = {until:g}")
        if self.snapshot_epochs and self.snapshot_epochs[-1] > self.epochs:
            raise ValueError(f"snapshot_epochs = {self.snapshot_epochs}: training ends at epochs = {self.epochs}")
        return self

    @model_validator(mode="after")
    def _what_stops_training_is_seen_on_all_images(self) -> "Training":
        if self.watched is not None and (self.until_train_accuracy is not None or self.snapshots):
            raise ValueError(f"watched = {self.watched}: leave it out where accuracies end training or are kept")
        return self


class RandomEps(Section):
    """|N(0, sigma)| truncated to [0, largest], drawn for every image (Kurakin Sec. 3)."""

    sigma: PixelSize
    largest: PixelSize


class FixedEps(Section):
    fixed: PixelSize


class Adversarial(Section):
    """How minibatches are changed: see `advlaw.training.adversarial`.

    `attack` is a key of `attacks`, one that clips. `images` of each minibatch are replaced, with `weight` lambda in the
    loss, after a share `delay` of all steps. `batch_norm` is the mode of batch normalisation while the attack runs.
    At `probe_eps` the net is attacked after every epoch, to see catastrophic overfitting.
    """

    attack: Annotated[str, Field(pattern=r"^(one_step|iterative)\.[A-Za-z0-9_-]+$")]
    images: Annotated[int, Field(ge=1)]
    weight: Annotated[float, Field(gt=0)]
    eps: RandomEps | FixedEps
    delay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    batch_norm: Literal["eval", "train"] = "eval"
    probe_eps: PixelSize

    @property
    def family(self) -> str:
        return self.attack.split(".")[0]


class Net(Composed):
    """What a net is, how it is trained and, where it is, on which adversarial examples."""

    training: Training
    adversarial: Adversarial | None = None
    beside: ClassVar[dict[str, type[Section]]] = {"training": Training}

    @model_validator(mode="after")
    def _replaces_what_is_there(self) -> "Net":
        adversarial, size = self.adversarial, self.training.batch_size
        if adversarial is not None and adversarial.images > size:
            raise ValueError(f"adversarial.images = {adversarial.images}: batch_size is {size}")
        return self

    @property
    def dataset(self) -> str:
        return self.training.dataset

    def entry(self) -> dict[str, Any]:
        """All that decides what the net becomes, as a params file has it, defaults included."""
        whole = self.model_dump(mode="json", include={"architecture", "training", "adversarial"})
        return {**whole["architecture"], **whole["training"], "adversarial": whole["adversarial"]}


class RobustNet(Net):
    """A net that is trained on adversarial examples."""

    adversarial: Adversarial
