"""Kurakin's figures on small sets of nets: their panels and labels, and none where a set has nothing for them."""

import pytest
from claim_sets import PLAIN, a_set, accuracy, net, trained_on, under, widths
from claim_tables import frame
from test_kurakin_tables import moved

from advlaw.core.tables import Tables
from advlaw.figures.registry import draw_all, figure_of

NAMES = ("kurakin_1", "kurakin_2", "kurakin_3", "kurakin_4", "kurakin_5", "leaks", "minibatches")
ONE_STEP = ("fgsm", "fgsm_predicted", "fast_entropy", "fast_l2", "step_ll", "step_rnd", "random_sign")
RIGHT = (0.6, 0.5, 0.4, 0.3)
TRAINED = [net("plain", PLAIN), net("step_ll")]


def tables_of(*arguments, **more) -> Tables:
    return Tables({name: frame(rows) for name, rows in a_set(*arguments, **more).items()})


def drawn(name, tables):
    """The panels of a figure that there is one of."""
    (drawing,) = figure_of(name).draw(tables)
    assert drawing.of == "few"
    return [ax for ax in drawing.sheet.axes if ax.get_visible()], drawing.sheet


def labels(ax):
    return ax.get_legend_handles_labels()[1]


def ticks(ax):
    return [text.get_text() for text in ax.get_xticklabels()]


def of_widths():
    tables = widths((0.8, 0.85, 0.9), (0.7, 0.8, 0.9), (0.3, 0.4, 0.3), 0.01)
    return Tables({name: frame(rows) for name, rows in tables.items()})


@pytest.mark.parametrize(("name", "value"), [("kurakin_1", "ratio"), ("kurakin_4", "top5_ratio")])
def test_ratios_are_drawn_against_width_for_each_attack_without_and_with_adversarial_training(name, value):
    axes, _ = drawn(name, of_widths())
    assert [ax.get_title() for ax in axes] == [
        f"{attack}, {training}"
        for attack in ("step l.l.", "iter. l.l.")
        for training in ("without adversarial training", "adversarially trained")
    ]
    assert [ax.get_ylabel() for ax in axes] == ["accuracy over clean accuracy", ""] * 2
    assert all(ticks(ax) == ["0.5", "1", "2"] and labels(ax) == ["ε = 16"] for ax in axes)
    (line,) = axes[1].lines if value == "top5_ratio" else axes[1].containers[0].lines[:1]
    assert list(line.get_xdata()) == [0.5, 1.0, 2.0]
    assert list(line.get_ydata()) == pytest.approx([0.7, 0.8, 0.9])


def of_transfer(*nets):
    rows = [
        moved(source, target, attack, eps, 1.0 if source == target else eps / 20)
        for source in nets
        for target in nets
        for attack in ("fgsm", "iter_basic", "iter_ll")
        for eps in (8.0, 16.0)
    ]
    return tables_of(TRAINED, [], transfer=rows)


@pytest.mark.parametrize(("name", "label", "largest"), [
    ("kurakin_2", "transfer rate", 0.8), ("kurakin_5", "error rate", 0.8 / 3),
])  # fmt: skip
def test_transfer_is_drawn_from_the_first_net_to_the_second(name, label, largest):
    axes, _ = drawn(name, of_transfer("plain", "plain_b", "elu"))
    assert [ax.get_title() for ax in axes] == [f"few: plain to plain_b, top {k}" for k in (1, 5)]
    assert axes[0].get_ylabel() == label
    assert labels(axes[0]) == ["FGSM", "iter. basic", "iter. l.l."]
    assert ticks(axes[1]) == ["8", "16"]
    assert list(axes[0].containers[0].lines[0].get_ydata())[-1] == pytest.approx(largest)
    assert list(figure_of(name).draw(of_transfer("plain"))) == []  # the others' training diverged


def test_one_step_methods_are_drawn_by_whether_they_use_the_label():
    tables = tables_of(TRAINED, [row for attack in ONE_STEP for row in under("step_ll", attack, RIGHT)])
    axes, _ = drawn("kurakin_3", tables)
    assert [ax.get_title() for ax in axes] == ["few: methods that use the label", "few: methods that do not"]
    assert [len(labels(ax)) for ax in axes] == [1 + 2, 1 + 5]
    assert labels(axes[0]) == ["clean images", "FGSM", "fast grad. L2"]
    few = tables_of(TRAINED, [row for attack in ONE_STEP[:5] for row in under("step_ll", attack, RIGHT)])
    assert list(figure_of("kurakin_3").draw(few)) == []


