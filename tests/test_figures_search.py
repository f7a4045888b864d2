"""Figures of searches on made tables: what is drawn is what the tables say, and nothing where there is no search."""

from base64 import b64decode
from itertools import pairwise, product

import matplotlib.pyplot as plt
import numpy as np
import pytest
from claim_tables import frame
from matplotlib.colors import to_rgb
from search_tables import NETS, REWARDS, pictures_of, searched, tables_of

from advlaw.core.tables import Tables
from advlaw.figures import search, search_children
from advlaw.figures.cell_layout import BOX, graph_of
from advlaw.figures.registry import FIGURES, draw_all, figure_of
from advlaw.figures.search import BLUE, GREEN, GREY, RED
from advlaw.figures.search_pictures import ROLES
from advlaw.figures.style import save
from advlaw.models.cell_graph import COMBINE, OPERATIONS, drawn, from_decisions, loose_ends, parse

NAMES = ("search_curves", "search_regret", "search_rounds", "search_spread", "search_children", "search_cells")
CELL = "0 sep_3x3 + 1 identity, 2 conv_1x7_7x1 & 0 max_3x3, 0 avg_3x3 + 1 max_5x5"


@pytest.fixture(scope="module")
def tables():
    """Three searches and a net of each role under both attacks."""
    found = {name: searched(reward, draw=draw) for draw, (name, reward) in enumerate(REWARDS.items())}
    return tables_of(found, NETS)


@pytest.fixture(autouse=True)
def _closed():
    """Sheets that a test draws and does not save stay open."""
    yield
    plt.close("all")


def panels(name, tables):
    """The panels of a figure that there is one of."""
    (drawing,) = figure_of(name).draw(tables)
    return [ax for ax in drawing.sheet.axes if ax.get_visible()], drawing.sheet


def lines_of(ax, colour):
    return [line for line in ax.lines if to_rgb(line.get_color()) == to_rgb(colour)]


def legend(sheet):
    return [text.get_text() for text in sheet.legends[0].get_texts()]


def test_a_panel_for_each_way_of_training_has_the_paper_s_three_nets_and_random_search_s(tables):
    (step_ll, pgd), sheet = panels("search_curves", tables)
    assert [ax.get_title() for ax in (step_ll, pgd)] == [
        "under step l.l.; adversarial training on step l.l.", "under PGD; adversarial training on PGD",
    ]  # fmt: skip
    nets = {RED: "baseline", GREEN: "baseline_step_ll", BLUE: "robust_step_ll", GREY: "random_step_ll"}
    for colour, net in nets.items():
        (line,) = lines_of(step_ll, colour)
        rows = tables.rows("error_curves", net=net, attack="step_ll_clipped")
        assert list(line.get_ydata()) == list(rows["accuracy"])
        assert list(line.get_xdata()) == list(rows["grid_eps"])
    assert [len(lines_of(pgd, colour)) for colour in nets] == [1, 1, 1, 0]
    assert len(step_ll.collections) == 4
    band = step_ll.collections[0].get_paths()[0].vertices
    rows = tables.rows("error_curves", net="baseline", attack="step_ll_clipped")
    assert band[:, 1].max() == pytest.approx((rows["clean_accuracy"] - rows["net_low"]).max())
    assert set(legend(sheet)) == {*(name for _, name in search.NETS.values()), "ε of the reward"}


def test_curves_need_two_nets_that_are_compared():
    found = {"step_ll": searched("adversarial")}
    assert list(figure_of("search_curves").draw(tables_of(found, ["robust_step_ll", "robust_step_ll_copy"]))) == []
    both = tables_of(found, ["robust_step_ll", "random_step_ll"])
    _, sheet = panels("search_curves", both)
    assert legend(sheet) == ["best cell of the search", "best cell of random search", "ε of the reward"]
    assert (
        "step l.l. at ε = 7.79: best cell of the search 81.3%"
        in figure_of("search_curves").caption("search_curves", both).seen
    )


def test_the_best_so_far_is_drawn_beside_that_of_as_many_random_cells(tables):
    axes, _ = panels("search_regret", tables)
    assert [ax.get_title() for ax in axes] == [f"search {name}: {reward} accuracy" for name, reward in REWARDS.items()]
    rows = tables.rows("search/regret", search="step_ll")
    (best,), (chance,) = lines_of(axes[0], BLUE), lines_of(axes[0], GREY)
    drawn_best = dict(zip(best.get_xdata(), best.get_ydata(), strict=True))
    for n, value in zip(rows["n"], rows["best_so_far"], strict=True):
        assert drawn_best[max(x for x in drawn_best if x <= n)] == value
    assert list(chance.get_ydata()) == list(rows["expected_best"])


def test_every_seed_of_a_controller_has_its_line():
    axes, _ = panels("search_regret", tables_of({"clean": searched("clean", seeds=2)}))
    assert len(lines_of(axes[0], BLUE)) == 2
    axes, _ = panels("search_rounds", tables_of({"clean": searched("clean", seeds=2)}))
    assert [len(line.get_xdata()) for line in lines_of(axes[0], BLUE)] == [3, 3]


