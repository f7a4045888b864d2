"""Comparing a tree with a revision: what agrees, what does not, what is said of it and with which exit status."""

import csv
import shutil
import subprocess
import sys

import pytest
from compared import CLAIM, CURVE, MODEL, compare, git, make_tree, stage, write
from other_cpu import rewrite
from repository import ROOT

from advlaw.comparison.cells import ACCURACY, EXPONENT, NUMBER, ROWS, VERDICT, Difference, Found, Shown, keyed
from advlaw.comparison.tables import TABLES, is_derived, table
from advlaw.comparison.wording import difference_lines, shown_lines
from advlaw.core.tables import read_table


@pytest.fixture
def tree(tmp_path):
    return make_tree(tmp_path / "tree")


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """The project itself, as it is committed."""
    folder = tmp_path_factory.mktemp("project") / "clone"
    subprocess.run(["git", "clone", "-q", ROOT, folder], check=True)
    return folder


def committed_tables():
    for path in sorted(ROOT.glob("plots/*/**/*.csv")):
        _, study, name = path.relative_to(ROOT).with_suffix("").as_posix().split("/", 2)
        if not is_derived(name):
            yield study, name, path


def test_every_committed_table_is_known_typed_and_its_keys_name_one_row():
    seen = set()
    for study, name, path in committed_tables():
        read_table(path)
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            columns = set(reader.fieldnames or [])
            described = table(study, name, columns)
            named = {*described.key, *described.intervals, *described.verdicts} - {"#"}
            assert named <= columns, (study, name, sorted(named - columns))
            keyed(f"{study}/{name}", described, list(reader))
        seen |= {known for known, columns in TABLES.items() if columns is described}
    assert seen | {"summary/claims", "summary/exponent", "summary/test_accuracy"} == TABLES.keys()


def test_an_unknown_table_says_where_to_describe_it():
    with pytest.raises(ValueError, match=r"plots/small/colours\.csv: unknown table; describe .*comparison/tables\.py"):
        table("small", "colours", [])


def test_equal_bytes_are_one_line_with_the_tables_of_each_study(tree, capsys):
    assert compare(tree, "HEAD", "", False) is False
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("equal byte for byte with HEAD (")
    assert lines[0].endswith("4 tables of 1 studies: small (4)")
    assert lines[1].endswith("1 equal, 0 differ")
    assert len(lines) == 2


def test_a_figure_that_differs_is_counted_and_not_judged(tree, capsys):
    (tree / "plots/small/figure.svg").write_text("<svg> </svg>", encoding="utf-8")
    assert compare(tree, "HEAD", "", False) is False
    assert capsys.readouterr().out.splitlines()[1].endswith("0 equal, 1 differ")


@pytest.mark.parametrize(
    ("exponent", "low", "high", "agrees"),
    [
        (1.4, 1.1, 1.7, True),  # each in the other's
        (1.4, 1.25, 1.7, False),  # the old one, 1.2, is not in the new interval
        (1.55, 1.1, 1.7, False),  # the new one is not in the old interval, [1, 1.5]
        (1.200001, 1.2000009, 1.3, True),  # rounding
    ],
)
def test_numbers_agree_if_each_lies_in_the_others_interval(tree, capsys, exponent, low, high, agrees):
    new = {**CURVE, "exponent": exponent, "exponent_low": low, "exponent_high": high}
    write(tree, "exponents", new, {**CURVE, "curve": "fc/l2"})
    assert compare(tree, "HEAD", "", False) is not agrees
    output = capsys.readouterr().out
    line = f"small  exponents  fc/fgsm gross mean_slope  exponent: 1.2 [1, 1.5] -> {exponent} [{low}, {high}]"
    assert (line in output) is not agrees
    assert f"{int(agrees)} are within their intervals, {int(not agrees)} beyond, 0 not judged" in output


def test_an_interval_of_no_width_judges_nothing(tree, capsys):
    """The slope of one fit, on two CPUs: no spread is known, and the verdict beside it tells whether it matters."""
    write(tree, "exponents", {**CURVE, "exponent_low": 1.2, "exponent_high": 1.2}, {**CURVE, "curve": "fc/l2"})
    git(tree, "commit", "-q", "-a", "-m", "without a spread")
    new = {**CURVE, "exponent": 1.3, "exponent_low": 1.3, "exponent_high": 1.3}
    write(tree, "exponents", new, {**CURVE, "curve": "fc/l2"})
    assert compare(tree, "HEAD", "", False) is False
    assert "not judged  small  exponents: numbers without an interval: 1, by up to 7.7%" in capsys.readouterr().out


