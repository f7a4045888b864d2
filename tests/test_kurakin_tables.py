"""Kurakin's tables beside ours: the nets that a row speaks of, what a cell holds, and a row for any variant."""

import json

import pytest
from claim_sets import EPS, PLAIN, a_set, accuracy, net, trained_on, under
from claim_tables import frame

from advlaw.core.tables import Tables
from advlaw.papers.kurakin import OF_EPS, printed, rows_of, varies, with_roles
from advlaw.report.tables import kurakin

NETS = [net("plain", PLAIN), net("step_ll")]


def tables_of(*arguments, **more) -> Tables:
    return Tables({name: frame(rows) for name, rows in a_set(*arguments, **more).items()})


def right(*nets, attacks=("step_ll", "fgsm", "iter_ll", "iter_basic")):
    """Accuracies of nets: 60, 50, 40 and 30 % under every attack."""
    return [row for each in nets for attack in attacks for row in under(each["net"], attack, (0.6, 0.5, 0.4, 0.3))]


def lines(table, tables) -> dict[str, list[str]]:
    """The cells of a table behind its labels, by these."""
    grid = table.make(tables)
    return {" ".join(line[: -len(EPS) - 2]): list(line[-len(EPS) - 1 :]) for line in grid.rows}


@pytest.mark.parametrize(
    ("differences", "wanted"),
    [
        ({}, ""),
        ({"adversarial": None}, "adversarial"),
        ({"width": 0.5, "adversarial": None}, "adversarial + width"),
        ({"adversarial.eps": {"fixed": 16.0}}, "adversarial.eps"),
        ({"adversarial.eps": {"sigma": 8.0, "largest": 16.0}, "epochs": 5}, "adversarial.eps + epochs"),
        ({"widths": [100, 100], "activation": "tanh"}, "activation + widths"),
        ({"adversarial": {"attack": "one_step.fgsm_clipped", "images": 64}}, "adversarial"),
        ({"weight_decay": 1e-05, "dropout": 0.2, "label_smoothing": 0.1}, "dropout + label_smoothing + weight_decay"),
    ],
)
def test_what_a_net_varies_in_is_read_from_what_it_differs_in(differences, wanted):
    """As `advlaw.trials.sets` writes it."""
    assert varies(", ".join(f"{key}={json.dumps(value)}" for key, value in differences.items())) == wanted


def test_roles_of_nets():
    laws = ("|N(0, 38.25)| up to 76.5", "fixed 9.5625", "fixed 16", "")
    nets = [net(f"net{i}", eps_law=law, n_replaced=i * 32) for i, law in enumerate(laws)]
    nets += [net("deep", "depth=2", layers=4), net("narrow", "widths=[9]", layers=1), net("plain", PLAIN)]
    roles = with_roles(frame(nets)).set_index("net")
    assert list(roles["largest_eps"][:3]) == [76.5, 9.5625, 16.0]
    assert roles["largest_eps"].isna()[["net3", "plain"]].all()
    assert list(roles["share_replaced"][:4]) == [0.0, 0.25, 0.5, 0.75]
    assert list(roles.index[roles["is_deeper"]]) == ["deep"]
    assert (roles["trained_on"]["net0"], roles["trained_on"]["plain"]) == ("step_ll", "")
    assert not with_roles(frame(nets[4:5]))["is_deeper"].any()  # without its base


def test_every_row_has_the_papers_numbers():
    nothing = with_roles(frame(NETS))
    wide = {"T1", "T2", "T3"}
    keys = {
        f"K-{number}-{row.key}{top}-{column}"
        for number, rows in OF_EPS.items()
        for row in rows
        for top in (("-top1", "-top5") if number in wide else ("",))
        for column in ("eclean", "e2", "e4", "e8", "e16")
    }
    assert keys == {name for name in printed() if name.split("-")[1] in OF_EPS}
    assert all(rows_of(number, nothing) == list(rows) for number, rows in OF_EPS.items())


def test_a_cell_has_the_papers_number_and_ours_with_its_interval():
    found = lines(kurakin.kurakin_1, tables_of(NETS, right(*NETS)))
    assert found["Adv. training top 1"] == [
        "77.6 | 90.0 [89.5, 90.5]", "73.5 | 60.0 [59.5, 60.5]", "74.0 | 50.0 [49.5, 50.5]",
        "74.5 | 40.0 [39.5, 40.5]", "73.9 | 30.0 [29.5, 30.5]",
    ]  # fmt: skip
    assert found["Adv. training top 5"][4] == "91.4 | 35.0 [34.5, 35.5]"
    assert found["Deeper model (adv. training) top 1"][:2] == ["78.1 | –", "75.4 | –"]


