"""Figures of curves, of sampled and of defended nets: drawn from tables alone, the same bytes again."""

import re

import numpy as np
import pytest
from small_tables import as_read, write_curve_tables

from advlaw.core.tables import Tables, read_tables, records
from advlaw.core.words import interval
from advlaw.figures.defences import look_of
from advlaw.figures.error_curves import exponent_text
from advlaw.figures.figure import Caption
from advlaw.figures.methods import BLIND, KNOWING
from advlaw.figures.registry import draw_all, figure_of


@pytest.fixture
def tables(tmp_path):
    """The tables of a study with two curves whose laws are known."""
    write_curve_tables(tmp_path / "plots")
    return read_tables(tmp_path / "plots", "error_curves", "exponents", "laws/", "logit_gap_distribution", "models")


def replaced(tables: Tables, **frames) -> Tables:
    return Tables({**tables.frames, **frames})


def caption(file_name: str, tables: Tables) -> Caption:
    return figure_of(file_name).caption(file_name, tables)


CURVES = ["figure_2a", "figure_2c", "forest_exponents"]


def without_remarks(tables: Tables) -> Tables:
    """As if the odds of breaking an image fell to even."""
    return replaced(tables, **{"laws/exponents": tables.rows("laws/exponents").assign(remark="")})


def test_figures_show_the_planted_exponents_and_are_the_same_bytes_again(tables, tmp_path):
    for folder in ("a", "b"):
        assert draw_all(without_remarks(tables), [], tmp_path / folder) == CURVES
    for name in CURVES[:2]:
        for kind in ("svg", "png", "csv"):
            assert (tmp_path / "a" / f"{name}.{kind}").read_bytes() == (tmp_path / "b" / f"{name}.{kind}").read_bytes()
    drawn = (tmp_path / "a" / "figure_2c.svg").read_text(encoding="utf-8")
    (fgsm,) = re.findall(r"FGSM: B = (\d\.\d\d) \[", drawn)
    (step_ll,) = re.findall(r"step l\.l\.: B = (\d\.\d\d) \[", drawn)
    assert float(fgsm) == pytest.approx(1.0, abs=0.15)
    assert float(step_ll) == pytest.approx(2.0, abs=0.3)
    assert "x: attacks on FC (5,000 test images)" in drawn


def test_what_is_drawn_is_written_beside_it(tables, tmp_path):
    """Points, and the fitted law with its tangent as eps -> 0: of error = 0.02 eps they are the same but for chance."""
    draw_all(tables, [], tmp_path)
    plotted = read_tables(tmp_path, "figure_2a").rows("figure_2a")
    points, line = plotted.dropna(subset="net_error"), plotted.dropna(subset="fitted")
    assert (len(points), len(line)) == (len(tables.rows("error_curves", attack="fgsm")), 25)
    assert len(points) + len(line) == len(plotted)
    small = line[line["grid_eps"] > 0.3]
    assert small["fitted"].to_numpy() == pytest.approx(0.02 * small["grid_eps"].to_numpy(), rel=0.15)
    assert small["tangent"].to_numpy() == pytest.approx(0.02 * small["grid_eps"].to_numpy(), rel=0.3)
    (slope,) = set(np.round(np.diff(np.log(line["tangent"])) / np.diff(np.log(line["grid_eps"])), 3))
    assert f"B = {slope:.2f} [" in (tmp_path / "figure_2a.svg").read_text("utf-8")