def test_an_accuracy_without_an_interval_has_wilsons_from_the_size_of_its_split(tree, capsys):
    """0.9 of 540 is in [0.872, 0.923] by Wilson's formula, 0.88 in [0.850, 0.905] and 0.87 in [0.839, 0.896]."""
    write(tree, "models", {**MODEL, "test_accuracy": 0.88})
    assert compare(tree, "HEAD", "", False) is False
    write(tree, "models", {**MODEL, "test_accuracy": 0.87})
    capsys.readouterr()
    assert compare(tree, "HEAD", "", False) is True
    assert "small  models  fc  test_accuracy: 0.9 [0.8718, 0.9225] -> 0.87 [0.839, 0.8958]" in capsys.readouterr().out


@pytest.mark.parametrize(("images", "agrees"), [(1, True), (3, True), (5, False)])
def test_an_error_of_none_agrees_with_one_of_up_to_three_images(tree, images, agrees):
    """A bootstrap's interval of no error is [0, 0]; Wilson's ends at 1.96^2 / (n + 1.96^2), 3.8 images."""
    point = {"curve": "fc/fgsm", "grid_eps": 1, "dataset": "digits", "split": "test"}
    none = {**point, "net_error": 0, "net_low": 0, "net_high": 0}
    write(tree, "error_curves", none)
    git(tree, "add", "-A")
    git(tree, "commit", "-q", "-m", "a curve")
    for sign in (1, -1):
        low, high = sorted((0, 2 * sign * images / 540))
        write(tree, "error_curves", {**none, "net_error": sign * images / 540, "net_low": low, "net_high": high})
        assert compare(tree, "HEAD", "", False) is not agrees


def test_a_verdict_agrees_if_it_is_the_same(tree, capsys):
    write(tree, "claims", {**CLAIM, "measured": "from 1.1 to 1.3"})
    assert compare(tree, "HEAD", "", False) is False
    assert "not judged  small  claims: texts: 1" in capsys.readouterr().out
    write(tree, "claims", {**CLAIM, "verdict": "fails"})
    assert compare(tree, "HEAD", "", False) is True
    assert "small  claims  C01  verdict: holds -> fails" in capsys.readouterr().out


def test_rows_that_are_gone_or_new_are_differences(tree, capsys):
    write(tree, "exponents", CURVE, {**CURVE, "curve": "fc/pgd"})
    assert compare(tree, "HEAD", "", False) is True
    output = capsys.readouterr().out
    assert "small  exponents  fc/l2 gross mean_slope  1 row: there -> gone" in output
    assert "small  exponents  fc/pgd gross mean_slope  1 row: none -> new" in output


def test_a_table_and_a_column_that_are_gone_are_differences(tree, capsys):
    (tree / "plots/small/claims.csv").unlink()
    write(tree, "models", {key: value for key, value in MODEL.items() if key != "learning_rate"})
    assert compare(tree, "HEAD", "", False) is True
    output = capsys.readouterr().out
    assert "small  claims  every row  table: there -> gone" in output
    assert "small  models  every row  learning_rate: there -> gone" in output


@pytest.mark.parametrize("column", ["exponent", "n_errors"])
def test_a_number_that_becomes_empty_is_a_difference_with_an_interval_or_without(tree, capsys, column):
    write(tree, "exponents", {**CURVE, column: float("nan")}, {**CURVE, "curve": "fc/l2"})
    assert compare(tree, "HEAD", "", False) is True
    assert "-> none" in capsys.readouterr().out


def test_numbers_without_an_interval_are_listed_and_not_judged(tree, capsys):
    write(tree, "exponents", {**CURVE, "n_errors": 100}, {**CURVE, "curve": "fc/l2"})
    assert compare(tree, "HEAD", "", False) is False
    line = "not judged  small  exponents: numbers without an interval: 1, by up to 10.0%"
    assert line in capsys.readouterr().out


def test_rows_that_the_outcomes_make_are_counted_and_not_judged(tree, capsys):
    bins = [{"net": "fc", "image": 3, "rank": 1, "eps": eps, "logit": 0.5} for eps in (1, 2)]
    write(tree, "theory/followed", *bins)
    git(tree, "add", "-A")
    git(tree, "commit", "-q", "-m", "an image")
    write(tree, "theory/followed", bins[0])
    assert compare(tree, "HEAD", "", False) is False
    assert "theory/followed: rows on one side only, which depend on the outcomes: 1" in capsys.readouterr().out


