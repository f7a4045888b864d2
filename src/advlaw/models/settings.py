"""What an entry of a net says of the net itself: `arch`, a file of `advlaw.models`, and what its `build` takes.

A new architecture is such a file and a class here.
"""

import math
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, Union

from pydantic import AfterValidator, Field, SerializeAsAny, field_validator, model_validator

from advlaw.core.section import Section, refuse_unknown
from advlaw.core.view import View
from advlaw.models.cell_graph import canonical_code

Size = Annotated[int, Field(ge=1)]
Dropout = Annotated[float, Field(ge=0, lt=1)]
Factor = Annotated[float, Field(gt=0)]
Activation = Literal["relu", "relu6", "tanh", "elu", "relu_decay_0.1", "relu_decay_0.01", "relu_decay_0.001"]
PerChannel = Annotated[list[Annotated[float, Field(ge=0, le=255)]], Field(min_length=1)]
Deviations = Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1)]
TimmName = Annotated[str, Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)?$")]
Spec = dict[str, Any]  # {arch, image_shape, n_classes, **sizes}: all that a net is before it has weights


def scaled(sizes: Sequence[int], width: float) -> list[int]:
    """Numbers of filters or units times a factor, rounded, at least 1 (Kurakin Sec. 4.3)."""
    return [max(1, math.floor(size * width + 0.5)) for size in sizes]


class Architecture(Section):
    """Base of all architectures; each names itself in `arch`."""

    arch: str

    def mistake(self, image_side: int) -> str | None:
        """What does not fit square images of this side, as `key = value: reason`; None where all does."""
        return None

    def view(self) -> View | None:
        """What it is shown of image files; None where it takes pixels as a data set has them."""
        return None

    def statistics(self) -> tuple[list[float], list[float]] | None:
        """Mean and standard deviation of each channel, in pixel units; None where they are those of fitted images."""
        return None

    def spec(self, image_shape: list[int], n_classes: int) -> Spec:
        """What `advlaw.models.store.build` takes, for images (C, H, W); what is at its default is left out."""
        return {**self.model_dump(exclude_defaults=True), "image_shape": image_shape, "n_classes": n_classes}


class Linear(Architecture):
    arch: Literal["linear"]


class FullyConnected(Architecture):
    """`width` multiplies all `widths`; `dropout` is before the last layer."""

    arch: Literal["fc"]
    widths: Annotated[list[Size], Field(min_length=1)]
    width: Factor = 1.0
    activation: Activation = "relu"
    dropout: Dropout = 0.0


def _have_a_middle(sizes: list[int]) -> list[int]:
    even = [size for size in sizes if size % 2 == 0]
    if even:
        raise ValueError(f"{sizes}: {even[0]} is even; a kernel needs a middle pixel")
    return sizes


KernelSizes = Annotated[list[Size], Field(min_length=1), AfterValidator(_have_a_middle)]


class Convolutional(Architecture):
    """`kernel_sizes`: one for each convolution, 3 if left out; `dense_units`: a layer before the last, none if so."""

    arch: Literal["cnn"]
    channels: Annotated[list[Size], Field(min_length=1)]
    dropout: Dropout
    kernel_sizes: KernelSizes | None = None
    dense_units: Size | None = None
    activation: Activation = "relu"

    def mistake(self, image_side: int) -> str | None:
        if image_side >> len(self.channels):
            return None
        return f"channels = {self.channels}: {halvings(image_side)}"


class ResNet(Architecture):
    """See `advlaw.models.resnet`; `width` multiplies the channels."""

    arch: Literal["resnet"]
    depth: int
    width: Factor = 1.0
    activation: Activation = "relu"

    @field_validator("depth")
    @classmethod
    def _has_whole_stages(cls, depth: int) -> int:
        if depth < 8 or depth % 6 != 2:
            raise ValueError("must be 6n + 2, as 20, 32, 44, 56 or 110 are")
        return depth


class WideResNet(Architecture):
    """See `advlaw.models.wide_resnet`."""

    arch: Literal["wide_resnet"]
    depth: int
    width: Size
    dropout: Dropout = 0.0
    activation: Activation = "relu"

    @field_validator("depth")
    @classmethod
    def _has_whole_stages(cls, depth: int) -> int:
        if depth < 10 or depth % 6 != 4:
            raise ValueError("must be 6n + 4, as 16, 22, 28, 34 or 40 are")
        return depth


class PlainConvolutional(Architecture):
    """See `advlaw.models.conv`: `channels` of each stage, which has `depth` convolutions."""

    arch: Literal["conv"]
    channels: Annotated[list[Size], Field(min_length=1)]
    depth: Size = 1
    stem_stride: Size = 1
    width: Factor = 1.0
    activation: Activation = "relu"
    dropout: Dropout = 0.0

    def mistake(self, image_side: int) -> str | None:
        steps = self.stem_stride * 2 ** (len(self.channels) - 1)
        if steps <= image_side:
            return None
        return (
            f"channels = {self.channels}: each stage but the first halves the image, so that with stem_stride = "
            f"{self.stem_stride} it needs {steps}x{steps} pixels, and images have {image_side}x{image_side}"
        )


class Maxout(Architecture):
    """See `advlaw.models.maxout`; the defaults are Goodfellow's net for MNIST."""

    arch: Literal["maxout"]
    layers: Size = 2
    units: Size = 240
    pieces: Size = 5
    dropout: Dropout = 0.0

    def spec(self, image_shape: list[int], n_classes: int) -> Spec:
        """As of any net, with all that the sizes of its layers follow from."""
        return {**super().spec(image_shape, n_classes), "layers": self.layers, "units": self.units}