def test_captions_have_the_exponents_of_the_tables_and_the_mean_slopes(tables, tmp_path):
    (fgsm,) = records(tables.rows("laws/exponents", attack="fgsm"))
    slope, net_slope = (
        interval(row)
        for kind, curve in (("gross", "net/fgsm"), ("net", "net/step_ll"))
        for row in records(tables.rows("exponents", curve=curve, kind=kind, estimator="mean_slope"))
    )
    seen = caption("figure_2a", tables).seen
    assert seen.startswith(f"Exponents as ε → 0, with 95 % intervals: FC {interval(fgsm)}. Mean slopes up to ")
    assert f" bends upwards: FC {slope}. Points" in seen
    seen = caption("figure_2c", tables).seen
    assert f": FGSM {interval(fgsm)}; step l.l. no law: breaks more at small ε. Mean slopes " in seen
    assert f" bends upwards: FGSM {slope}; step l.l. {net_slope}. " in seen
    slopes = records(tables.rows("exponents", curve="net/fgsm"))
    elsewhere = {"dataset": "y", "curve": "other/fgsm", "sweep": "other"}
    laws, others = as_read(tmp_path, [fgsm, fgsm | elsewhere]), [row | elsewhere for row in slopes]
    two_nets = replaced(tables, exponents=as_read(tmp_path, [*slopes, *others]), **{"laws/exponents": laws})
    assert f": net on x, FC {interval(fgsm)}; other on y, FC {interval(fgsm)}. " in caption("figure_2a", two_nets).seen


def test_any_number_of_curves_is_drawn_and_none_needs_an_error(tables, tmp_path):
    (law,) = records(tables.rows("laws/exponents", attack="fgsm"))
    slopes = records(tables.rows("exponents", attack="fgsm"))
    points = records(tables.rows("error_curves", attack="fgsm"))
    errorless = {"net_error": 0.0, "net_low": 0.0, "net_high": 0.0}
    names = [{"sweep": f"net{i}", "curve": f"net{i}/fgsm"} for i in range(12)]
    frames = {
        "laws/exponents": [law | name for name in names],
        "exponents": [row | name for name in names for row in slopes],
        "error_curves": [point | errorless | name for name in names for point in points],
    }
    many = replaced(tables, **{name: as_read(tmp_path, rows) for name, rows in frames.items()})
    draw_all(many, [], tmp_path / "many")
    drawn = (tmp_path / "many" / "figure_2a.svg").read_text(encoding="utf-8")
    assert all(f"FC (net{i}): B = " in drawn for i in range(12))
    assert "FC (net7) " in caption("figure_2a", many).seen


def test_a_curve_without_a_law_says_so_and_has_no_line_and_one_with_lost_images_says_that(tables, tmp_path):
    assert exponent_text({"remark": "too few errors"}) == "no law: too few errors"
    known = {"remark": "", "exponent": 1.234, "exponent_low": 1.1, "exponent_high": 1.3}
    assert exponent_text(known) == "B = 1.23 [1.10, 1.30]"
    assert exponent_text(known | {"exponent_high": np.nan}) == "B = 1.23 [1.10, ∞]"
    laws = tables.rows("laws/exponents").assign(remark="the fit is rejected", n_not_finite=3)
    for lines in ({}, {"laws/lines": Tables().rows("none")}):
        unfitted = replaced(tables, **{"laws/exponents": laws}, **lines)
        assert draw_all(unfitted, [], tmp_path) == CURVES
        drawn = (tmp_path / "figure_2a.svg").read_text(encoding="utf-8")
        assert "FC: no law: the fit is rejected; 3 images not judged" in drawn
        assert read_tables(tmp_path, "figure_2a").rows("figure_2a")["fitted"].isna().all()
        assert "FC no law: the fit is rejected" in caption("figure_2a", unfitted).seen


def test_a_person_s_own_model_has_a_figure_of_its_own(tables, tmp_path):
    own = {name: tables.rows(name).assign(arch="own_module") for name in ("laws/exponents", "error_curves")}
    assert draw_all(replaced(tables, **own), [], tmp_path) == ["own", "forest_exponents"]
    assert "net: attacks (5,000 test images)" in (tmp_path / "own.svg").read_text(encoding="utf-8")


def test_clipping_is_drawn_where_a_panel_has_both(tables, tmp_path):
    name, both = {"attack": "fgsm_clipped", "curve": "net/fgsm_clipped", "clip": True}, {}
    for table in ("laws/exponents", "error_curves"):
        rows = records(tables.rows(table, attack="fgsm"))
        both[table] = as_read(tmp_path, [*rows, *(row | name for row in rows)])
    assert draw_all(replaced(tables, **both), [], tmp_path / "drawn") == [*CURVES[:2], "clipping", CURVES[2]]
    drawn = (tmp_path / "drawn" / "clipping.svg").read_text(encoding="utf-8")
    assert ">not clipped: B = " in drawn
    assert ">clipped to [0, 255]: B = " in drawn


