"""Transfer rates of all nets together: counted by hand on four images, and their bootstrap against a simulation."""

import math
from pathlib import Path

import numpy as np
import pytest
from at_eps import FGSM, ranks_of

from advlaw.core.io import write_npz
from advlaw.tables.at_eps.transfer_methods import COLUMNS, SMALLER, transfer_methods

BASIC = "iterative.iter_basic"


def write_source(folder: Path, source: str, clean: str, attacks: dict[str, dict[str, list[str]]]) -> None:
    """What images of a source do on each net: a digit for each image's rank, a text for each eps."""
    arrays = {"eps": np.array([4.0, 8.0])}
    for key, by_target in attacks.items():
        for target, at_eps in by_target.items():
            arrays[f"{key}/{target}/rank"] = np.array([ranks_of(text) for text in at_eps], np.uint8)
            arrays[f"clean/{target}/rank"] = np.array(ranks_of(clean), np.uint8)
    write_npz(folder / f"{source}.npz", arrays)


@pytest.fixture
def folder(tmp_path):
    """Two nets, four images.

    FGSM at eps 4: images 0 and 2 fool a, of which b misses 0; images 1 and 3 fool b, of which a misses 1. At eps 8: 0,
    1, 2 fool a, of which b misses 0 and 1; 0, 1, 3 fool b, of which a misses 0 and 3. Iter. basic moves nothing.
    """
    write_source(tmp_path, "a", "0001", {
        FGSM: {"a": ["1021", "1111"], "b": ["1001", "1100"]},
        BASIC: {"a": ["1110", "1110"], "b": ["0000", "0000"]},
    })  # fmt: skip
    write_source(tmp_path, "b", "0010", {
        FGSM: {"b": ["0111", "1111"], "a": ["0100", "1011"]},
        BASIC: {"b": ["1000", "1000"], "a": ["0000", "0000"]},
    })  # fmt: skip
    return tmp_path


def of(rows, attack, other, eps):
    (row,) = (row for row in rows if (row["attack"], row["other"], row["eps"]) == (attack, other, eps))
    return row


def test_rates_of_two_nets_are_those_counted_by_hand(folder):
    rows = transfer_methods(folder, ["a", "b"], [FGSM, BASIC], [4.0, 8.0], 0.95, np.random.default_rng(0))
    assert len(rows) == 2 * 2 * 2 + 2
    assert all(tuple(row) == COLUMNS and row["n_images"] == 4 for row in rows)
    small, large = of(rows, "fgsm", "", 4.0), of(rows, "fgsm", "", 8.0)
    assert (small["n_fooled"], small["rate"]) == (4, 0.5)
    assert (large["n_fooled"], large["rate"]) == (6, pytest.approx(4 / 6))
    basic = of(rows, "iter_basic", "", 4.0)
    assert (basic["n_fooled"], basic["rate"], basic["rate_low"], basic["rate_high"]) == (4, 0.0, 0.0, 0.0)
    assert of(rows, "fgsm", "iter_basic", 8.0)["rate"] == pytest.approx(4 / 6)
    assert of(rows, "iter_basic", "fgsm", 8.0)["rate"] == pytest.approx(-4 / 6)
    assert of(rows, "fgsm", SMALLER, 8.0)["rate"] == pytest.approx(4 / 6 - 0.5)
    assert of(rows, "fgsm", "iter_basic", 8.0)["rate_low"] == large["rate_low"]  # beside a rate that is always 0
    assert 0.0 <= small["rate_low"] < 0.5 < small["rate_high"] <= 1.0


def test_an_image_that_is_not_finite_on_either_net_counts_on_neither_side(folder):
    write_source(folder, "b", "0010", {FGSM: {"b": ["0111", "1111"], "a": ["0x00", "1011"]}})
    rows = transfer_methods(folder, ["a", "b"], [FGSM], [4.0, 8.0], 0.95, np.random.default_rng(0))
    small, large = of(rows, "fgsm", "", 4.0), of(rows, "fgsm", "", 8.0)  # from b without image 1, at both eps
    assert (small["n_fooled"], small["rate"]) == (3, pytest.approx(1 / 3))
    assert (large["n_fooled"], large["rate"]) == (5, pytest.approx(4 / 5))


