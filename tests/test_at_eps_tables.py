"""The tables of sets that are measured at a few eps, counted by hand on a few images."""

import math
from pathlib import Path

import numpy as np
import pytest
from at_eps import ATTACKS, FGSM, PREDICTED, accuracies, net, outcomes, ranks_of
from scipy.stats import binomtest

from advlaw.core.io import write_npz
from advlaw.fitting.proportions import paired_difference, paired_ratio, wilson
from advlaw.fitting.seeds import Spread, half_width, of_difference, widened
from advlaw.tables.at_eps.accuracy import accuracy_rows
from advlaw.tables.at_eps.differences import difference_rows, replicate_rows, spreads
from advlaw.tables.at_eps.leaking import leaking_rows, pairs
from advlaw.tables.at_eps.nets import is_collapsed
from advlaw.tables.at_eps.ranks import Ranks
from advlaw.tables.at_eps.transfer import transfer_rows


def test_leaked_and_reversed_labels_are_those_counted_by_hand(tmp_path):
    """Twelve images, of which the last but one has no finite rank under the blind attack, and the last is marked so.

    Leaked: images 2, 6, 7, 9, of which 7 and 9 are wrong when clean. Reversed: image 3.
    """
    clean, fgsm, blind = "000000011100", "000110000000", "0010101101x1"
    ranks = outcomes(tmp_path / "net.npz", clean, {FGSM: [fgsm], PREDICTED: [blind]}, not_finite="...........x")
    (row,) = leaking_rows("net", ranks, {key: ATTACKS.by_key(key) for key in (FGSM, PREDICTED)}, 0.95)
    right = {
        name: np.array(list(text[:10])) == "0" for name, text in (("with", fgsm), ("blind", blind), ("clean", clean))
    }
    assert (row["attack"], row["blind"], row["eps"], row["n_images"]) == ("fgsm", "fgsm_pred", 4.0, 10)
    assert (row["leaked"], row["reversed"], row["among_clean_wrong"]) == (4, 1, 2)
    share = paired_difference(right["with"], right["blind"], 0.95)
    assert (row["net_share"], row["net_low"], row["net_high"]) == share
    assert row["net_share"] == pytest.approx(0.3)
    over = paired_difference(right["with"], right["clean"], 0.95)
    assert tuple(row[f"over_clean{end}"] for end in ("", "_low", "_high")) == over
    assert row["over_clean"] == pytest.approx(0.1)  # 8 of 10 against 7


def test_pairs_are_of_attacks_that_differ_in_the_label_alone():
    keys = [f"one_step.{name}" for name in ATTACKS.one_step] + ["iterative.iter_basic"]
    found = list(pairs({key: ATTACKS.by_key(key) for key in keys}))
    assert found == [("fgsm", "fgsm_pred"), ("fgsm", "step_ll")]


def write_transfer(folder: Path, net: str, clean: dict[str, str], attacked: dict[str, list[str]]) -> None:
    arrays = {f"clean/{name}/rank": np.array(ranks_of(text), np.uint8) for name, text in clean.items()}
    for name, at_eps in attacked.items():
        arrays[f"{FGSM}/{name}/rank"] = np.array([ranks_of(text) for text in at_eps], np.uint8)
    write_npz(folder / f"{net}.npz", arrays)


def test_transfer_rates_are_those_counted_by_hand(tmp_path):
    """Nine images, the last not finite for b. Of a's six right ones four are fooled at eps 4, of which b misses three.

    Of top 5, a has seven when clean; two are fooled (ranks 5 and 7), of which b misses one.
    """
    clean = {"a": "000000380", "b": "000000000"}
    write_transfer(tmp_path, "a", clean, {"a": ["005173190", "111111110"], "b": ["10631020x", "000000000"]})
    write_transfer(tmp_path, "b", clean, {"a": ["000000000"] * 2, "b": ["000000000"] * 2})
    rows = transfer_rows(tmp_path, ["a", "b"], [FGSM], [4.0, 8.0], 0.95)
    assert [(row["source"], row["target"], row["eps"]) for row in rows] == [
        (source, target, eps) for source in "ab" for target in "ab" for eps in (4.0, 8.0)
    ]
    itself, _, small, large, *_ = rows
    assert (itself["n_images"], itself["n_clean"], itself["fooled"], itself["transferred"]) == (9, 7, 4, 4)
    assert [itself[f"rate{end}"] for end in ("", "_low", "_high")] == [1.0, 1.0, 1.0]
    assert (small["n_images"], small["n_clean"], small["fooled"], small["transferred"]) == (8, 6, 4, 3)
    assert small["rate"] == 0.75
    assert (small["rate_low"], small["rate_high"]) == wilson(3, 4, 0.95)
    assert small["error"] == 5 / 8
    assert (small["error_low"], small["error_high"]) == wilson(5, 8, 0.95)
    assert (small["top5_n_clean"], small["top5_fooled"], small["top5_transferred"]) == (7, 2, 1)
    assert (small["top5_rate"], small["top5_error"]) == (0.5, 1 / 8)
    assert (large["fooled"], large["transferred"], large["rate"], large["error"]) == (6, 0, 0.0, 0.0)
    none = rows[-1]
    assert (none["fooled"], none["rate"], none["rate_low"], none["error"]) == (0, None, None, 0.0)