def test_shuffled_labels_are_shown_state_by_state(tables, tmp_path):
    """The same tables as if the net had been fitted to shuffled labels, with a snapshot at 99 %."""
    made = {"models": tables.rows("models")}
    for name in ("laws/exponents", "error_curves", "logit_gap_distribution"):
        rows = records(tables.rows(name).assign(labels="shuffled", split="train"))
        rows = [row for row in rows if row.get("attack", "fgsm") == "fgsm"]
        snapshot = {"snapshot": 0.99, "epoch": 3, "train_accuracy": 0.991, "curve": "net/fgsm@0.99"}
        earlier = [{key: snapshot.get(key, value) for key, value in row.items()} for row in rows]
        made[name] = as_read(tmp_path, earlier + rows)
    assert draw_all(Tables(made), [], tmp_path) == ["figure_2b", "forest_exponents", "figure_2b_gaps"]
    for name in ("figure_2b", "figure_2b_gaps"):
        drawn = (tmp_path / f"{name}.svg").read_text(encoding="utf-8")
        assert "first 99% (epoch 3)" in drawn
        assert "end (epoch 1)" in drawn
    assert "(5,000 training images)" in (tmp_path / "figure_2b.svg").read_text(encoding="utf-8")


def test_the_methods_are_drawn_where_a_sweep_has_all_nine(tables, tmp_path):
    fgsm = records(tables.rows("error_curves", attack="fgsm"))
    methods = {name: "true_label" if name in KNOWING else "" for name in KNOWING + BLIND}
    rows = [row | {"attack": name, "target": target} for name, target in methods.items() for row in fgsm]
    nine = Tables({"error_curves": as_read(tmp_path, rows)})
    assert draw_all(nine, [], tmp_path / "nine") == ["one_step_methods"]
    assert "x, net: methods that know the label" in (tmp_path / "nine/one_step_methods.svg").read_text("utf-8")
    assert draw_all(Tables({"error_curves": as_read(tmp_path, rows[len(fgsm) :])}), [], tmp_path / "eight") == []
    assert {row["top5_accuracy"] for row in fgsm} == {1.0}
    for row in fgsm:
        lost = fgsm[0]["accuracy"] + fgsm[0]["net_error"] - row["accuracy"]
        assert lost == pytest.approx(row["net_error"], abs=1e-6)


@pytest.fixture
def sampled(tmp_path):
    """Three sampled nets of one kind without fits, in each of two sets."""
    nets = [
        {
            "net": f"n{i}", "arch": "fc", "layers": 2, "n_parameters": 1000, "attack": "fgsm",
            "target": "true_label", "test_accuracy": 0.9, "n_images": 500, "net_exponent": None,
            "net_ls_exponent": None, "error_at_4": 0.1,
        }
        for i in range(3)
    ]  # fmt: skip
    curves = [
        {"net": f"n{i}", "attack": "fgsm", "grid_eps": eps, "net_error": 0.01 * eps}
        for i in range(3)
        for eps in (0.1, 1.0, 10.0)
    ]
    exponents = [
        {"attack": "fgsm", "estimate": name, "nets": "all", "n_nets": 0, "band_low": None}
        for name in ("gross", "net", "net_ls")
    ]
    sets = [{"set": "first", "kind": "drawn"}, {"set": "varied", "kind": "varied"}, {"set": "more", "kind": "drawn"}]
    made = {"trials/sets": as_read(tmp_path, sets)}
    for name in ("first", "more"):
        made[f"trials/{name}/nets"] = as_read(tmp_path, nets)
        made[f"trials/{name}/curves"] = as_read(tmp_path, curves)
        made[f"trials/{name}/exponents"] = as_read(tmp_path, exponents)
    return Tables(made)


