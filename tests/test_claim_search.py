"""Claims on architectures found by search (Cubuk Sec. 4), on small tables that make each hold, fail and stay open."""

import math

import pytest
from claim_search import (
    CASES,
    LONG,
    NETS,
    SHORT,
    SMALL,
    a_search,
    attacked,
    compared,
    enlarged,
    gain,
    of_shape,
    of_size,
    settings,
    spread,
    swept,
    trained_twice,
)
from claim_tables import JUDGES, a_study, analogue, frame, verdict

from advlaw.claims import search
from advlaw.claims.finding import difference, proportion
from advlaw.core.tables import Tables, records
from advlaw.papers.search import FULL_SIZE, TABLE_1, with_roles, with_sizes
from advlaw.report.registry import TABLES
from advlaw.report.tables.search import COMPARED
from advlaw.tables.search.regret import CELLS, LATE, WINNERS

VERDICTS = list(enumerate(("holds", "fails", "inconclusive")))
SECTION_4 = [f"C{i}" for i in range(31, 42)]
LEVELS = ("C32", "C36")  # of accuracy, which are judged at the paper's size alone


def study(tables):
    return a_study(tables, robust={})


def scaled(tables, **more):
    return study(tables | {"search/settings": settings(**SMALL | more)})


def parts(claim, tables):
    return {(part.subject, part.quantity): part for part in JUDGES[claim](study(tables)).parts}


@pytest.mark.parametrize("claim", CASES)
@pytest.mark.parametrize(("case", "wanted"), VERDICTS)
def test_a_claim_holds_fails_or_stays_open_at_the_papers_size(claim, case, wanted):
    assert verdict(claim, study(CASES[claim][case])) == wanted


@pytest.mark.parametrize("claim", [claim for claim in CASES if claim not in (*LEVELS, "C35", "C40")])
@pytest.mark.parametrize(("case", "wanted"), VERDICTS)
def test_a_smaller_search_is_an_analogue(claim, case, wanted):
    found = scaled(CASES[claim][case])
    assert analogue(claim, found) == wanted
    assert "smaller search" in JUDGES[claim](found).concluded["reason"]


@pytest.mark.parametrize("claim", LEVELS)
def test_accuracies_of_a_smaller_search_are_shown(claim):
    found = JUDGES[claim](scaled(CASES[claim][1], reward_eps=8.0))
    assert found.concluded["verdict"] == "not run"
    assert "at the paper's size alone" in found.concluded["reason"]
    assert [part.estimate.value for part in found.parts]


@pytest.mark.parametrize("claim", SECTION_4)
def test_a_study_without_the_tables_runs_nothing(claim):
    assert verdict(claim, study({})) == "not run"
    empty = {f"search/{name}": [] for name in ("settings", "enlarged", "correlations", "spread")}
    assert verdict(claim, study(empty)) == "not run"
    assert JUDGES[claim](study({})).concluded["reason"]


def test_searches_without_a_baseline_or_an_attack_judge_their_children_alone():
    rows = [row for row in enlarged() if row["search"] == "step_ll"]
    tables = {"search/settings": settings(**SMALL)[:1], "search/enlarged": rows} | {"models": []}
    ran = [claim for claim in SECTION_4 if verdict(claim, study(a_search() | tables)) != "not run"]
    assert ran == ["C31"]
    tables |= {
        name: rows for name, rows in (of_size(0.8, 0.1) | spread()).items() if "corr" in name or "spread" in name
    }
    ran = [claim for claim in SECTION_4 if verdict(claim, study(a_search() | tables)) != "not run"]
    assert ran == ["C31", "C39", "C40"]


def test_the_papers_settings_hold_and_others_fail_at_full_size():
    assert verdict("C31", study(a_search())) == "holds"
    for name, size in FULL_SIZE.items():
        more = {name: 2 * size}
        assert verdict("C31", study(a_search(more))) == ("holds" if name == "children" else "fails")
    for more in ({"blocks": 5}, {"batch_size": 256}):
        assert verdict("C31", study(a_search(more))) == "fails"
    assert len(parts("C31", a_search())) == 3 * 6 + 2 + 2  # searches, and what is told of those that reward robustness