def test_rounds_are_drawn_with_the_entropy_and_the_mean_of_random_cells(tables):
    axes, sheet = panels("search_rounds", tables)
    assert len(axes) == 6
    assert legend(sheet) == ["controller", "entropy", "random cells: mean"]
    rows = tables.rows("search/rounds", search="pgd")
    assert list(lines_of(axes[1], BLUE)[0].get_ydata()) == list(rows["reward"])
    assert list(axes[4].lines[0].get_ydata()) == list(rows["entropy"])
    random = tables.rows("search/children", search="pgd", arm="random")["reward"]
    assert lines_of(axes[1], GREY)[0].get_ydata()[0] == pytest.approx(random.mean())


def test_the_same_cell_s_nets_are_a_column_with_what_the_search_had_measured(tables):
    axes, _ = panels("search_spread", tables)
    ax = axes[2]
    dots = [line for line in ax.lines if line.get_marker() == "o" and len(line.get_xdata())]
    rows = tables.rows("search/repeated", search="clean")
    assert len(dots) == rows.groupby(["role", "cell"]).ngroups
    assert sorted(y for line in dots for y in line.get_ydata()) == sorted(rows["clean_accuracy"])
    best = tables.rows("search/children", search="clean", arm="controller")["clean_accuracy"].max()
    crosses = [line.get_ydata()[0] for line in ax.lines if line.get_marker() == "x" and len(line.get_xdata())]
    assert crosses[0] == best
    (found,) = tables.rows("search/reliability", search="clean", split="held_out", quantity="clean_accuracy")[
        "reliability"
    ]
    assert ax.get_title() == f"search clean: clean accuracy\nreliability {found:.2f} " + ax.get_title()[-12:]


def test_children_are_drawn_for_every_search_that_rewards_adversarial_accuracy(tables):
    axes, sheet = panels("search_children", tables)
    assert len(axes) == 3 * 2
    by_size, by_clean, histogram = axes[:3]
    for arm, colour in (("random", GREY), ("controller", BLUE)):
        rows = tables.rows("search/children", search="step_ll", arm=arm)
        dots, median = lines_of(by_clean, colour)
        assert list(dots.get_xdata()) == list(rows["clean_accuracy"])
        assert list(dots.get_ydata()) == list(rows["adversarial_accuracy"])
        assert list(lines_of(by_size, colour)[0].get_xdata()) == list(rows["n_parameters"])
        running = tables.rows("search/running", search="step_ll", arm=arm, other="clean_accuracy")
        assert list(median.get_ydata()) == list(running["median"])
    (rho,) = tables.rows("search/correlations", search="step_ll", arm="random", other="clean_accuracy", given="")["rho"]
    said = [text.get_text() for text in by_clean.get_legend().get_texts()]
    assert said[0].startswith(f"ρ = {rho:.2f} [")
    bars = sum(patch.get_height() for patch in histogram.patches)
    children = tables.rows("search/children", search="step_ll")
    assert bars == (children["clean_accuracy"] >= 0.85).sum()
    assert [text.get_text() for text in sheet.legends[0].get_texts()][:2] == ["random search", "controller"]


def test_where_no_child_has_the_paper_s_clean_accuracy_the_upper_half_is_counted(tables):
    spread = tables.rows("search/spread")
    frames = {**tables.frames, "search/spread": spread[spread["clean_from"] != 0.85]}
    axes, _ = panels("search_children", Tables(frames))
    assert sum(patch.get_height() for patch in axes[2].patches) == 12 + 12
    median = np.median(tables.rows("search/children", search="step_ll", arm="random")["clean_accuracy"])
    assert axes[2].get_legend().get_texts()[0].get_text().startswith(f"clean ≥ {median:.3g}: sd ")


def test_many_children_are_counted_in_hexagons_each_arm_in_a_row(tables, monkeypatch):
    monkeypatch.setattr(search_children, "MANY", 20)
    axes, _ = panels("search_children", tables)
    assert len(axes) == 3 * 4
    rows = tables.rows("search/children", search="step_ll", arm="random")
    counts = axes[1].collections[0].get_array()
    assert counts.sum() == len(rows)
    assert len(lines_of(axes[1], GREY)) == 1  # the median alone


def test_children_whose_training_diverged_are_left_out(tables):
    children = tables.rows("search/children").assign(diverged=False)
    children.loc[children["search"] == "pgd", "diverged"] = True
    axes, _ = panels("search_children", Tables({**tables.frames, "search/children": children}))
    assert len(axes) == 3


def test_a_cell_s_graph_has_all_its_wires_and_no_two_boxes_in_one_place():
    rng = np.random.default_rng(0)
    for _ in range(60):
        cell = from_decisions(drawn(rng, 7, OPERATIONS, tuple(COMBINE)), OPERATIONS, tuple(COMBINE))
        graph = graph_of(cell.code)
        assert graph.taken(graph.output) == [2 + block for block in loose_ends(cell)]
        for number, layer in enumerate(graph.layers):
            places = [graph.x[node] for node in layer]
            room = [0.5 * (left.width + right.width) for left, right in pairwise(layer)]
            assert all(np.diff(places) > room)
            for node in layer:
                wanted = {node.source} if node.is_trunk else set(graph.taken(node.source))
                assert number == 0 or wanted <= {other.source for other in graph.layers[number - 1]}