def test_a_set_whose_numbers_another_one_has_too_is_told_once():
    """As sets that share nets are; one with another number stays."""
    deep = net("deep", "depth=2", layers=4)
    tables = tables_of([*NETS, deep], right(*NETS, deep)).frames
    names = [name.removeprefix("trials/few/") for name in tables if name.startswith("trials/few/")]

    def beside(nets, rows):
        other = tables_of(nets, rows).frames
        return Tables(tables | {f"trials/other/{name}": other[f"trials/few/{name}"] for name in names})

    def told(nets, rows):
        return {line[2] for line in kurakin.kurakin_1.make(beside(nets, rows)).rows}

    few, other = (f"{name}: 2, 4, 8, 16" for name in ("few", "other"))
    assert told(NETS, right(*NETS)) == {few}
    assert told([*NETS, deep], right(*NETS, deep)) == {few}
    assert told(NETS, [{**row, "top1": row["top1"] / 2} for row in right(*NETS)]) == {few, other}


@pytest.mark.parametrize(("leaked", "told"), [(3, ["few"]), (4, ["few", "other"])])
def test_leaks_of_a_net_that_sets_share_are_told_once(leaked, told):
    row = {"net": "fgsm", "attack": "fgsm_clipped", "blind": "step_ll_clipped", "eps": 16.0, "n_images": 10000}
    row |= {"leaked": 3, "reversed": 40}
    shares = ("net_share", "net_low", "net_high", "over_clean", "over_clean_low", "over_clean_high")
    row |= dict.fromkeys(shares, -0.1)
    of_both = {
        name.replace("trials/few/", f"trials/{which}/"): rows
        for which, count in (("few", 3), ("other", leaked))
        for name, rows in tables_of([*NETS, trained_on("fgsm")], leaking=[row | {"leaked": count}]).frames.items()
    }
    assert [line[0] for line in kurakin.leaks.make(Tables(of_both)).rows] == told


def test_a_row_without_a_net_keeps_the_papers_number_and_a_dash():
    nets = [*NETS, net("images_16", "adversarial.images=16", n_replaced=16)]
    found = lines(kurakin.kurakin_8, tables_of(nets, right(*nets)))
    assert found["Adv, k = 4"][2] == "71.3 | 50.0 [49.5, 50.5]"
    assert found["Adv, k = 8"] == ["78.1 | –", "73.2 | –", "73.2 | –", "72.6 | –", "70.5 | –"]
    assert list(found) == ["No adv", *(f"Adv, k = {k}" for k in (4, 8, 16, 24, 32))]
    tables = tables_of(nets, right(*nets))
    accuracies = tables.rows("trials/few/accuracy")
    alone = tables.frames | {"trials/few/accuracy": accuracies[accuracies["net"] != "images_16"]}  # it diverged
    assert kurakin.kurakin_8.make(Tables(alone)).rows == []


def test_another_share_of_a_minibatch_is_a_row_of_its_own_with_a_dash_for_the_paper():
    """With no other change; replicates of it are none."""
    more = net("images_48", "adversarial.images=48", n_replaced=48)
    again = net("images_48_b", "adversarial.images=48", n_replaced=48, seed=1)
    both = net("wide_48", "adversarial.images=48, width=2.0", n_replaced=48, width=2.0)
    nets = [*NETS, again, more, both]
    found = lines(kurakin.kurakin_8, tables_of(nets, right(*nets)))
    assert list(found)[-2:] == ["Adv, k = 32", "images_48: adversarial.images = 48"]
    assert found["images_48: adversarial.images = 48"] == [
        "– | 90.0 [89.5, 90.5]", "– | 60.0 [59.5, 60.5]", "– | 50.0 [49.5, 50.5]", "– | 40.0 [39.5, 40.5]",
        "– | 30.0 [29.5, 30.5]",
    ]  # fmt: skip


def test_another_activation_has_a_row_under_each_attack_and_another_method_one():
    nets = [*NETS, net("elu", 'activation="elu"', activation="elu"), trained_on("noise"), trained_on("fgsm")]
    tables = tables_of(nets, right(*nets))
    sevens = lines(kurakin.kurakin_7, tables)
    assert list(sevens)[18:] == [
        f"{attack}, elu: activation = elu" for attack in ("step l.l.", "iter. l.l.", "iter. basic")
    ]
    assert sevens["step l.l., relu"][1] == "74.6 | 60.0 [59.5, 60.5]"
    fives = lines(kurakin.kurakin_5, tables)
    assert list(fives)[10:] == ["noise: adversarial.attack = one_step.noise_clipped"]
    assert fives["FGSM"][4] == "83.2 | 30.0 [29.5, 30.5]"
    assert fives["Fast entropy"][0] == "76.4 | –"
    assert list(lines(kurakin.kurakin_3, tables)) == [
        f"{label} top {k}"
        for label in (
            "No label leaking, training and eval using step l.l.",
            "With label leaking, training and eval using FGSM",
        )
        for k in (1, 5)
    ]