def test_smaller_settings_are_shown():
    found = scaled(a_search())
    assert analogue("C31", found) == "holds"
    shown = {part.quantity for part in JUDGES["C31"](found).parts if not part.verdict}
    assert {"epochs of a child", "images that children are fitted to", "sets of hyperparameters"} <= shown
    assert analogue("C31", scaled(a_search(), blocks=5)) == "fails"
    assert not with_sizes(frame(settings(n_held_out=4_999)))["is_full_size"].any()
    assert not with_sizes(frame(settings(enlarged_epochs=None)))["is_full_size"].any()


def test_roles_of_enlarged_nets():
    nets = with_roles(frame(enlarged()), frame(settings()))
    assert dict(zip(nets["net"], nets["role"], strict=True)) == {
        "baseline": "baseline", "baseline_step_ll": "baseline", "baseline_pgd": "baseline", "robust_step_ll": "robust",
        "random_step_ll": "random", "robust_pgd": "robust", "robust_pgd_copy": "copy", "robust_pgd_only": "other share",
    }  # fmt: skip
    assert list(nets["trained_on"]) == [trained_as for _, trained_as, _ in NETS.values()]
    assert set(nets["hyperparameters"]) == {"learning_rate=0.1"}  # those that were chosen


def test_nets_are_compared_with_those_that_differ_in_one_thing():
    found = search.net_pairs(study(a_search()))
    assert {(row["net"], row["what"], row["net_other"]) for row in records(found)} == {
        ("baseline", "trainings", "baseline_step_ll"), ("baseline", "trainings", "baseline_pgd"),
        ("robust_step_ll", "architectures", "baseline_step_ll"), ("robust_pgd", "architectures", "baseline_pgd"),
        ("robust_pgd", "shares", "robust_pgd_only"),
    }  # fmt: skip


def test_step_ll_is_judged_at_an_eps_of_50_and_on_smaller_searches_where_the_baseline_is_nearest_to_half():
    tables = gain("step_ll", 0.254)
    tables["error_curves"] += swept("robust_step_ll", "pgd_clipped", {50.0: 0.0})
    (full,) = records(search.architecture_gains(study(tables)))
    assert (full["eps"], full["accuracy"], full["accuracy_other"]) == (50.0, pytest.approx(0.518), 0.264)
    wanted = difference(proportion(0.518, 10000), proportion(0.264, 10000))
    assert (full["gain"], full["gain_low"]) == pytest.approx((wanted.value, wanted.low))
    (small,) = records(search.architecture_gains(scaled(tables)))
    assert (small["eps"], small["accuracy_other"]) == (20.0, 0.5)
    for row in tables["error_curves"]:
        row["net_error"] = 0.7 - row["accuracy"]
    (weak,) = records(search.architecture_gains(scaled(tables)))
    assert (weak["eps"], weak["accuracy_other"]) == (50.0, 0.264)  # nearer to half of 70 % than 50 % is
    no_50 = tables | {"error_curves": [row for row in tables["error_curves"] if row["eps"] != 50]}
    assert verdict("C34", study(no_50)) == "not run"


def test_pgd_is_judged_at_the_eps_of_the_reward():
    tables = gain("pgd", 0.17)
    (full,) = records(search.architecture_gains(study(tables)))
    assert (full["eps"], full["accuracy_other"]) == (8.0, 0.6)
    assert analogue("C35", scaled(tables, reward_eps=20.0)) == "holds"
    assert verdict("C35", scaled(tables, reward_eps=28.0)) == "not run"