def test_cells_are_drawn_once_with_their_operations_and_what_finds_them(tables):
    axes, _ = panels("search_cells", tables)
    texts = [[text.get_text() for text in ax.texts] for ax in axes]
    titles = ["best of clean", "best of step_ll", "best of step_ll, by random search", "best of pgd"]
    assert [words[-1].partition(":")[0] for words in texts] == titles
    cell = parse(tables.rows("search/enlarged", net="robust_pgd")["cell"].iloc[0])
    joins = [block.combine for block in cell.blocks]
    assert [texts[3].count(join) for join in COMBINE] == [joins.count(join) for join in COMBINE]
    assert sum("\n" in words or words == "identity" for words in texts[3]) == 2 * len(cell.blocks)


def test_a_block_is_drawn_above_what_it_takes_with_its_two_operations():
    row = {"net": "a", "search": "s", "arm": "controller", "trained_as": "", "seed": 0, "cell": CELL}
    row |= {"is_chosen": True, "length": 3.0, "width": 2.5, "n_replaced": None}
    (ax,), _ = panels("search_cells", Tables({"search/enlarged": frame([row, {**row, "search": "t"}])}))
    assert ax.texts[-1].get_text() == "best of s and best of t: length 3, width 2.5"
    at = {text.get_text(): text.get_position() for text in ax.texts}
    assert at["$h_i$"][1] < at["sep\n3×3"][1] == at["identity"][1] < at["conv\n1×7–7×1"][1] < at["output"][1]
    assert abs(at["sep\n3×3"][0] - at["identity"][0]) == pytest.approx(0.5 * BOX)


def test_pictures_have_a_frame_that_says_whether_the_net_is_right(tmp_path):
    tables = Tables(pictures_of())
    (drawing,) = figure_of("search_pictures").draw(tables)
    assert drawing.of == "step_ll"
    shown = [ax for ax in drawing.sheet.axes if ax.get_visible()]
    assert len(shown) == 3 * 10
    rows = {(row.class_number, row.role): row for row in tables.rows("pictures/step_ll").itertuples()}
    in_order = ((number + half, role) for number, half, role in product(range(5), (0, 5), ROLES))
    for ax, place in zip(shown, in_order, strict=True):
        if place == (5, "fooled"):
            assert ax.texts[0].get_text() == "none"
            continue
        row = rows[place]
        colour = GREEN if row.prediction_number == row.class_number else RED
        assert ax.get_xlabel() == f"{row.prediction_number}"
        assert to_rgb(ax.spines["top"].get_edgecolor()) == to_rgb(colour)
        gray = np.frombuffer(b64decode(row.pixels), np.uint8).reshape(8, 8)
        assert (ax.images[0].get_array() == gray[..., None]).all()
    save(drawing.sheet, tmp_path / "pictures")
    assert "nothing to show" not in (tmp_path / "pictures.svg").read_text("utf-8")


def test_pictures_of_cifar10_have_its_colours_and_the_names_of_its_classes():
    (drawing,) = figure_of("search_pictures").draw(Tables(pictures_of("pgd", "cifar10_16", (3, 16, 16))))
    first = drawing.sheet.axes[0]
    assert first.texts[0].get_text() == "airplane"
    assert first.get_xlabel() == "dog"
    pixels = first.images[0].get_array()
    assert pixels.shape == (16, 16, 3)
    assert (pixels[..., 0] != pixels[..., 1]).any()


def test_a_study_without_searches_has_none_of_the_figures(tmp_path):
    nothing = {name: table.iloc[:0] for name, table in tables_of({"clean": searched("clean")}).frames.items()}
    sets = frame([{"set": "x"}]).iloc[:0]
    for tables in (Tables(), Tables({**nothing, "pictures/sets": sets})):
        assert draw_all(tables, [], tmp_path) == []


def test_figures_of_searches_are_files_with_captions_and_the_same_bytes_again(tmp_path, monkeypatch):
    own = [figure for figure in FIGURES if figure.chapter == "search"]
    small = tables_of({"step_ll": searched("adversarial")}, ["robust_step_ll", "random_step_ll"])
    found = Tables({**small.frames, **pictures_of(classes=2)})
    monkeypatch.setattr("advlaw.figures.registry.FIGURES", own)
    assert sorted(draw_all(found, [], tmp_path / "a")) == sorted([*NAMES, "search_pictures_step_ll"])
    again = ("search_children", "search_cells")
    monkeypatch.setattr("advlaw.figures.registry.FIGURES", [figure for figure in own if figure.name in again])
    draw_all(found, [], tmp_path / "b")
    for name in again:
        assert (tmp_path / f"a/{name}.svg").read_bytes() == (tmp_path / f"b/{name}.svg").read_bytes()
    for figure in own:
        seen = figure.caption(figure.file_name("step_ll" if figure.name == "search_pictures" else ""), found).seen
        assert seen.endswith(".")
        assert "nan" not in seen
