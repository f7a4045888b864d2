"""The tables of searches, from what a search leaves behind."""

import numpy as np
import pytest

from advlaw.fitting.best_of import expected_best
from advlaw.fitting.searchers import difference, late_gain
from advlaw.tables.search.children import child_rows, repeated_rows, round_rows
from advlaw.tables.search.enlarged import enlarged_rows
from advlaw.tables.search.regret import CELLS, LATE, WINNERS, comparison_rows, regret_rows
from advlaw.tables.search.statistics import correlation_rows, reliability_rows, running_rows, spread_rows

CHAIN = "0 identity + 1 conv_1x1, 2 max_3x3 + 2 conv_3x3"  # one loose end
FLAT = "0 identity + 1 conv_1x1, 0 max_3x3 & 1 conv_3x3"  # two


def child(arm: str, index: int, reward: float, cell: str = CHAIN, seed: int = 0, **more) -> dict:
    about = {"arm": arm, "seed": seed, "index": index, "round": index // 2, "cell": cell, "child_seed": 0}
    return {
        **about, "n_parameters": 100 + index, "flops": 1000 - index, "clean_accuracy": 0.9 + index / 100,
        "adversarial_accuracy": reward, "reward": reward, "diverged": False, **more,
    }  # fmt: skip


def anew(role: str, cell: str, accuracies: list[float]) -> list[dict]:
    return [
        {
            "role": role, "rank": 0, "cell": cell, "child_seed": seed, "diverged": False,
            "clean_accuracy": 0.9, "adversarial_accuracy": one,
            "test_clean_accuracy": 0.9, "test_adversarial_accuracy": one - 0.05,
        }
        for seed, one in enumerate(accuracies, 1)
    ]  # fmt: skip


RANDOM = [0.3, 0.6, 0.5]
OURS = [0.4, 0.2, 0.7, 0.5]
FOUND = {
    "step_ll": {
        "children": [
            *(child("controller", i, reward) for i, reward in enumerate(OURS)),
            *(child("random", i, reward, FLAT) for i, reward in enumerate(RANDOM)),
        ],
        "rounds": [
            {"seed": 0, "round": i, "n_children": 2, "reward": 0.3, "baseline": 0.3, "entropy": 9.0, "clipped": 0.0}
            | {"loss": 0.1}
            for i in range(2)
        ],
        "repeated": [
            *anew("best of controller", CHAIN, [0.6, 0.7]),
            *anew("best of random", FLAT, [0.5, 0.4]),
            *anew("unchosen", CHAIN, [0.3, 0.5]),
            *anew("unchosen", FLAT, [0.6, 0.4]),
        ],
    }
}  # fmt: skip


def test_a_child_has_the_shape_of_its_cell():
    rows = child_rows(FOUND)
    assert [row["search"] for row in rows] == ["step_ll"] * 7
    assert {(row["cell"], row["length"], row["width"], row["loose_ends"]) for row in rows} == {
        (CHAIN, 3, 1.0, 1),
        (FLAT, 2, 2.0, 2),
    }
    assert [row["moving_average"] for row in round_rows(FOUND)] == [0.3, 0.3]
    assert [row["seed"] for row in repeated_rows(FOUND)[:2]] == [1, 2]


def test_regret_is_the_best_so_far_beside_the_exact_best_of_random_subsets():
    rows = regret_rows(FOUND)
    assert [row["best_so_far"] for row in rows] == [0.4, 0.4, 0.7, 0.7]
    mean_of_pairs = (0.6 + 0.5 + 0.6) / 3  # the best of (.3 .6), (.3 .5), (.6 .5)
    assert [row["expected_best"] for row in rows[:3]] == pytest.approx([np.mean(RANDOM), mean_of_pairs, 0.6])
    assert [row["expected_best"] for row in rows[:3]] == pytest.approx(expected_best(RANDOM))
    assert rows[3]["expected_best"] is None
    assert [(row["low"], row["high"]) for row in rows[:3]] == [(0.3, 0.6), (0.5, 0.6), (0.6, 0.6)]


def test_a_search_without_a_random_arm_has_the_best_so_far_alone():
    alone = {"step_ll": {**FOUND["step_ll"], "children": FOUND["step_ll"]["children"][:4]}}
    assert {row["expected_best"] for row in regret_rows(alone)} == {None}
    assert LATE not in {row["statement"] for row in comparison_rows(alone, {"step_ll": "adversarial"}, 0.95)}


def test_the_controller_is_compared_with_random_search_on_late_children_and_on_winners_trained_anew():
    rows = comparison_rows(FOUND, {"step_ll": "adversarial"}, 0.95)
    found = {(row["statement"], row["split"]): row for row in rows}
    late = late_gain([OURS], RANDOM, 0.95)
    assert [found[LATE, "held_out"][name] for name in ("value", "low", "high")] == [late.value, late.low, late.high]
    assert found[LATE, "held_out"]["n_seeds"] == 1
    assert found[LATE, "held_out"]["counts"] == "children"
    for split, less in (("held_out", 0.0), ("test", 0.05)):
        winners = difference([0.6 - less, 0.7 - less], [0.5 - less, 0.4 - less], 0.95)
        assert found[WINNERS, split]["value"] == pytest.approx(winners.value) == pytest.approx(0.2)
        cells = difference([0.6 - less, 0.7 - less], [one - less for one in (0.3, 0.5, 0.6, 0.4)], 0.95)
        assert found[CELLS, split]["high"] == pytest.approx(cells.high)


def test_correlations_are_of_each_arm_with_the_random_one_first():
    found = {"step_ll": {**FOUND["step_ll"], "children": [child("random", i, 0.1 * i) for i in range(8)]}}
    rows = correlation_rows(found, np.random.default_rng(0), 200, 0.95)
    assert {row["arm"] for row in rows} == {"random"}
    by_other = {(row["other"], row["given"]): row["rho"] for row in rows}
    assert by_other["clean_accuracy", None] == pytest.approx(1)
    assert by_other["flops", None] == pytest.approx(-1)
    assert by_other["length", None] is None  # all cells are as long
    assert by_other["flops", "clean_accuracy"] is None  # the ranks of the one are those of the other
    few = {row["rho"] for row in correlation_rows(FOUND, np.random.default_rng(0), 200, 0.95) if row["arm"] == "random"}
    assert few == {None}  # three children


def test_a_child_that_diverged_is_in_the_table_of_children_alone():
    lost = child("random", 3, 0.0, diverged=True, clean_accuracy=None, adversarial_accuracy=None)
    found = {"step_ll": {**FOUND["step_ll"], "children": [*FOUND["step_ll"]["children"], lost]}}
    assert len(child_rows(found)) == 8
    assert running_rows(found, 0.95) == running_rows(FOUND, 0.95)


def test_reliability_is_of_the_cells_that_nobody_chose():
    rows = {(row["split"], row["quantity"]): row for row in reliability_rows(FOUND, 0.95)}
    own = rows["held_out", "adversarial_accuracy"]
    assert (own["n_cells"], own["n_nets"]) == (2, 4)
    assert own["sd_seed"] == pytest.approx(np.sqrt((0.1**2 * 2 + 0.1**2 * 2) / 2))
    assert own["sd_cell"] == 0  # means 0.4 and 0.5 differ by less than seeds make them
    assert ("held_out", "clean_accuracy") not in rows  # all are equal


def test_spread_is_of_good_children_with_the_seeds_part_taken_out():
    rewards = np.linspace(0.2, 0.9, 24)
    children = [child("random", i, float(reward), clean_accuracy=0.84 + i / 100) for i, reward in enumerate(rewards)]
    found = {"step_ll": {**FOUND["step_ll"], "children": children}}
    paper_s, upper_half = spread_rows(found, np.random.default_rng(0), 200, 0.95)
    assert (paper_s["clean_from"], paper_s["n"]) == (0.85, 23)
    assert (upper_half["clean_from"], upper_half["n"]) == (pytest.approx(0.955), 12)
    assert paper_s["sd"] == pytest.approx(rewards[1:].std(ddof=1))
    assert paper_s["sd_cell"] == pytest.approx(np.sqrt(rewards[1:].var(ddof=1) - 0.02))


def test_every_set_of_hyperparameters_of_an_enlarged_net_is_a_row():
    accuracies = {"clean_accuracy": 0.9, "adversarial_accuracy": 0.5, "diverged": False}
    tried = [
        {"values": {"learning_rate": rate, "weight_decay": 0.0}, **accuracies, "is_chosen": rate == 0.1}
        for rate in (0.1, 0.2)
    ]
    about = {
        "cell": FLAT,
        "search": "clean",
        "arm": "random",
        "adversarial": "step_ll",
        "images": None,
        "seed": 1,
        "sets": tried,
    }
    rows = enlarged_rows({"larger": about})
    assert [row["hyperparameters"] for row in rows] == [
        "learning_rate=0.1, weight_decay=0.0",
        "learning_rate=0.2, weight_decay=0.0",
    ]
    assert {(row["net"], row["trained_as"], row["seed"], row["width"]) for row in rows} == {
        ("larger", "step_ll", 1, 2.0)
    }
    assert [row["is_chosen"] for row in rows] == [True, False]
