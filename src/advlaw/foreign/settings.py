"""`pretrained_models`: nets that are not trained here, and the data they are made for.

An entry is an architecture of `advlaw.models` or of timm and where its weights are published, or a person's own model.
"""

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from advlaw.core.section import Name, Section
from advlaw.models.settings import ARCHITECTURES, Composed, Deviations, Input, PerChannel, TimmName

ModulePath = Annotated[str, Field(pattern=r"^\w+(\.\w+)*$")]
SHA256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Place(Section):
    """Where published weights are found: `file` is looked for in ADVLAW_MIRROR, then `url`, if any, is downloaded.

    `sha256` is of the tensors, whatever the file's format: see `advlaw.models.store.digest`.
    """

    file: str
    url: str | None = None
    sha256: SHA256 | None = None

    @field_validator("file")
    @classmethod
    def _stays_in_the_mirror(cls, file: str) -> str:
        path = PurePosixPath(file)
        if not path.parts or path.is_absolute() or ".." in path.parts or path.as_posix() != file:
            raise ValueError("must be a path from the mirror's folder, as cifar10-resnet/resnet32.safetensors is")
        return file

    @field_validator("url")
    @classmethod
    def _is_of_a_file(cls, url: str | None) -> str | None:
        if url is not None and not re.fullmatch(r"https?://[^/\s]+/\S*[^/\s]", url):
            raise ValueError("must be the whole address of a file, from https:// or http:// on")
        return url


class Weights(Place):
    """Published weights of an architecture of ours, and what their tensors are called here.

    `keys` turns prefixes of their names into prefixes of ours (the longest one counts, and dots end it); names that
    begin with none of them get `other_keys` put in front.
    """

    url: str
    sha256: SHA256
    keys: Annotated[dict[ModulePath, ModulePath], Field(min_length=1)]
    other_keys: ModulePath | None = None


class Taken(Section):
    """What every entry says: the data set, and what is known of a net that others trained.

    `defence`: how it was made robust. `published_accuracy`: of the data set's official test images. `stands_for`: the
    paper's net that it is shown in the place of.
    """

    dataset: Name
    defence: Annotated[str, Field(min_length=1)] | None = None
    published_accuracy: Annotated[float, Field(gt=0, le=1)] | None = None
    stands_for: Annotated[str, Field(min_length=1)] | None = None


class Normalised(Taken):
    """`mean` and `std` normalise the pixels: one each a channel, in pixel units."""

    mean: PerChannel
    std: Deviations

    @model_validator(mode="after")
    def _each_channel_has_both(self) -> "Normalised":
        if len(self.mean) != len(self.std):
            raise ValueError(
                f"mean has {len(self.mean)} channels, std has {len(self.std)}; give both for every channel"
            )
        return self

    @model_validator(mode="after")
    def _is_of_pixels_up_to_255(self) -> "Normalised":
        """No pixels up to 255 that differ have a deviation below 1, and few a mean below it: both are of [0, 1]."""
        is_small = max(self.std) < 1
        pairs = list(zip(self.mean, self.std, strict=False))
        if all(0 < mean < 1 for mean in self.mean):
            is_small |= max(self.std) <= 1
            is_small |= all(std**2 > mean * (255 - mean) for mean, std in pairs)  # no pixels have both
        if is_small:
            better = [self.mean, self.std] if max(self.std) <= 1 else [self.mean]
            named = ", ".join(
                f"{name} {_listed(values, 255)}" for name, values in zip(("mean", "std"), better, strict=False)
            )
            raise ValueError(
                f"mean {_listed(self.mean)} and std {_listed(self.std)} look like statistics of pixels in [0, 1]; both "
                f"are in pixel units [0, 255] here, so give 255 times as much: {named}"
            )
        return self


def _listed(values: list[float], factor: float = 1.0) -> str:
    return " ".join(f"{value * factor:.6g}" for value in values)


class Published(Normalised, Composed):
    """Published weights for an architecture of ours."""

    weights: Weights

    @property
    def arch(self) -> str:
        return self.architecture.arch


class OwnModel(Normalised):
    """A model from a person's own code or file, which takes (pixels - mean) / std and gives logits.

    `classes`: how many logits it gives, where those are more than the data set's labels need. `input`: what it is shown
    of the files of a folder.
    """

    classes: Annotated[int, Field(ge=2)] | None = None
    input: Input | None = None


class OwnModule(OwnModel):
    """What `module`, written package.module:factory, returns when it is called with `arguments`.

    `weights` is a safetensors or torch file with its state dict, from the root or in a `Place`; without it the factory
    sets them.
    """

    arch: Literal["own_module"]
    module: str
    arguments: Annotated[dict[str, Any], Field(default_factory=dict)]
    weights: Place | str | None = None

    @field_validator("module")
    @classmethod
    def _names_a_factory(cls, module: str) -> str:
        if not re.fullmatch(r"[^\W\d]\w*(\.\w+)*:[^\W\d]\w*(\.\w+)*", module):
            raise ValueError("must be package.module:factory, as torchvision.models:squeezenet1_0 is")
        return module


class OwnFile(OwnModel):
    """A program that torch.jit or torch.export saved; `file` is its path from the root."""

    arch: Literal["own_file"]
    file: str


class Timm(Taken):
    """A net of the library timm by its `name` there, made by timm.create_model with `arguments`.

    `weights`: a state dict with timm's names, from the root or in a `Place`; where that has no sha256, what is found is
    told. `input`, `mean` and `std`, in pixel units, are those of timm's own record where they are left out.
    """

    arch: Literal["timm"]
    name: TimmName
    arguments: Annotated[dict[str, Any], Field(default_factory=dict)]
    weights: Place | str
    input: Input | None = None
    mean: PerChannel | None = None
    std: Deviations | None = None


def arch(entry: Any) -> Any:
    return entry.get("arch") if isinstance(entry, dict) else getattr(entry, "arch", None)


PRETRAINED = {
    **{arch: Published for arch in ARCHITECTURES if arch != "timm"},
    **{"own_module": OwnModule, "own_file": OwnFile, "timm": Timm},
}
if TYPE_CHECKING:
    PretrainedModel = Published | OwnModule | OwnFile | Timm
else:
    PretrainedModel = Annotated[
        Union[tuple(Annotated[kind, Tag(name)] for name, kind in PRETRAINED.items())],  # noqa: UP007
        Discriminator(arch),
    ]
