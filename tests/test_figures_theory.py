"""The figures of the theory, from a net whose linear response is exact by construction."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from small_tables import as_read, write_firm_tables, write_theory_tables

from advlaw.core.tables import Tables, chosen, read_tables
from advlaw.figures.registry import draw_all, figure_of
from advlaw.figures.theory import draw_logits


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plots")
    write_theory_tables(folder)
    return read_tables(folder, "theory/", "order_statistics/")


def test_figures_are_drawn_from_the_tables(tables, tmp_path):
    drawn = draw_all(tables, ["one", "two"], tmp_path)
    assert drawn == [
        *("figure_3_one", "figure_3_two", "figure_4", "figure_6", "figure_13", "gaps_in_training"),
        *("label_blind_one", "label_blind_two", "error_predictions", "residuals", "takeovers"),
    ]
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.{kind}" for name in drawn for kind in ("svg", "png")}
    assert "epoch 2" in (tmp_path / "gaps_in_training.svg").read_text("utf-8")
    assert "(a) one" in (tmp_path / "figure_4.svg").read_text("utf-8")


def test_captions_say_that_the_planted_response_is_exact(tables):
    def seen(file_name):
        return figure_of(file_name).caption(file_name, tables).seen

    assert "linear response 1.00 [1.00, 1.00], mean field " in seen("figure_3_one")
    assert seen("residuals").startswith("Slopes at small ε: one 2.00; two 2.00. A smooth function ")
    (one,) = tables.rows("theory/predictions", net="one", attack="fgsm")["second_first"]
    assert f"Under FGSM up to ε = 50 in L∞: one {100 * one:.1f} % [" in seen("takeovers")
    assert "from the smallest 1 % of each net's gaps: one " in seen("figure_4")
    assert "Net exponents as measured: FGSM-pred " in seen("label_blind_two")
    assert figure_of("label_blind_two").caption("label_blind_two", Tables()).seen.endswith("these two causes.")


def test_a_net_that_nothing_flips_breaks_no_figure(tmp_path):
    write_firm_tables(tmp_path)
    tables = read_tables(tmp_path, "theory/")
    assert not {"theory/takeovers", "theory/histograms", "theory/followed"} & tables.frames.keys()
    assert draw_all(tables, [], tmp_path / "drawn") == ["figure_13", "label_blind_firm", "error_predictions"]
    for name in ("label_blind_firm", "error_predictions"):
        assert "nothing to show:" in (tmp_path / "drawn" / f"{name}.svg").read_text("utf-8")
    assert figure_of("figure_3_firm").caption("figure_3_firm", tables).seen.endswith("is the measured one.")


def test_thresholds_without_a_prediction_are_an_empty_panel(tables, tmp_path):
    """Mean-field theory predicts none where gaps open on average."""
    frames = {name: tables.rows(name, net="one") for name in ("theory/followed", "theory/histograms")}
    frames["theory/histograms"] = chosen(frames["theory/histograms"], prediction="linear")
    assert draw_all(Tables(frames), [], tmp_path) == ["figure_3_one"]
    assert (tmp_path / "figure_3_one.svg").read_text("utf-8").count("nothing to show:") == 1


def test_an_image_whose_third_class_takes_over_is_followed_to_there(tmp_path):
    eps = np.arange(12.0)
    heights = {1: 5 - eps, 2: 1 + 0 * eps, 3: eps - 2}
    rows = [
        {"rank": rank, "eps": e, "logit": h, "linear": h}
        for rank, logits in heights.items()
        for e, h in zip(eps, logits, strict=True)
    ]
    ax = plt.figure().add_subplot()
    draw_logits(ax, as_read(tmp_path, rows))
    drawn = np.concatenate([line.get_xdata() for line in ax.lines])
    assert drawn.max() == 5.0  # the first point beyond the crossing at 3.5, and one


def test_gaps_of_one_net_are_drawn_without_a_comparison(tables, tmp_path):
    alone = chosen(tables.rows("theory/gap_densities"), net="one", epoch=None)
    assert draw_all(Tables({"theory/gap_densities": alone}), [], tmp_path) == ["figure_13"]
    both = Tables({"theory/gap_densities": tables.rows("theory/gap_densities", epoch=None)})
    assert draw_all(both, ["none", "two"], tmp_path) == ["figure_13"]
    assert "(a)" not in (tmp_path / "figure_13.svg").read_text("utf-8")
    assert ">one</text>" in (tmp_path / "figure_13.svg").read_text("utf-8")
    assert ">two</text>" not in (tmp_path / "figure_13.svg").read_text("utf-8")
