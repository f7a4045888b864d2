"""Published nets in figures and in the report: Cubuk Fig. 1, 4a and 13a, and the tables of their chapter."""

import re

import numpy as np
import pytest
from photographs import NETS, write_gap_tables, write_photograph_tables

from advlaw.core.tables import Tables, read_tables, records
from advlaw.core.words import interval, law
from advlaw.figures.registry import draw_all, figure_of
from advlaw.papers.chapters import CHAPTERS
from advlaw.report.registry import TABLES
from advlaw.report.sections import sections

FIGURES = ["figure_1a", "figure_1b", "figure_4a", "figure_13a"]
NAMES = ("error_curves", "exponents", "logit_gap_distribution", "models", "laws/", "theory/", "published/")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The tables of three nets, and the folder of what is drawn of them."""
    folder = tmp_path_factory.mktemp("photographs")
    write_photograph_tables(folder)
    write_gap_tables(folder)
    tables = read_tables(folder, *NAMES)
    drawn = draw_all(tables, ["nasnet"], folder / "figures")
    return tables, folder / "figures", drawn


def replaced(tables: Tables, **frames) -> Tables:
    return Tables({**tables.frames, **frames})


def svg(folder, name):
    return (folder / f"{name}.svg").read_text("utf-8")


def test_published_nets_have_the_figures_of_imagenet_and_no_other_of_gaps(study):
    _, _, drawn = study
    assert drawn == [*FIGURES, "defended", "forest_exponents"]


def test_each_net_is_a_curve_with_its_slope_and_its_exponent(study):
    tables, folder, _ = study
    drawn = svg(folder, "figure_1a")
    assert "photographs: FGSM (1,000 images)" in drawn
    for row in records(tables.rows("laws/exponents", attack="fgsm")):
        (line,) = records(tables.rows("exponents", curve=row["curve"], kind="net", estimator="least_squares"))
        assert f"{row['model']}: {line['exponent']:.2f}; B = {law(row)}" in drawn
    assert "filled: trained on adversarial examples" in drawn


def test_a_law_that_is_none_has_no_line_and_its_caption_says_why(study, tmp_path):
    tables, _, _ = study
    laws = tables.rows("laws/exponents")
    rejected = replaced(tables, **{"laws/exponents": laws.assign(remark="breaks more at small eps")})
    draw_all(rejected, [], tmp_path)
    assert len(re.findall(r"\w: \d\.\d\d; no law<", svg(tmp_path, "figure_1b"))) == len(NETS)
    seen = figure_of("figure_1b").caption("figure_1b", rejected).seen
    assert seen.startswith("Exponents as ε → 0, with 95 % intervals: nasnet no law: breaks more at small ε; ")
    (line,) = records(tables.rows("exponents", curve="nasnet/step_ll", kind="net", estimator="least_squares"))
    assert f"Slopes of the solid lines: nasnet {interval(line)}; " in seen
    assert read_tables(tmp_path, "figure_1b").rows("figure_1b")["tangent"].isna().all()


def test_what_is_drawn_is_written_beside_it(study):
    tables, folder, _ = study
    plotted = read_tables(folder, "figure_1a").rows("figure_1a")
    points, line = plotted.dropna(subset="net_error"), plotted.dropna(subset="tangent")
    assert len(points) == len(tables.rows("error_curves", attack="fgsm"))
    assert set(line["curve"]) == {f"{net.name}/fgsm" for net in NETS}
    for net in NETS:
        own = points[points["curve"] == f"{net.name}/fgsm"]
        first = records(own)[0]
        middle = np.sqrt(first["line_eps_first"] * first["line_eps_last"])
        drawn = first["line_amplitude"] * middle ** first["line_exponent"]
        assert drawn == pytest.approx(np.interp(middle, own["grid_eps"], own["net_error"]), rel=0.15)


def test_nets_without_a_defence_or_an_error_or_a_line_are_drawn(study, tmp_path):
    tables, _, _ = study
    plain = {name: tables.rows(name).assign(defence="") for name in ("laws/exponents", "error_curves")}
    plain["exponents"] = tables.rows("exponents").assign(exponent=np.nan, amplitude=np.nan)
    plain["error_curves"] = plain["error_curves"].assign(net_error=0.0)
    assert draw_all(replaced(tables, **plain), [], tmp_path)[:2] == FIGURES[:2]
    assert "filled" not in svg(tmp_path, "figure_1a")
    assert "nasnet: no slope; B = " in svg(tmp_path, "figure_1a")


def test_gaps_are_those_of_nasnet_or_the_most_accurate_net_and_beside_them_of_all_others(study, tmp_path):
    tables, folder, _ = study
    assert ">nasnet<" in svg(folder, "figure_4a")
    others = svg(folder, "figure_13a")
    assert [name for name in ("nasnet", "inception", "robust") if f">{name}<" in others] == ["inception", "robust"]
    nets = tables.rows("published/nets").assign(network="mobilenetv2_100", top1=[0.7, 0.8, 0.75])
    draw_all(replaced(tables, **{"published/nets": nets}), [], tmp_path)
    assert ">inception<" in svg(tmp_path, "figure_4a")
    alone = replaced(tables, **{"published/nets": nets[:1]})
    drawn = draw_all(alone, ["inception"], tmp_path)
    assert [name for name in drawn if name.startswith(("figure_4", "figure_13"))] == ["figure_4a", "figure_13"]


def test_figures_of_other_studies_do_not_change(study, tmp_path):
    tables, _, _ = study
    without = replaced(tables, **{"published/nets": tables.rows("published/nets")[:0]})
    drawn = draw_all(without, [], tmp_path)
    assert not set(FIGURES) & set(drawn)
    assert "figure_13" in drawn


def test_the_chapter_has_the_tables_and_figures_of_published_nets(study):
    tables, folder, drawn = study
    found = {
        section.key: section for section in sections("x", tables, {name: svg(folder, name) for name in drawn}, False)
    }
    chapter = found["x-imagenet"]
    assert chapter.title == CHAPTERS["imagenet"].title
    assert [figure.key for figure in chapter.figures] == ["x-figure_1a", "x-figure_1b"]
    assert [figure.key for figure in chapter.folded] == ["x-figure_4a", "x-figure_13a"]
    titles = [shown.title for shown in chapter.tables]
    assert titles == [table.title for table in TABLES if table.chapter == "imagenet"]
    assert [shown.n_rows for shown in chapter.tables] == [3, 6, 12]
    without = replaced(tables, **{name: tables.rows(name)[:0] for name in ("published/nets", "published/pairs")})
    assert "x-imagenet" not in {section.key for section in sections("x", without, {}, only_main=False)}


def rows_of(name, tables):
    (table,) = (table for table in TABLES if table.name == name)
    grid = table.shown(tables)
    assert all(len(row) == len(grid.heads) for row in grid.rows)
    return grid.rows


def test_a_net_s_line_says_which_net_of_the_paper_it_is(study):
    nasnet, inception, robust = rows_of("published", study[0])
    assert (nasnet[2], inception[2], robust[2]) == ("NASNet-A", "Inception v3", "instead of Inception-ResNet v2")
    assert (nasnet[3], robust[3]) == ("clean images", "ensemble adversarial examples")
    assert nasnet[4:] == ["imagenet sample", "1,000", "82.0 % [79.5, 84.3]", "81.0%", "97.0 % [95.7, 97.9]"]
    nets = study[0].rows("published/nets").assign(network="", stands_for="", published_accuracy=np.nan, top5=np.nan)
    row = rows_of("published", replaced(study[0], **{"published/nets": nets}))[0]
    assert (row[1], row[2], row[7], row[8]) == ("–", "–", "–", "–")


def test_exponents_stand_beside_the_range_that_the_paper_gives_for_imagenet(study):
    fgsm, step_ll = rows_of("published_exponents", study[0])[:2]
    assert (fgsm[4], step_ll[4]) == ("0.9–1.1", "1.8–2.2")
    assert fgsm[9] == "0.19"
    assert re.fullmatch(r"1\d\.\d % \[\d+\.\d, 1\d\.\d\]", fgsm[10])  # 0.6 * 0.19 as planted


def test_pairs_have_their_differences_in_points(study):
    tables, _, _ = study
    (first, *_) = rows_of("published_pairs", tables)
    (row,) = records(tables.rows("published/pairs")[:1])
    assert first[:5] == ["nasnet", "inception", "FGSM", "0.19", "1,000"]
    assert first[7].startswith(f"{100 * row['net_difference']:+.1f} [")