def test_a_net_trained_another_way_is_named_once(tree, capsys):
    write(tree, "training/fc", {"epoch": 1, "train_loss": 2.0, "train_accuracy": 0.5})
    git(tree, "add", "-A")
    git(tree, "commit", "-q", "-m", "a training")
    write(tree, "training/fc", {"epoch": 1, "train_loss": 2.000002, "train_accuracy": 0.5})
    assert compare(tree, "HEAD", "", False) is False
    assert "trained differently" not in capsys.readouterr().out
    write(tree, "training/fc", {"epoch": 1, "train_loss": 2.2, "train_accuracy": 0.5})
    assert compare(tree, "HEAD", "", False) is False
    assert "small: trained differently: fc; two trainings" in capsys.readouterr().out


def status(monkeypatch, folder, *arguments):
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["compare.py", *arguments])
    with pytest.raises(SystemExit) as done:
        stage.main()
    return done.value.code


def test_exit_status_says_agrees_or_differs(tree, monkeypatch):
    git(tree, "branch", "before")
    assert status(monkeypatch, tree) == 0
    write(tree, "claims", {**CLAIM, "verdict": "fails"})
    assert status(monkeypatch, tree) == 1
    git(tree, "commit", "-aq", "-m", "another verdict")
    assert status(monkeypatch, tree) == 0
    assert status(monkeypatch, tree, "--rev", "before") == 1


def test_exit_status_is_2_where_there_is_nothing_to_compare(tree, monkeypatch, capsys):
    assert status(monkeypatch, tree, "--rev", "nowhere") == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: REV = 'nowhere': no such revision; allowed: a branch, a tag or a commit")
    assert status(monkeypatch, tree, "--study", "smal") == 2
    assert capsys.readouterr().err == "error: STUDY = 'smal': no study of this name has tables; allowed: small\n"
    shutil.rmtree(tree / ".git")
    assert status(monkeypatch, tree) == 2
    assert "tree: no git repository, so there is nothing to compare with" in capsys.readouterr().err


def test_what_another_cpu_gives_agrees_with_what_is_committed(clone, capsys):
    assert compare(clone, "HEAD", "digits", False) is False
    assert "equal byte for byte" in capsys.readouterr().out
    changed = rewrite(clone, study="digits")
    names = {path.relative_to(clone / "plots/digits").as_posix() for path in changed}
    assert {"exponents.csv", "error_curves.csv", "models.csv", "theory/ties.csv"} <= names
    first = [path.read_bytes() for path in changed]
    assert compare(clone, "HEAD", "digits", False) is False
    assert " 0 beyond" in capsys.readouterr().out
    git(clone, "checkout", "-q", ".")
    assert [path.read_bytes() for path in rewrite(clone, study="digits")] == first


def test_the_most_important_comes_first_and_the_rest_is_counted():
    ranks = [ROWS, NUMBER, ACCURACY, EXPONENT, VERDICT]
    beyond = [Difference("small", f"table {rank}", "key", "column", f"{rank}", "9", rank) for rank in ranks]
    beyond.append(Difference("small", "paired", "key", "column", "8", "9", EXPONENT, note="difference 1 [0.5, 1.5]"))
    lines = difference_lines(Found(beyond), None)
    order = ["table 0", "paired", "table 1", "table 2", "table 3", "table 4"]
    assert [line.split("  ")[1] for line in lines] == order
    assert difference_lines(Found(beyond), 2) == [*lines[:2], "... and 4 more (--all shows them)"]


def test_a_number_in_several_tables_and_a_curves_points_are_one_line_each():
    same = [Difference("small", name, "fc", "exponent", "1 [0, 2]", "3 [2, 4]", EXPONENT) for name in ("a", "b", "c")]
    points = [Difference("small", "d", f"fc {eps}", "error", f"{eps}", "9", NUMBER, curve="fc") for eps in (1, 2)]
    assert difference_lines(Found([*same, *points]), None) == [
        "small  a  fc  exponent: 1 [0, 2] -> 3 [2, 4] (and 2 more alike)",
        "small  d  fc 1  error: 1 -> 9 (and at 1 more eps)",
    ]


def test_what_is_not_judged_is_a_line_a_table_the_largest_first():
    shown = {
        ("small", "training/fc"): Shown(numbers=2, largest=1e-6),
        ("small", "models"): Shown(numbers=1, largest=0.5),
        ("small", "training/cnn"): Shown(numbers=3, largest=2e-6, rows=1),
    }
    assert shown_lines(Found(shown=shown), None) == [
        "not judged  small  models: numbers without an interval: 1, by up to 50.0%",
        "not judged  small  training: numbers without an interval: 5, by up to 2e-06 of their size; "
        "rows on one side only, which depend on the outcomes: 1",
    ]
