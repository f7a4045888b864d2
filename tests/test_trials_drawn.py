"""Nets drawn at random: their architectures, and how their exponents are distributed."""

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from advlaw.models.sampling import sampled_architecture
from advlaw.models.settings import Ranges
from advlaw.tables.trials import distributions
from advlaw.trials.train import flops, n_parameters

ROOT = Path(__file__).parents[1]
SHAPE = {"image_shape": [1, 8, 8], "n_classes": 10}


def ranges(study: str = "params.yaml") -> Ranges:
    params = YAML(typ="safe", pure=True).load((ROOT / study).read_text(encoding="utf-8"))
    return Ranges(**params["trials"]["sampled"]["draw"])


def test_a_drawn_net_depends_on_the_seed_and_its_index_alone():
    drawn = ranges()
    first = [sampled_architecture(drawn, 0, index) for index in range(20)]
    assert [sampled_architecture(drawn, 0, index) for index in reversed(range(20))] == first[::-1]
    assert sampled_architecture(drawn, 1, 3) != first[3]


def test_sampled_sizes_are_those_of_the_paper_and_log_uniform():
    drawn = ranges("studies/mnist/params.yaml")
    nets = [sampled_architecture(drawn, 0, index) for index in range(4000)]
    fc, cnn = ([net for net in nets if net.arch == arch] for arch in ("fc", "cnn"))
    assert abs(len(fc) / len(nets) - 0.6) < 4 * math.sqrt(0.24 / len(nets))
    layers = Counter(len(net.widths) for net in fc)
    assert set(layers) == {1, 2, 3, 4}
    assert min(layers.values()) > 0.85 * len(fc) / 4
    widths = np.array([width for net in fc for width in net.widths])
    assert 30 <= widths.min() < 33
    assert 1900 < widths.max() <= 2000
    share_below = (widths < math.sqrt(30 * 2000)).mean()  # half, of a log-uniform law
    assert abs(share_below - 0.5) < 4 * 0.5 / math.sqrt(len(widths))
    dropout = np.array([net.dropout for net in cnn])
    assert 0 <= dropout.min() < 0.01
    assert 0.49 < dropout.max() <= 0.5
    assert {size for net in cnn for size in net.kernel_sizes} == {3, 5}


def test_sizes_are_counted_as_by_hand():
    net = {"arch": "fc", "widths": [30, 20], **SHAPE}
    assert n_parameters(net) == 64 * 30 + 30 + 30 * 20 + 20 + 210
    assert flops(net) == 2 * (64 * 30 + 600 + 200)
    net = {"arch": "cnn", "channels": [4, 6], "kernel_sizes": [3, 3], "dense_units": 12, "dropout": 0.0, **SHAPE}
    assert n_parameters(net) == (36 + 4) + (4 * 6 * 9 + 6) + (24 * 12 + 12) + 130
    assert flops(net) == 2 * (64 * 36 + 16 * 4 * 6 * 9 + 24 * 12 + 120)


def row(arch: str = "fc", accuracy: float | None = 0.95, **exponents: list | None) -> dict:
    """A net's row with the exponents [value, low, high] of some estimates."""
    found = {"attack": "fgsm", "arch": arch, "test_accuracy": accuracy}
    for name in ("gross", "net", "net_ls"):
        values = exponents.get(name) or [None] * 3
        found |= {f"{name}_exponent{end}": value for end, value in zip(("", "_low", "_high"), values, strict=True)}
    return found


def test_shares_in_the_paper_s_range_leave_out_inaccurate_and_unfitted_nets():
    inside, above, touching = [1.0, 0.9, 1.1], [1.5, 1.4, 1.6], [1.25, 1.15, 1.4]
    rows = [row(net=inside)] * 6 + [row("cnn", net=above), row(net=touching), row(accuracy=0.7, net=inside)]
    rows += [row(accuracy=None), row("cnn")]
    found = {(r["nets"], r["estimate"]): r for r in distributions(rows, {"fgsm": (0.9, 1.2)}, 0.95)}
    assert set(found) == {(kind, name) for kind in ("all", "fc", "cnn") for name in ("gross", "net", "net_ls")}
    every = found["all", "net"]
    assert (every["n_nets"], every["n_without_fit"], every["n_in_band"], every["share"]) == (8, 1, 6, 0.75)
    assert (every["share_low"], every["share_high"]) == pytest.approx((0.40927, 0.92852), abs=1e-5)  # Wilson, by hand
    assert every["share_touching"] == 7 / 8
    assert every["quantile_0.5"] == 1.0
    assert every["median_half_width"] == pytest.approx(0.1)
    assert found["cnn", "net"]["share"] == 0
    assert found["all", "gross"]["n_nets"] == 0
    assert found["all", "gross"]["share"] is None
    assert distributions([], {}, 0.95) == []