def test_rates_of_nothing_are_unknown(folder):
    write_source(folder, "a", "1111", {FGSM: {name: ["1111", "1111"] for name in "ab"}})
    write_source(folder, "b", "1111", {FGSM: {name: ["1111", "1111"] for name in "ab"}})
    rows = transfer_methods(folder, ["a", "b"], [FGSM], [4.0, 8.0], 0.95, np.random.default_rng(0))
    assert all(row["n_fooled"] == 0 and math.isnan(row["rate"]) and math.isnan(row["rate_low"]) for row in rows)


@pytest.mark.parametrize("nets", [[], ["a"]])
def test_one_net_transfers_to_no_other(folder, nets):
    assert transfer_methods(folder, nets, [FGSM], [4.0, 8.0], 0.95, np.random.default_rng(0)) == []


N, LEVELS = 400, {FGSM: (0.5, 0.7), BASIC: (0.45, 0.6)}  # images, and how many the attacks move at two eps


def drawn(rng):
    """Ranks of two nets on images that are hard for both or for neither: by source, attack and net."""
    hard = rng.uniform(size=N)
    ranks = {}
    for source in "ab":
        ranks[source, "clean"] = (rng.uniform(size=N) < 0.2 * hard).astype(np.uint8)
        for attack, levels in LEVELS.items():
            for net in "ab":
                luck = rng.uniform(size=N)
                reach = [level * (1.5 if net == source else 1.0) for level in levels]
                ranks[source, attack, net] = np.array([(0.5 * (hard + luck) > 1 - at) for at in reach]).astype(np.uint8)
    return ranks


def rate(ranks, attack, eps):
    fooled = moved = 0
    for source, target in ("ab", "ba"):
        wrong = (ranks[source, "clean"] == 0) & (ranks[source, attack, source][eps] > 0)
        fooled += int(wrong.sum())
        moved += int((wrong & (ranks[source, attack, target][eps] > 0)).sum())
    return moved / fooled


def test_intervals_are_as_wide_as_rates_of_other_images_vary(tmp_path):
    """500 simulated sets of images; the rates compared are of the same images, as are those of two eps."""
    rng = np.random.default_rng(1)
    many = [drawn(rng) for _ in range(500)]
    wanted = {
        ("fgsm", "", 8.0): [rate(ranks, FGSM, 1) for ranks in many],
        ("fgsm", "iter_basic", 4.0): [rate(ranks, FGSM, 0) - rate(ranks, BASIC, 0) for ranks in many],
        ("iter_basic", SMALLER, 8.0): [rate(ranks, BASIC, 1) - rate(ranks, BASIC, 0) for ranks in many],
    }
    widths = {at: [] for at in wanted}
    for ranks in many[:10]:
        for source in "ab":
            arrays = {f"clean/{net}/rank": ranks[source, "clean"] for net in "ab"}
            arrays |= {f"{attack}/{net}/rank": ranks[source, attack, net] for attack in LEVELS for net in "ab"}
            write_npz(tmp_path / f"{source}.npz", arrays)
        rows = transfer_methods(tmp_path, ["a", "b"], list(LEVELS), [4.0, 8.0], 0.95, rng)
        for at in wanted:
            row = of(rows, *at)
            assert row["rate_low"] < row["rate"] < row["rate_high"]
            widths[at].append(row["rate_high"] - row["rate_low"])
        assert of(rows, "fgsm", "", 8.0)["rate"] == pytest.approx(rate(ranks, FGSM, 1))
    for at, values in wanted.items():
        assert np.mean(widths[at]) == pytest.approx(2 * 1.96 * np.std(values), rel=0.15)