def test_accuracies_and_ratios_have_the_intervals_of_their_images(tmp_path):
    """Twenty images, fewer under the iterative attack; one is not finite when clean."""
    clean, fgsm = "0" * 15 + "2346x", "0" * 6 + "4" * 8 + "5" * 5 + "0"
    basic = "0" * 2 + "6" * 8
    ranks = outcomes(tmp_path / "net.npz", clean, {FGSM: [fgsm], "iterative.iter_basic": [basic]})
    of_clean, one_step, iterative = accuracy_rows("net", ranks, 0.95)
    assert {row["net"] for row in (of_clean, one_step, iterative)} == {"net"}
    assert (of_clean["attack"], of_clean["eps"], of_clean["n_images"], of_clean["n_not_finite"]) == ("clean", 0, 19, 1)
    assert (of_clean["top1"], of_clean["top5"], of_clean["ratio"]) == (15 / 19, 18 / 19, None)
    assert (one_step["n_images"], one_step["n_not_finite"], one_step["top1"]) == (19, 1, 6 / 19)
    assert (one_step["top1_low"], one_step["top1_high"]) == wilson(6, 19, 0.95)
    assert (one_step["top5_low"], one_step["top5_high"]) == wilson(14, 19, 0.95)
    right = [np.array(list(text[:19])) == "0" for text in (fgsm, clean)]
    assert tuple(one_step[f"ratio{end}"] for end in ("", "_low", "_high")) == paired_ratio(*right, 0.95)
    assert (one_step["ratio"], one_step["top5_ratio"]) == pytest.approx((6 / 15, 14 / 18))
    assert (iterative["n_images"], iterative["top1"], iterative["ratio"]) == (10, 0.2, 0.2)


def test_a_net_none_of_whose_images_is_judged_has_empty_numbers(tmp_path):
    ranks = outcomes(tmp_path / "net.npz", "0" * 10, {FGSM: ["x" * 10], PREDICTED: ["0" * 10]})
    _, attacked, _ = accuracy_rows("net", ranks, 0.95)
    assert (attacked["n_images"], attacked["n_not_finite"], attacked["top1"]) == (0, 10, None)
    assert math.isnan(attacked["ratio"])
    (row,) = leaking_rows("net", ranks, {key: ATTACKS.by_key(key) for key in (FGSM, PREDICTED)}, 0.95)
    assert (row["n_images"], row["leaked"], row["net_share"]) == (0, None, None)
    nets = [net("a", baseline="b"), net("b", seed=1)]
    both = {"a": ranks, "b": ranks}
    clean, lost, _ = difference_rows(nets, both, spreads(nets, both), 0.95)
    assert (lost["n_images"], lost["top1"], lost["difference"], lost["seeds_low"]) == (0, None, None, None)
    assert clean["difference"] == 0.0


def test_spreads_are_pooled_over_nets_that_differ_in_their_seeds_alone(tmp_path):
    """Two groups of adversarial nets, one net alone, one that collapsed, two plain ones."""
    plain, smaller = "adversarial=null", "adversarial.images=16"
    listed = [
        (net("a"), 900, 500),
        (net("b", seed=1), 904, 520),
        (net("c", seed=2), 902, 510),
        (net("d", seed=3), 100, 100),  # collapsed
        (net("e", smaller), 800, 300),
        (net("f", smaller, seed=1), 800, 340),
        (net("g", "width=2"), 500, 200),
        (net("h", plain), 950, 0),
        (net("i", plain, seed=1), 940, 0),
    ]
    ranks = {row["net"]: accuracies(tmp_path, row["net"], *right) for row, *right in listed}
    rows = replicate_rows(spreads([row for row, *_ in listed], ranks), 0.95)
    assert [(row["kind"], row["attack"], row["eps"], row["df"], row["n_nets"]) for row in rows] == [
        ("adversarial", "clean", 0.0, 3, 5),
        ("adversarial", "step_ll", 4.0, 3, 5),
        ("plain", "clean", 0.0, 1, 2),
        ("plain", "step_ll", 4.0, 1, 2),
    ]
    wanted = [math.sqrt(8e-6 / 3), math.sqrt((2e-4 + 8e-4) / 3), math.sqrt(0.5e-4), 0.0]
    assert [row["sd"] for row in rows] == pytest.approx(wanted)
    quantiles = [3.182446, 3.182446, 12.706205, 12.706205]  # of Student's t with 3 degrees of freedom, and 1
    assert [row["half_width"] for row in rows] == pytest.approx([t * s for t, s in zip(quantiles, wanted, strict=True)])