@pytest.mark.parametrize(("claim", "training"), [("C34", "step_ll"), ("C35", "pgd")])
def test_a_gain_is_masked_where_the_worst_case_turns_its_sign(claim, training):
    for worst, wanted in ((-0.1, "masked"), (0.0, "holds"), (0.1, "holds")):
        assert verdict(claim, study(gain(training, 0.2, worst=worst))) == wanted
    assert verdict(claim, study(gain(training, -0.2, worst=-0.1))) == "fails"
    assert verdict(claim, study(gain(training, 0.0, worst=-0.1))) == "inconclusive"
    shown = parts(claim, gain(training, 0.2, worst=-0.1))
    part = shown[f"robust_{training} beside baseline_{training}", "gain in the worst case at eps = 8"]
    assert (part.estimate.value, part.estimate.n, part.verdict) == (-0.1, 1000, "")


def test_the_same_cell_in_both_searches_decides_nothing():
    same = gain("step_ll", 0.2, worst=-0.1, robust_step_ll=SHORT)
    (part,) = (part for part in JUDGES["C34"](study(same)).parts if part.verdict)
    assert (part.verdict, part.remark) == ("inconclusive", "the same cell in both searches")
    shape = of_shape(0.3, -0.3)
    assert verdict("C41", study(shape)) == "holds"
    assert verdict("C41", study(shape | {"search/enlarged": enlarged(robust_pgd=SHORT)})) == "inconclusive"


def test_table_1_is_held_against_the_papers_cells():
    found = parts("C36", attacked(0.004))
    off = {subject: part for (subject, quantity), part in found.items() if quantity == "accuracy less the paper's"}
    assert off.keys() == {f"robust_pgd, {place}" for place in TABLE_1}
    assert [part.estimate.value for part in off.values()] == pytest.approx([0.004] * 7)
    assert {(part.verdict, part.n_together) for part in off.values()} == {("holds", 7)}
    assert found["robust_pgd, black-box PGD", "accuracy at eps = 8"].estimate.value == pytest.approx(0.754)
    assert verdict("C36", study(attacked(net="robust_pgd_copy"))) == "not run"


def test_an_accuracy_under_pgd_that_the_worst_case_denies_is_masked():
    for off, worst, wanted in ((0.0, 0.3, "masked"), (0.0, 0.45, "holds"), (-0.1, 0.1, "fails")):
        assert verdict("C36", study(attacked(off, worst))) == wanted
    assert verdict("C36", scaled(attacked(0.0, 0.3), reward_eps=8.0)) == "not run"


def test_clean_accuracy_is_compared_with_the_same_cell_trained_on_pgd_images_alone():
    tables = trained_twice(0.05, nets=("robust_pgd", "robust_pgd_only"))
    (part,) = JUDGES["C37"](study(tables)).parts
    assert part.subject == "robust_pgd less robust_pgd_only"
    assert part.estimate == difference(proportion(0.953, 10000), proportion(0.953 - 0.05, 10000))


def test_correlations_of_the_controllers_children_are_shown():
    judged = [part for part in JUDGES["C39"](study(of_size(0.8, 0.1))).parts if part.verdict]
    assert {part.subject for part in judged} == {"step_ll, random children"}
    assert [part.estimate.value for part in judged] == [0.8, 0.1]
    shown = [part for part in JUDGES["C39"](study(of_size(0.8, 0.1))).parts if not part.verdict]
    assert sorted(part.estimate.value for part in shown) == [-0.9, -0.9, -0.9, 0.1]
    unknown = of_size(math.nan, 0.1)
    assert len(JUDGES["C39"](study(unknown)).parts) == 5
    clean = of_size(0.8, 0.1) | {"search/settings": settings(rewarded_by="clean")}
    assert verdict("C39", study(clean)) == "not run"


def test_children_spread_by_the_papers_numbers_or_by_more_than_seeds_do():
    assert verdict("C40", study(spread(range_=0.4))) == "fails"
    assert verdict("C40", study(spread(search="pgd"))) == "not run"  # the paper's numbers are of step l.l.
    assert analogue("C40", scaled(spread(sd=0.1))) == "holds"
    assert analogue("C40", scaled(spread(cell_low=0.0))) == "inconclusive"
    assert analogue("C40", scaled(spread(search="pgd"))) == "holds"
    judged = [part for part in JUDGES["C40"](scaled(spread())).parts if part.verdict]
    assert [part.subject for part in judged] == ["step_ll, 500 random children, upper half"]