def leaking(name, over):
    rows = []
    for eps in (8.0, 16.0):
        row = {"net": name, "attack": "fgsm_clipped", "eps": eps, "over_clean": over}
        row |= {"over_clean_low": over - 0.01, "over_clean_high": over + 0.01}
        rows += [row | {"blind": blind} for blind in ("fgsm_predicted_clipped", "step_ll_clipped")]
    return rows


def test_leaks_are_drawn_of_nets_trained_on_fgsm_and_of_the_base():
    nets = [*TRAINED, trained_on("fgsm"), trained_on("step_rnd")]
    rows = [row for each in nets for row in leaking(each["net"], 0.1 if each["net"] == "fgsm" else -0.3)]
    axes, _ = drawn("leaks", tables_of(nets, [], leaking=rows))
    (ax,) = axes
    assert labels(ax) == ["step_ll", "fgsm"]
    assert list(ax.containers[1].lines[0].get_ydata()) == [
        0.1,
        0.1,
    ]  # each eps once, though there are two blind methods
    alone = [row for row in rows if row["net"] == "step_ll"]
    assert list(figure_of("leaks").draw(tables_of(nets, [], leaking=alone))) == []


def of_minibatches(*shares):
    nets = [*TRAINED, *(net(f"images_{k}", f"adversarial.images={k}", n_replaced=k) for k in shares)]
    return nets, [row for each in nets for row in under(each["net"], "step_ll", RIGHT)]


def test_shares_of_a_minibatch_and_delays_are_drawn_where_there_are_three():
    nets, rows = of_minibatches(16, 96)
    axes, _ = drawn("minibatches", tables_of(nets, rows))
    (ax,) = axes
    assert ax.get_title() == "few: images"
    assert labels(ax) == ["clean", *(f"step l.l., ε = {eps}" for eps in (2, 4, 8, 16))]
    assert list(ax.containers[0].lines[0].get_xdata()) == [0.125, 0.5, 0.75]
    nets += [net(f"delay_{delay}", f"adversarial.delay={delay}", delay=delay) for delay in (0.1, 0.2)]
    axes, _ = drawn("minibatches", tables_of(nets, rows))
    assert [ax.get_xlabel() for ax in axes] == [
        "share of a minibatch that is adversarial", "share of training without adversarial images",
    ]  # fmt: skip
    nets, rows = of_minibatches(16)
    assert list(figure_of("minibatches").draw(tables_of(nets, rows))) == []


def test_figures_are_files_with_captions_and_the_same_bytes_again(tmp_path):
    found = of_widths()
    for folder in ("a", "b"):
        assert draw_all(found, [], tmp_path / folder) == ["kurakin_1_few", "kurakin_4_few"]
    assert (tmp_path / "a/kurakin_1_few.svg").read_bytes() == (tmp_path / "b/kurakin_1_few.svg").read_bytes()
    assert figure_of("kurakin_4_few").caption("kurakin_4_few", found).title.endswith("top 5: few")


def test_a_study_without_such_sets_has_none_of_the_figures(tmp_path):
    grid = {"net": "a", "baseline": "b", "attack": "fgsm", "grid_eps": 1.0, "difference": 0.0}
    sets = [{"set": "grid", "kind": "varied", "dataset": "x", "n_nets": 2}]
    for tables in (Tables(), Tables({"trials/sets": frame(sets), "trials/grid/differences": frame([grid])})):
        assert draw_all(tables, [], tmp_path) == []
        assert all(list(figure_of(name).draw(tables)) == [] for name in NAMES)


def test_a_net_without_accuracies_is_not_drawn():
    """As one whose training diverged; the axis has no tick for it."""
    nets, rows = of_minibatches(16, 96)
    lost = net("images_128", "adversarial.images=128", n_replaced=128, diverged=True)
    given = a_set([*nets, lost], [*rows, *(accuracy(each["net"], "clean", 0.0, 0.9) for each in nets)])
    given["trials/few/accuracy"] = [row for row in given["trials/few/accuracy"] if row["net"] != "images_128"]
    axes, _ = drawn("minibatches", Tables({name: frame(found) for name, found in given.items()}))
    assert list(axes[0].containers[0].lines[0].get_xdata()) == [0.125, 0.5, 0.75]
