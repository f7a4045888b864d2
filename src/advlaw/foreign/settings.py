"""`pretrained_models`: nets that are not trained here, and the data they are made for.

An entry is an architecture of `advlaw.models` and where its weights are published, or a person's own model.
"""

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from advlaw.core.section import Name, Section
from advlaw.models.settings import ARCHITECTURES, Composed

ModulePath = Annotated[str, Field(pattern=r"^\w+(\.\w+)*$")]
PerChannel = Annotated[list[Annotated[float, Field(ge=0, le=255)]], Field(min_length=1)]


class Weights(Section):
    """Where published weights are found, what they must be, and what their tensors are called here.

    `file` is looked for in ADVLAW_MIRROR, then `url` is downloaded. `sha256` is of the tensors, whatever the file's
    format: see `advlaw.models.store.digest`. `keys` turns prefixes of their names into prefixes of ours (the longest
    one counts, and dots end it); names that begin with none of them get `other_keys` put in front.
    """

    file: str
    url: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    keys: Annotated[dict[ModulePath, ModulePath], Field(min_length=1)]
    other_keys: ModulePath | None = None

    @field_validator("file")
    @classmethod
    def _stays_in_the_mirror(cls, file: str) -> str:
        path = PurePosixPath(file)
        if not path.parts or path.is_absolute() or ".." in path.parts or path.as_posix() != file:
            raise ValueError("must be a path from the mirror's folder, as cifar10-resnet/resnet32.safetensors is")
        return file

    @field_validator("url")
    @classmethod
    def _is_of_a_file(cls, url: str) -> str:
        if not re.fullmatch(r"https?://[^/\s]+/\S*[^/\s]", url):
            raise ValueError("must be the whole address of a file, from https:// or http:// on")
        return url


class Normalised(Section):
    """What every entry says. `mean` and `std` normalise the pixels: one each a channel, in pixel units."""

    dataset: Name
    mean: PerChannel
    std: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1)]

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

    `classes`: how many logits it gives, where those are more than the data set's labels need.
    """

    classes: Annotated[int, Field(ge=2)] | None = None


class OwnModule(OwnModel):
    """What `module`, written package.module:factory, returns when it is called with `arguments`.

    `weights` is a safetensors or torch file with its state dict, from the root; without it the factory sets them.
    """

    arch: Literal["own_module"]
    module: str
    arguments: Annotated[dict[str, Any], Field(default_factory=dict)]
    weights: str | None = None

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


def arch(entry: Any) -> Any:
    return entry.get("arch") if isinstance(entry, dict) else getattr(entry, "arch", None)


PRETRAINED = {**dict.fromkeys(ARCHITECTURES, Published), "own_module": OwnModule, "own_file": OwnFile}
if TYPE_CHECKING:
    PretrainedModel = Published | OwnModule | OwnFile
else:
    PretrainedModel = Annotated[
        Union[tuple(Annotated[kind, Tag(name)] for name, kind in PRETRAINED.items())],  # noqa: UP007
        Discriminator(arch),
    ]
