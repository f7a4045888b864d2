"""Random architectures: fully connected nets and simple convolutional ones (Cubuk Sec. 2, Fig. 10)."""

import numpy as np

from advlaw.core.rng import generator
from advlaw.models.settings import (
    Architecture,
    Convolutional,
    ConvolutionalRange,
    FullyConnected,
    FullyConnectedRange,
    Ranges,
)


def net_name(index: int) -> str:
    """What the index-th net of a drawn set is called, from `net_00000` on."""
    return f"net_{index:05d}"


def sampled_architecture(ranges: Ranges, seed: int, index: int) -> Architecture:
    """That of the index-th net, which depends on the ranges and on (seed, index) alone.

    The paper gives ranges but no laws. Numbers of layers, kernel sizes and dropout are drawn uniformly, units and
    filters log-uniformly, so that small nets are seen as often as large ones.
    """
    rng = generator(seed, "population", "architecture", index)
    return _fully_connected(ranges.fc, rng) if rng.uniform() < ranges.fc_share else _convolutional(ranges.cnn, rng)


def _fully_connected(ranges: FullyConnectedRange, rng: np.random.Generator) -> Architecture:
    return FullyConnected(arch="fc", widths=_sizes(ranges.units, _number(ranges.hidden_layers, rng), rng))


def _convolutional(ranges: ConvolutionalRange, rng: np.random.Generator) -> Architecture:
    n_layers = _number(ranges.convolutions, rng)
    return Convolutional(
        arch="cnn",
        channels=_sizes(ranges.filters, n_layers, rng),
        kernel_sizes=[int(size) for size in rng.choice(ranges.kernel_sizes, n_layers)],
        dense_units=_sizes(ranges.dense_units, 1, rng)[0],
        dropout=round(float(rng.uniform(ranges.dropout[0], ranges.dropout[1])), 4),
    )


def _number(ends: list[int], rng: np.random.Generator) -> int:
    return int(rng.integers(ends[0], ends[1] + 1))


def _sizes(ends: list[int], count: int, rng: np.random.Generator) -> list[int]:
    """Whole numbers, log-uniform between both ends."""
    drawn = np.exp(rng.uniform(np.log(ends[0]), np.log(ends[1]), count))
    return [int(size) for size in np.clip(drawn.round(), ends[0], ends[1])]