class CellNet(Architecture):
    """See `advlaw.models.cell`; a `cell` is kept in its canonical form."""

    arch: Literal["cell"]
    cell: Annotated[str, AfterValidator(canonical_code)]
    filters: Size
    repeats: Annotated[int, Field(ge=0)]
    reductions: Annotated[int, Field(ge=0)]
    stem: Factor = 3.0
    dropout: Dropout = 0.0

    @model_validator(mode="after")
    def _has_a_cell(self) -> Self:
        if self.repeats == self.reductions == 0:
            raise ValueError("repeats = 0 and reductions = 0: one of them must be at least 1, or no cell is left")
        return self

    def mistake(self, image_side: int) -> str | None:
        if image_side >> self.reductions:
            return None
        return f"reductions = {self.reductions}: {halvings(image_side)}"


class Input(Section):
    """What a net is shown of an image file: its shorter side scaled to `resize`, then the middle `size` x `size`."""

    size: Size
    resize: Size
    interpolation: Literal["bilinear", "bicubic"]

    @model_validator(mode="after")
    def _is_cut_from_it(self) -> Self:
        if self.resize < self.size:
            raise ValueError(f"resize = {self.resize}: must be at least size = {self.size}, which is cut from it")
        return self


class TimmNet(Architecture):
    """See `advlaw.models.timm`: a net that is trained here, on image files. `mean` and `std` normalise the pixels."""

    arch: Literal["timm"]
    name: TimmName
    added_blocks: Annotated[int, Field(ge=0)] = 0
    arguments: Annotated[dict[str, Any], Field(default_factory=dict)]
    input: Input
    mean: PerChannel
    std: Deviations

    @model_validator(mode="after")
    def _can_be_made(self) -> Self:
        if len(self.mean) != len(self.std):
            raise ValueError(f"mean has {len(self.mean)} channels, std has {len(self.std)}; give both for every one")
        if self.added_blocks and not self.name.startswith("inception_v3"):
            raise ValueError(f"added_blocks = {self.added_blocks}: only for inception_v3, not for {self.name!r}")
        if "num_classes" in self.arguments:
            raise ValueError("arguments.num_classes: is the number of the data set's classes; leave it out")
        return self

    def view(self) -> View:
        return View(**self.input.model_dump(), channels=len(self.mean))

    def statistics(self) -> tuple[list[float], list[float]]:
        return self.mean, self.std

    def spec(self, image_shape: list[int], n_classes: int) -> Spec:
        """As of any net, with the installed version of timm; raises ValueError where there is none."""
        try:
            found = version("timm")
        except PackageNotFoundError:
            raise ValueError("arch = 'timm': timm is not installed; install advlaw's extra 'timm'") from None
        net = self.model_copy(update={"arguments": {**self.arguments, "num_classes": n_classes}})
        sizes = net.model_dump(exclude_defaults=True, exclude={"input", "mean", "std"})
        return {**sizes, "version": found, "image_shape": image_shape, "n_classes": n_classes}


ARCHITECTURES: dict[str, type[Architecture]] = {
    kind.model_fields["arch"].annotation.__args__[0]: kind  # type: ignore[union-attr]
    for kind in Architecture.__subclasses__()
}
if TYPE_CHECKING:
    AnyArchitecture = Architecture
else:
    AnyArchitecture = Annotated[Union[tuple(ARCHITECTURES.values())], Field(discriminator="arch")]  # noqa: UP007


class Composed(Section):
    """A section whose parts lie side by side in one mapping of a params file.

    They are an architecture and, in `beside`, other sections; what else the class declares has a key of its own.
    """

    architecture: SerializeAsAny[AnyArchitecture]
    beside: ClassVar[dict[str, type[Section]]] = {}

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, entry: Any) -> Any:
        """The parts of an entry, with the check of all its keys that every section has."""
        if not isinstance(entry, dict):
            return entry
        flat = {name: kind.model_fields for name, kind in cls.beside.items()}
        others = [key for key in cls.model_fields if key not in ("architecture", *flat)]
        known = [*(key for keys in flat.values() for key in keys), *others]
        kind = ARCHITECTURES.get(str(entry.get("arch")))
        if kind is not None:
            refuse_unknown(entry, (*kind.model_fields, *known))
        return {
            "architecture": {key: value for key, value in entry.items() if key not in known},
            **{name: {key: entry[key] for key in keys if key in entry} for name, keys in flat.items()},
            **{key: entry[key] for key in others if key in entry},
        }


def halvings(side: int) -> str:
    return f"each halves the image, and {side}x{side} images can be halved {side.bit_length() - 1} times"


def _ordered(ends: list[float]) -> list[float]:
    if ends[0] > ends[1]:
        raise ValueError(f"{ends}: the first must not exceed the second")
    return ends


Ends = AfterValidator(_ordered)
Sizes = Annotated[list[Size], Field(min_length=2, max_length=2), Ends]
Shares = Annotated[list[Dropout], Field(min_length=2, max_length=2), Ends]


class FullyConnectedRange(Section):
    """Hidden layers: their number uniform, the units of each log-uniform."""

    hidden_layers: Sizes
    units: Sizes


class ConvolutionalRange(Section):
    """Convolutions, each with a 2x2 maximum, then a dense layer with dropout behind it.

    Number, kernel sizes and dropout are uniform, filters of each and units of the dense layer log-uniform.
    """

    convolutions: Sizes
    filters: Sizes
    kernel_sizes: KernelSizes
    dense_units: Sizes
    dropout: Shares


class Ranges(Section):
    """What nets are drawn from: a fully connected one with probability `fc_share`, else a convolutional one."""

    fc_share: Annotated[float, Field(ge=0, le=1)]
    fc: FullyConnectedRange
    cnn: ConvolutionalRange