def test_methods_that_use_the_label_are_evaluated_under_step_ll_in_table_5():
    nets = [*NETS, trained_on("fast_l2")]
    rows = [*right(*nets, attacks=("fgsm",)), *under("fast_l2", "step_ll", (0.2, 0.2, 0.2, 0.2))]
    assert lines(kurakin.kurakin_5, tables_of(nets, rows))["Fast grad. L2*"][3] == "26.4 | 20.0 [19.5, 20.5]"


def test_a_table_is_of_the_sets_that_have_one_of_its_variants():
    tables = tables_of(NETS, right(*NETS))
    shown = {
        one.name
        for one in vars(kurakin).values()
        if getattr(one, "name", "").startswith("kurakin_") and one.shown(tables)
    }
    assert shown == {"kurakin_1", "kurakin_2"}
    goodfellow = [net("plain", PLAIN), net("fgsm", attack="fgsm_clipped")]  # a base that is trained on FGSM
    assert kurakin.kurakin_1.make(tables_of(goodfellow, right(*goodfellow))).rows == []
    unattacked = tables_of(NETS, [])
    assert kurakin.kurakin_2.make(unattacked).rows == []


def test_replicates_come_after_the_net_itself():
    nets = [net("step_ll_b", seed=1), *NETS]
    rows = [*right(*NETS), *under("step_ll_b", "step_ll", [0.1] * 4)]
    assert lines(kurakin.kurakin_1, tables_of(nets, rows))["Adv. training top 1"][1] == "73.5 | 60.0 [59.5, 60.5]"


def test_columns_are_shares_of_the_largest_eps():
    """As on MNIST; seven sizes leave those out that stand for none of the paper's."""
    for sizes, wanted in (
        ((9.5625, 19.125, 38.25, 76.5), ["60.0", "50.0", "40.0", "30.0"]),
        ((8.0, 16.0), ["–", "–", "60.0", "50.0"]),
        ((12.75, 25.5, 63.75, 76.5, 102.0, 114.75, 127.5), ["–", "–", "40.0", "0.0"]),
    ):
        values = [0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0]
        rows = [
            accuracy(name, "step_ll", eps, top1)
            for name in ("plain", "step_ll")
            for eps, top1 in zip(sizes, values, strict=False)
        ]
        grid = kurakin.kurakin_1.make(tables_of(NETS, rows))
        (line,) = (line for line in grid.rows if line[:2] == ["Adv. training", "top 1"])
        assert line[2] == f"few: {', '.join(f'{eps:g}' for eps in sizes)}"
        assert [cell.split(" | ")[1].split(" ")[0] for cell in line[4:]] == wanted


def moved(source, target, attack, eps, rate):
    row = {"source": source, "target": target, "attack": f"{attack}_clipped", "eps": eps}
    for column, value in (("rate", rate), ("top5_rate", rate / 2), ("error", rate / 3), ("top5_error", rate / 4)):
        row |= {column: value, f"{column}_low": value - 0.01, f"{column}_high": value + 0.01}
    return row


def test_transfer_is_shown_at_the_largest_eps_between_the_nets_that_there_are():
    rows = [
        moved(source, target, "fgsm", eps, 1.0 if source == target else 0.4)
        for source in ("plain", "plain_b")
        for target in ("plain", "plain_b")
        for eps in (8.0, 16.0)
    ]
    tables = tables_of(NETS, [], transfer=rows)
    fours = kurakin.kurakin_4.shown(tables)
    assert fours.heads == ["method", "", "source", "our set", "to A", "to B", "to C", "to D"]
    assert fours.rows[0] == [
        "FGSM", "top 1", "A (plain)", "few", "100.0 | 100.0 [99.0, 101.0]", "56.0 | 40.0 [39.0, 41.0]", "58.0 | –",
        "47.0 | –",
    ]  # fmt: skip
    assert fours.rows[3] == ["FGSM", "top 1", "D", "few", "50.0 | –", "54.0 | –", "52.0 | –", "100.0 | –"]
    assert len(fours.rows) == 3 * 2 * 4
    sixes = kurakin.kurakin_6.shown(tables)
    assert sixes.rows[0][5] == "52.0 | 13.3 [12.3, 14.3]"
    assert kurakin.kurakin_4.shown(tables_of(NETS, [])) is None
