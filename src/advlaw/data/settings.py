"""datasets/params.yaml: the data sets every study shares, and how each is split."""

from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from advlaw.core.section import Name, Section

Count = Annotated[int, Field(ge=1)]


class Splits(Section):
    """Numbers of images; the rest of the official training images is unused.

    Of `pool` x `pool` pixels the mean is taken, so that an image has as many times fewer of them on a side.
    """

    source: Literal["digits", "mnist", "fashion_mnist", "cifar10"]
    train: Count
    validation: Count
    test: Count
    pool: Count = 1

    @property
    def image_side(self) -> int:
        return self._side // self.pool

    @property
    def _side(self) -> int:
        return {"digits": 8, "cifar10": 32}.get(self.source, 28)

    @model_validator(mode="after")
    def _fits(self) -> "Splits":
        if self._side % self.pool:
            raise ValueError(f"pool = {self.pool}: does not divide the {self._side} pixels of a side")
        if self.source == "digits":
            total = self.train + self.validation + self.test
            if total > 1797:
                raise ValueError(f"train + validation + test = {total}; digits has 1797 images")
            return self
        official = 50_000 if self.source == "cifar10" else 60_000
        if self.train + self.validation > official:
            raise ValueError(f"train + validation = {self.train + self.validation}; there are {official} images")
        if self.test > 10_000:
            raise ValueError(f"test = {self.test}; there are 10000 images")
        return self


class Clusters(Section):
    """Synthetic images: see `advlaw.data.clusters`. `noise` is a standard deviation in pixel units."""

    source: Literal["clusters"]
    train: Count
    validation: Count
    test: Count
    classes: Annotated[int, Field(ge=2)]
    side: Annotated[int, Field(ge=2)]
    noise: Annotated[float, Field(ge=3, le=30)]  # below, whole pixels would change the Bayes error
    bayes_error: Annotated[float, Field(gt=0, lt=0.5)]

    @property
    def image_side(self) -> int:
        return self.side

    @model_validator(mode="after")
    def _room_for_means(self) -> "Clusters":
        if self.classes >= self.side**2:
            raise ValueError(f"classes = {self.classes}; {self.side}x{self.side} images hold {self.side**2 - 1}")
        return self


class RandomImages(Section):
    """Independent uniform pixels and labels: nothing to learn but the images themselves (Cubuk Sec. 3.2)."""

    source: Literal["random"]
    train: Count
    validation: Count
    test: Count
    classes: Annotated[int, Field(ge=2)]
    channels: Count
    side: Annotated[int, Field(ge=2)]

    @property
    def image_side(self) -> int:
        return self.side


def _inside(path: str) -> str:
    plain = PurePosixPath(path)
    if plain.is_absolute() or ".." in plain.parts or plain.as_posix() != path:
        raise ValueError("must be a path from the folder of the place, as val is")
    return path


Inside = Annotated[str, AfterValidator(_inside)]


class Folder(Section):
    """Image files of others, which are decoded when a net is shown them.

    `place`: the folder of this name in ADVLAW_MIRROR, or the one that ADVLAW_<PLACE> names. `classes`: a file with a
    class on each line, from the root. `test`: the folder in the place with the test images, without `train` all there
    are; `labels`: a file in it, without which there is a folder for each class. `train`: the one with a folder for each
    class of training images, of which `validation` are held out, drawn with the seed. `holds` says what the test images
    are; only the whole ImageNet validation set is judged as ImageNet. `images_a_class`: as many test images of each
    class, drawn with the seed.
    """

    source: Literal["folder"]
    holds: Literal["imagenet validation", "imagenet sample", "images"]
    place: Name
    classes: str
    test: Inside = "."
    labels: str | None = None
    train: Inside | None = None
    validation: Count | None = None
    images_a_class: Count | None = None

    @model_validator(mode="after")
    def _holds_images_out_of_training_images(self) -> "Folder":
        if (self.train is None) != (self.validation is None):
            raise ValueError(f"train = {self.train!r} and validation = {self.validation}: give both or neither")
        if self.train is not None and (self.train == self.test or "." in (self.train, self.test)):
            raise ValueError(f"train = {self.train!r}, test = {self.test!r}: each needs its own folder in the place")
        return self


Pixels = Splits | Clusters | RandomImages
Dataset = Annotated[Pixels | Folder, Field(discriminator="source")]


class Datasets(Section):
    seed: Annotated[int, Field(ge=0)]
    datasets: dict[Name, Dataset]
