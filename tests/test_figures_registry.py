"""How figures are registered: each is one object, found by itself, with its caption and the tables that it needs."""

import re
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from repository import committed_files

from advlaw import figures
from advlaw.core.code import closure, imported, module_file
from advlaw.core.tables import Tables, framed, read_tables
from advlaw.figures import registry
from advlaw.figures.figure import Caption, Drawing, Figure
from advlaw.figures.registry import FIGURES, collected, draw_all, figure_of
from advlaw.figures.style import save

STUDIES = ("digits", "mnist", "cifar10", "search_small")
FOLDERS = ("laws/", "pictures/", "search/", "theory/", "trials/", "worst_case/")


def caption(file_name: str, tables: Tables) -> Caption:
    return figure_of(file_name).caption(file_name, tables)


@pytest.mark.parametrize(("scale", "points"), [("log", []), ("linear", [np.nan]), ("linear", [])])
def test_a_panel_of_nothing_says_so(scale, points, tmp_path):
    sheet, ax = plt.subplots()
    ax.plot(points, points)
    ax.set(xscale=scale, yscale=scale)
    save(sheet, tmp_path / "nothing")
    assert "nothing to show:" in (tmp_path / "nothing.svg").read_text("utf-8")


def test_the_papers_figures_come_first_by_their_numbers():
    names = [figure.name for figure in FIGURES]
    numbers = ("1a", "1b", "2a", "2b", "2c", "3", "4", "4a", "5", "6", "10", "11", "12", "13", "13a")
    assert names[: len(numbers)] == [f"figure_{number}" for number in numbers]
    assert "figure_2b_gaps" in names[len(numbers) :]
    for figure in FIGURES:
        assert len(figure.title) > 10
        assert figure.paper.endswith(".")


@pytest.mark.parametrize("study", STUDIES)
def test_every_committed_figure_is_of_one_object_and_its_caption_is_made_of_the_study_s_tables(committed, study):
    tables = read_tables(committed / "plots" / study, "claims", "claim_parts", "error_curves", "exponents", *FOLDERS)
    files = committed_files(f"plots/{study}/figures/*.svg")
    assert files
    for file in files:
        name = file.rpartition("/")[2].removesuffix(".svg")
        words = caption(name, tables)
        of = name.removeprefix(figure_of(name).name).removeprefix("_")
        assert figure_of(name).file_name(of) == name
        assert words.title == figure_of(name).title + (f": {of}" if of else "")
        assert words.seen
        assert not re.search(r"\bnan\b|\{|<", words.seen), words.seen
        assert words.seen[-1] == "."


def test_every_table_that_a_figure_needs_is_one_of_a_study(committed):
    studies = ("digits", "kurakin_small", "search_small")  # those of embedded data
    patterns = [f"plots/{study}/{below}*.csv" for study in studies for below in ("", "*/", "trials/*/")]
    names = {file.removesuffix(".csv") for file in committed_files(*patterns)}
    for figure in FIGURES:
        for need in set(figure.needs) - {"compared"}:
            pattern = rf"plots/({'|'.join(studies)})/" + re.escape(need).replace(r"\*", "[^/]+")
            assert any(re.fullmatch(pattern, name) for name in names), f"{figure.name} needs {need}"


def test_a_file_of_no_figure_is_not_taken_for_one():
    assert figure_of("my_new_figure") is None
    assert figure_of("figure_1") is None
    assert figure_of("figure_2b_gaps").name == "figure_2b_gaps"
    assert figure_of("figure_3_fc_tanh").name == "figure_3"
    assert figure_of("figure_3_fc_tanh").caption("figure_3_fc_tanh", Tables()).title.endswith(": fc_tanh")


NEW = """
from advlaw.figures.figure import Figure
from advlaw.figures.style import in_panels

def draw(tables):
    return in_panels({"all": lambda ax: ax.plot(tables.rows("models")["epochs"], [1.0])}, 2.0, "how long")

FIGURES = (Figure("NAME", "curves", "How long nets were trained", "No figure.", ("models",), draw, ("A dot a net.",)),)
"""


@pytest.fixture
def added(tmp_path, monkeypatch):
    """A function that puts one more module beside those of the package, where there is none of its name yet."""
    monkeypatch.setattr(figures, "__path__", [*figures.__path__, str(tmp_path / "more")])
    for name in ("new", "another"):
        monkeypatch.setitem(sys.modules, f"advlaw.figures.{name}", None)
        monkeypatch.delitem(sys.modules, f"advlaw.figures.{name}")
    (tmp_path / "more").mkdir()
    return lambda module, figure: (tmp_path / "more" / f"{module}.py").write_text(NEW.replace("NAME", figure))


def test_a_new_figure_is_one_object_in_one_file(added, tmp_path, monkeypatch):
    added("new", "figure_7")
    tables = Tables({"models": framed([{"model": "net", "epochs": 3}])})
    monkeypatch.setattr(registry, "FIGURES", collected("advlaw.figures"))
    assert [figure.name for figure in registry.FIGURES][9:12] == ["figure_6", "figure_7", "figure_10"]
    assert draw_all(tables, [], tmp_path / "drawn") == ["figure_7"]
    assert "how long" in (tmp_path / "drawn" / "figure_7.svg").read_text("utf-8")
    assert caption("figure_7", tables) == Caption("How long nets were trained", "No figure.", "A dot a net.")
    assert draw_all(Tables({"models": tables.rows("models", model="none")}), [], tmp_path / "none") == []


def test_two_figures_of_one_name_are_refused(added):
    added("new", "figure_7")
    added("another", "figure_7")
    with pytest.raises(ValueError, match=r"advlaw\.figures\.new: figure figure_7: there is another of this name"):
        collected("advlaw.figures")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"chapter": "curve"}, "figure x: chapter = 'curve': must be one of overview, curves, imagenet, shuffled"),
        ({"needs": ()}, r"figure x: needs = \(\): name the tables"),
    ],
)
def test_a_figure_with_an_unknown_chapter_or_no_needs_is_refused(wrong, message):
    right = {"name": "x", "chapter": "curves", "title": "", "paper": "", "needs": ("models",), "seen": ()}
    with pytest.raises(ValueError, match=message):
        Figure(draw=lambda tables: [Drawing(plt.figure())], **{**right, **wrong})


def test_figures_import_no_torch():
    """Also the modules that are found and not imported by name."""
    files = [module_file("advlaw.figures.registry"), *module_file("advlaw.figures.registry").parent.glob("*.py")]
    for file in {*files, *closure(*files)}:
        assert "torch" not in {module.split(".")[0] for module in imported(file)}, file