def test_a_population_of_one_kind_and_without_fits_is_drawn_for_every_set(sampled, tmp_path):
    names = ("figure_10", "population_exponents", "population_scatter")
    drawn = draw_all(sampled, [], tmp_path)
    assert drawn == [name + end for name in names for end in ("", "_more")]
    assert all((tmp_path / f"{name}.svg").exists() for name in drawn)
    assert "FGSM: 3 sampled nets, 500 test images" in (tmp_path / "figure_10.svg").read_text("utf-8")
    assert "nothing to show:" in (tmp_path / "population_exponents.svg").read_text("utf-8")
    assert caption("figure_10_more", sampled).title == f"{caption('figure_10', sampled).title}: more"


def test_inaccurate_nets_are_not_drawn(sampled, tmp_path):
    weak = {
        f"trials/{name}/nets": sampled.rows(f"trials/{name}/nets").assign(test_accuracy=0.5)
        for name in ("first", "more")
    }
    assert draw_all(replaced(sampled, **weak), [], tmp_path) == []
    first = {"trials/first/nets": weak["trials/first/nets"]}
    assert draw_all(replaced(sampled, **first), [], tmp_path)[0] == "figure_10"  # the first set that is drawn


@pytest.mark.parametrize(
    ("defence", "meaning"),
    [
        ("", "regular"),
        ("entropy", "entropy penalty"),
        ("step_ll_clipped", "step l.l. training"),
        ("step_ll_clipped + entropy", "step l.l. training and penalty"),
        ("pgd_training", "PGD training"),
    ],
)
def test_what_a_defence_is_called(defence, meaning):
    assert look_of(defence)[1] == meaning


def test_figure_5_is_drawn_with_its_controls_and_without_defended_nets_it_is_not(tmp_path):
    models, points = [], []
    for model, defence in (("fc", ""), ("fc_entropy", "entropy")):
        models.append({"model": model, "arch": "fc", "epochs": 3, "n_parameters": 1010})
        net = {"model": model, "arch": "fc", "attack": "step_ll", "dataset": "x", "defence": defence, "clip": False}
        net |= {"snapshot": None, "labels": "original", "sweep": model}
        points += [{**net, "grid_eps": eps, "accuracy": 1 / eps} for eps in (1, 4, 16)]
    attacks = ("worst case", "one_step.step_ll_naive", "transferred:iterative.pgd", "one_step.fgsm")
    controls = [
        {"net": "fc_entropy", "attack": name, "eps": eps, "accuracy": 0.5 / eps} for name in attacks for eps in (1, 4)
    ]
    gains = {
        "net": "fc_entropy",
        "worst_gain": 0.1,
        "worst_gain_low": -0.05,
        "worst_gain_high": 0.25,
        "verdict": "masked",
    }
    frames = {
        "models": models,
        "error_curves": points,
        "worst_case/accuracy": controls,
        "worst_case/gains": [gains | {"eps": eps} for eps in (4, 8)],
    }
    tables = Tables({name: as_read(tmp_path, rows) for name, rows in frames.items()})
    assert draw_all(tables, [], tmp_path) == ["figure_5"]
    drawn = (tmp_path / "figure_5.svg").read_text(encoding="utf-8")
    for text in ("regular", "entropy penalty", "(b) FC, x: step l.l.", "1,010 parameters, 3 epochs"):
        assert text in drawn
    for text in ("worst case over all attacks", "step l.l. by the naive gradient", "PGD transferred from another net"):
        assert text in drawn
    assert drawn.count("worst case over all attacks") == 1
    assert caption("figure_5", tables).seen.endswith("at ε = 8, in points: fc_entropy +10.0 [-5.0, +25.0] (masked).")
    undefended = replaced(tables, error_curves=tables.rows("error_curves", model="fc"))
    assert draw_all(undefended, [], tmp_path / "none") == []
    alone = Tables({name: tables.frames[name] for name in ("models", "error_curves")})
    assert draw_all(alone, [], tmp_path / "alone") == ["figure_5"]
    assert "worst case" not in (tmp_path / "alone" / "figure_5.svg").read_text(encoding="utf-8")
