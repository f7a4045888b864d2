"""`population`, `population_sweep`: nets drawn at random, trained and attacked alike (Cubuk Sec. 2, Fig. 10)."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from advlaw.config.section import Name, Section

Size = Annotated[int, Field(ge=1)]


def _ordered(ends: list[float]) -> list[float]:
    if ends[0] > ends[1]:
        raise ValueError(f"{ends}: the first must not exceed the second")
    return ends


Ends = AfterValidator(_ordered)
Sizes = Annotated[list[Size], Field(min_length=2, max_length=2), Ends]
Shares = Annotated[list[Annotated[float, Field(ge=0, lt=1)]], Field(min_length=2, max_length=2), Ends]
KernelSizes = Annotated[list[Size], Field(min_length=1)]


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

    @model_validator(mode="after")
    def _kernels_have_a_middle(self) -> "ConvolutionalRange":
        even = [size for size in self.kernel_sizes if size % 2 == 0]
        if even:
            raise ValueError(f"kernel_sizes = {self.kernel_sizes}: {even[0]} is even; a kernel needs a middle pixel")
        return self


class Architectures(Section):
    """What nets are drawn from: a fully connected one with probability `fc_share`, else a convolutional one."""

    fc_share: Annotated[float, Field(ge=0, le=1)]
    fc: FullyConnectedRange
    cnn: ConvolutionalRange


class PopulationTraining(Section):
    """How every net is trained: Adam, with a cosine from `learning_rate` to zero."""

    epochs: Size
    learning_rate: Annotated[float, Field(gt=0)]
    batch_size: Size


class Workers(Section):
    """Where nets are trained and attacked: `processes` of one thread each. They change no result.

    loky: on this machine. ray: on the cluster of RAY_ADDRESS, dask: on that of DASK_SCHEDULER_ADDRESS; without those, a
    local one is started.
    """

    backend: Literal["loky", "ray", "dask"]
    processes: Size


class Population(Section):
    """`nets`: how many, 0 for none."""

    dataset: Name
    nets: Annotated[int, Field(ge=0)]
    architectures: Architectures
    training: PopulationTraining
    workers: Workers


class PopulationSweep(Section):
    """Names of `attacks.one_step`; errors at `reference_eps`, points of the shared grid's scale, enter the table."""

    attacks: Annotated[list[Name], Field(min_length=1)]
    reference_eps: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1)]