def shown(name, tables):
    (table,) = (table for table in TABLES if table.name == name)
    return table.shown(Tables({key: frame(rows) for key, rows in tables.items()}))


@pytest.mark.parametrize(
    ("late", "winners", "wanted"),
    [
        ((0.01, 0.05), (0.01, 0.05), "found better nets than random search (9,360 children)"),
        ((0.01, 0.05), (-0.01, 0.05), "no better than random search as far as 9,360 children tell"),
        ((-0.01, 0.05), (0.01, 0.05), "no better than random search as far as 9,360 children tell"),
        ((-0.05, -0.01), (-0.05, -0.01), "found worse nets than random search (9,360 children)"),
    ],
)
def test_a_controller_is_better_than_random_search_only_if_both_intervals_say_so(late, winners, wanted):
    grid = shown("search_comparison", a_search(search__comparison=compared(late, winners)))
    ((name, words, *cells),) = grid.rows
    assert (name, words) == ("step_ll", wanted)
    assert cells[0] == f"{50 * sum(late):+.1f} [{100 * late[0]:+.1f}, {100 * late[1]:+.1f}], 3 and 8 trainings"
    assert cells[3] == "–"


def test_a_search_without_a_random_arm_is_not_compared():
    rows = compared((0.1, 0.2), (0.1, 0.2))[:2]
    ((_, words, *_),) = shown("search_comparison", a_search(search__comparison=rows)).rows
    assert words == "was not compared with random search"
    seeds = a_search({"children": 100, "seeds": 3}, search__comparison=compared((0.1, 0.2), (0.1, 0.2)))
    ((_, words, *_),) = shown("search_comparison", seeds).rows
    assert words == "found better nets than random search (3 x 100 children)"


def test_statements_are_those_of_the_table():
    assert {statement for statement, _ in COMPARED.values()} == {LATE, WINNERS, CELLS}


def test_table_1_has_the_printed_rows_and_every_net_that_was_attacked():
    grid = shown("search_table_1", attacked(worst=0.4, n=1000))
    assert [str(row[0]) for row in grid.rows[:2]] == ["Madry et al., printed", "Cubuk et al., printed"]
    assert grid.rows[0][2:] == ["87.3%", "56.1%", "–", "50.0%", "67.0%", "–", "64.2%", "–"]
    assert grid.rows[1][2:] == ["93.2%", "63.6%", "77.9%", "50.1%", "78.1%", "84.9%", "75.0%", "–"]
    ((net, eps, *cells),) = grid.rows[2:]
    low, high = (100 * end for end in (proportion(0.4, 1000).low, proportion(0.4, 1000).high))
    assert (net.text, eps, len(cells), cells[-1]) == ("robust_pgd", "8", 8, f"40.0 [{low:.1f}, {high:.1f}]")
    assert shown("search_table_1", a_search()) is None


def test_larger_nets_and_correlations_are_listed():
    grid = shown("search_enlarged", a_search())
    by_net = {row[0].text: row for row in grid.rows}
    assert list(by_net) == list(NETS)
    assert by_net["baseline"][1:5] == ["clean", "clean accuracy", "2", "learning_rate=0.1"]
    assert by_net["random_step_ll"][1] == "step_ll, random arm"
    assert by_net["robust_pgd"][5:11] == ["94.0%", "50.0%", "95.0%", "3,500,000", "4", "1"]
    assert by_net["robust_pgd"][11].text == LONG
    rows = shown("search_correlations", of_size(0.8, 0.1)).rows
    assert rows[0] == ["step_ll", "random", "100", "clean accuracy", "0.80 [0.75, 0.85]", "–"]
    assert rows[2][3:] == ["parameters", "0.10 [0.05, 0.15]", "0.10 [0.05, 0.15]"]
