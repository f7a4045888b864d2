"""`models`: one entry is an architecture, the data it is fitted to and how it is trained."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from advlaw.config.architecture import ResNet, WideResNet
from advlaw.config.section import Name, Section, Share, Snapshots


def _rising(epochs: list[int]) -> list[int]:
    if sorted(set(epochs)) != epochs:
        raise ValueError(f"{epochs}: must rise")
    return epochs


Epochs = Annotated[list[Annotated[int, Field(ge=1)]], AfterValidator(_rising), Field(default_factory=list)]


class Training(Section):
    """What every model's entry may say about its training; see `advlaw.training.loop`.

    `entropy_weight`: the weight of the prediction's entropy in the loss (Cubuk Sec. 3.2), after a share
    `entropy_delay` of all steps: from the first step on it can make all answers the same class. `watched`: the
    accuracy on fitted images is taken on the first so many of them; None is all. `precision` is of the layers while
    the net is fitted; weights, attacks and all that is measured are float32.
    """

    dataset: Name
    labels: Literal["original", "shuffled"] = "original"
    epochs: Annotated[int, Field(ge=1)]
    learning_rate: Annotated[float, Field(gt=0)]
    batch_size: Annotated[int, Field(ge=1)] = 128
    optimizer: Literal["adam", "sgd", "rmsprop"] = "adam"
    schedule: Literal["constant", "cosine", "steps", "exponential"] = "cosine"
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    entropy_weight: float = 0.0
    entropy_delay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    augment: Literal["none", "crop_flip"] = "none"
    precision: Literal["float32", "bfloat16"] = "float32"
    watched: Annotated[int, Field(ge=1)] | None = None
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


class Linear(Training):
    arch: Literal["linear"]


class FullyConnected(Training):
    arch: Literal["fc"]
    widths: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1)]
    activation: Literal["relu", "tanh"] = "relu"


class Convolutional(Training):
    arch: Literal["cnn"]
    channels: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1)]
    dropout: Annotated[float, Field(ge=0, lt=1)]


class Residual(ResNet, Training):
    """A ResNet that is trained here."""


class WideResidual(WideResNet, Training):
    """A Wide ResNet that is trained here."""


Model = Annotated[Linear | FullyConnected | Convolutional | Residual | WideResidual, Field(discriminator="arch")]


def architecture(model: Training) -> dict[str, object]:
    """The part of an entry that says what the net is: `arch` and its sizes."""
    others = {*Training.model_fields, "adversarial"}
    return {key: value for key, value in model.model_dump().items() if key not in others}