def test_differences_have_the_spread_of_both_kinds_of_nets(tmp_path):
    plain = "adversarial=null"
    listed = [
        (net("plain", plain), 950, 30),
        (net("plain_b", plain, seed=1), 940, 20),
        (net("a", baseline="plain"), 900, 500),
        (net("b", seed=1, baseline="a"), 904, 520),
    ]
    nets = [row for row, *_ in listed]
    ranks = {row["net"]: accuracies(tmp_path, row["net"], *right) for row, *right in listed}
    found = spreads(nets, ranks)
    rows = difference_rows(nets, ranks, found, 0.95)
    assert [(row["net"], row["baseline"], row["attack"], row["eps"]) for row in rows] == [
        ("a", "plain", "clean", 0.0),
        ("a", "plain", "step_ll", 4.0),
        ("b", "a", "clean", 0.0),
        ("b", "a", "step_ll", 4.0),
    ]
    adversarial, of_plain = Spread(math.sqrt(2e-4), 1, 2), Spread(math.sqrt(0.5e-4), 1, 2)
    for row, spread in (
        (rows[1], of_difference(adversarial, of_plain)),
        (rows[3], of_difference(adversarial, adversarial)),
    ):
        ends = [row[f"difference{end}"] for end in ("", "_low", "_high")]
        wide = widened(*ends, half_width(spread, 0.95))
        assert (row["seeds_low"], row["seeds_high"]) == pytest.approx(wide)
    assert rows[1]["difference"] == pytest.approx(0.47)
    assert rows[1]["top1"] == 0.5


def test_two_equal_nets_differ_over_images_and_are_not_called_different(tmp_path):
    """Four trainings with accuracies 53.9, 56.8, 53.5 and 54.6 %: the first two differ by 2.9 +- 0.9 over images."""
    right = {"a": 5390, "b": 5680, "c": 5350, "d": 5460}
    nets = [net(name, seed=i, baseline="a" if name == "b" else None) for i, name in enumerate(right)]
    ranks = {name: accuracies(tmp_path, name, 9400, count, 10_000) for name, count in right.items()}
    _, row = difference_rows(nets, ranks, spreads(nets, ranks), 0.95)
    assert row["difference_low"] > 0.02
    assert row["seeds_low"] < 0 < row["seeds_high"]


def test_without_replicates_nothing_is_said_of_seeds(tmp_path):
    nets = [net("plain", "adversarial=null"), net("plain_b", "adversarial=null", seed=1), net("a", baseline="plain")]
    ranks = {row["net"]: accuracies(tmp_path, row["net"], 900, 500) for row in nets}
    found = spreads(nets, ranks)
    assert {kind for kind, *_ in found} == {"plain"}
    rows = difference_rows(nets, ranks, found, 0.95)
    assert [(row["seeds_low"], row["seeds_high"]) for row in rows] == [(None, None)] * 2


@pytest.mark.parametrize(("n_right", "collapsed"), [(0, True), (100, True), (130, True), (131, False), (900, False)])
def test_a_net_that_is_no_better_than_one_class_has_collapsed(tmp_path, n_right, collapsed):
    """Of 1000 images of ten equal classes, 131 is the first count with a binomial p value of at most 0.001."""
    assert is_collapsed(accuracies(tmp_path, "net", n_right, 0)) == collapsed
    assert (binomtest(n_right, 1000, 0.1, alternative="greater").pvalue > 0.001) == collapsed


def test_a_net_that_always_gives_the_most_frequent_class_has_collapsed(tmp_path):
    ranks = accuracies(tmp_path, "net", 400, 0)
    labels = np.r_[np.zeros(400, int), np.arange(600) % 9 + 1]
    assert is_collapsed(Ranks(labels, ranks.points))
    assert not is_collapsed(ranks)
