"""The report as one page: well formed, self-contained, the same bytes again, and usable with keyboard and ears."""

import itertools
import re
import runpy
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from urllib.parse import unquote

import pytest
from report_pages import PAGES, ROOT, Page, checkout, make
from repository import environment

from advlaw.claims.finding import VERDICTS
from advlaw.core.tables import Tables, read_tables, records
from advlaw.core.words import law
from advlaw.papers.chapters import CHAPTERS
from advlaw.report.page import STAMP, stamped
from advlaw.report.registry import TABLES
from advlaw.report.sections import sections


@pytest.fixture(scope="module")
def root(committed, tmp_path_factory):
    return checkout(committed, tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="module", params=PAGES)
def page(request, root):
    with pytest.MonkeyPatch.context() as monkeypatch:
        return make(root, monkeypatch, *PAGES[request.param])


def test_page_is_well_formed_small_and_names_every_figure_and_table(page):
    text = page.read_text(encoding="utf-8")
    assert len(text.encode()) < 2.5e6
    parsed = Page(text)
    ids = [attributes["id"] for _, attributes, _ in parsed.found if "id" in attributes]
    assert len(ids) == len(set(ids)), "an id is used twice"
    assert not any(name.endswith("-others") for name in ids), "a module draws every figure"
    assert all(len(attributes["alt"]) > 10 for attributes in parsed.all("img"))
    assert len(parsed.all("img")) == len(parsed.all("figure"))
    for tag in ("figure", "table"):
        caption_tag = {"figure": "figcaption", "table": "caption"}[tag]
        assert len(parsed.all(tag)) == len(parsed.all(caption_tag)) > 0
    assert all("scope" in attributes for attributes in parsed.all("th"))
    levels = [int(tag[1]) for tag, _, _ in parsed.found if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in itertools.pairwise(levels)), levels
    linked = {attributes["href"][1:] for attributes in parsed.all("a") if attributes["href"].startswith("#")}
    assert linked <= set(ids)


def test_page_loads_nothing_from_elsewhere(page):
    text = page.read_text(encoding="utf-8")
    for tag, attributes, _ in Page(text).found:
        assert tag == "img" or "src" not in attributes, tag
        assert not (tag == "link" and attributes["href"] != "data:,")
    for attributes in Page(text).all("img"):
        kind, _, content = attributes["src"].partition(",")
        assert kind == "data:image/svg+xml"
        svg = ET.fromstring(unquote(content))
        links = [value for each in svg.iter() for name, value in each.attrib.items() if name.endswith("href")]
        links += re.findall(r"url\(([^)]+)\)", unquote(content))
        ids = {each.attrib["id"] for each in svg.iter() if "id" in each.attrib}
        assert all(link.startswith("data:image/png;base64,") or link[1:] in ids for link in links)
    assert set(re.findall(r"url\((.{3})", text)) <= {"%23"}
    assert "@import" not in text
    outside = {attributes["href"] for attributes in Page(text).all("a") if not attributes["href"].startswith("#")}
    assert outside
    assert all(link.startswith("https://arxiv.org/abs/") for link in outside)


@pytest.mark.parametrize("name", PAGES)
def test_page_is_the_same_bytes_again(name, root, monkeypatch):
    first = make(root, monkeypatch, *PAGES[name]).read_bytes()
    assert make(root, monkeypatch, *PAGES[name]).read_bytes() == first


def test_claims_are_all_shown_and_escaped(root, monkeypatch):
    text = make(root, monkeypatch, *PAGES["mnist"]).read_text(encoding="utf-8")
    rows = re.findall(r'<li data-verdict="([^"]+)" data-paper="([^"]+)"', text)
    assert rows == [(verdict, paper) for verdict in VERDICTS for paper in ("cubuk2017", "kurakin2016")]
    assert "error &lt; A·ε^B &amp; &lt;b&gt;so on&lt;/b&gt;" in text
    close = re.sub(r"\s*(<[^>]+>)\s*", r"\1", text)
    wide = '<span class="note">adjusted [1.35, 1.69]</span>'
    assert f"1.52 [1.4, 1.64]{wide}</td><td>0.9 to 1.3</td>" in close
    assert "1.24</td><td>≥ 0.9</td>" in close
    notes = ("fewer than 200 errors", "about 37,000 images would settle it")
    told = "".join(f'<span class="note">{note}</span>' for note in notes)
    assert f"<td>10,000</td><td>fails{told}</td>" in close
    assert '<span class="note">≈ on an analogue</span>' in text
    assert "<dt>Verdicts on its curves</dt><dd>as a law: fails; as printed: inconclusive</dd>" in close
    assert '<span class="number">no ImageNet nets in this study</span>' in close
    assert 'aria-label="1.52 [1.40, 1.64]; allowed: 0.90 to 1.30"' in text
    assert '<summary><span class="badge not-run"><span aria-hidden="true">–</span>not run</span>2 claims: ' in close


def test_page_opens_with_the_forest_plot_and_the_main_figure_and_then_the_claims(page):
    text = page.read_text(encoding="utf-8")
    first, second, *_ = re.findall(r'<figure id="[a-z0-9]+-(\w+)"', text)
    assert (first, second) == ("forest_exponents", "figure_11" if page.parent.name == "cifar10" else "figure_2c")
    assert text.index(second) < text.index('id="claims"') < text.index("data-verdict") < text.index('id="later"')
    assert "<script" not in text
    tables = re.findall(r"<details[^>]*>|</details>|<table", text)
    depth = 0
    for tag in tables:  # every table is folded
        depth += 1 if tag.startswith("<details") else -1 if tag == "</details>" else 0
        assert depth > 0 or tag != "<table"
    assert not re.search(r"\beps\b(?![:_])", re.sub(r"<pre.*?</pre>", "", text, flags=re.DOTALL).split("<main")[1])


def test_contents_that_are_not_official_are_said_to_be_so(root, monkeypatch):
    text = make(root, monkeypatch, *PAGES["cifar10"]).read_text(encoding="utf-8")
    assert "1 of 2 files differ from the official ones; they match their mirror&#39;s checksums" in text
    assert '<th scope="row">b.bin</th><td><code>2c3d</code></td><td>no</td>' in text
    assert "<td>bundled with scikit-learn</td>" in make(root, monkeypatch, *PAGES["digits"]).read_text(encoding="utf-8")


def test_images_that_are_pooled_are_said_to_be_so(root, monkeypatch):
    text = make(root, monkeypatch, "--params", "studies/cifar10_search/params.yaml").read_text(encoding="utf-8")
    assert "colour photographs of 32x32 pixels, averaged over 2x2 pixels" in text


def test_numbers_in_captions_are_the_tables(committed, root, monkeypatch):
    text = make(root, monkeypatch, *PAGES["mnist"]).read_text(encoding="utf-8")
    (row,) = records(read_tables(committed / "plots/mnist", "laws/").rows("laws/exponents", curve="fc/step_ll"))
    assert f"step l.l. {law(row)};" in text


def test_unknown_verdict_and_missing_claims_are_answered(root, tmp_path, monkeypatch, capsys):
    shutil.copytree(root, tmp_path / "copy", symlinks=True)
    claims = tmp_path / "copy/plots/cifar10/claims.csv"
    claims.write_text(claims.read_text(encoding="utf-8").replace("masked", "maybe"), encoding="utf-8")
    with pytest.raises(SystemExit, match=r"claims\.csv: C04: verdict = 'maybe': must be one of holds, fails"):
        make(tmp_path / "copy", monkeypatch, *PAGES["cifar10"])
    claims.unlink()
    with pytest.raises(SystemExit, match=r"plots/cifar10/claims\.csv: no such file"):
        make(tmp_path / "copy", monkeypatch, *PAGES["cifar10"])


def test_a_figure_that_no_module_draws_is_shown_last_by_its_name(committed):
    file = (committed / "plots/cifar10/figures/figure_11.svg").read_text(encoding="utf-8")
    tables = read_tables(committed / "plots/cifar10", "exponents", "laws/")
    *_, last = sections("x", tables, {"my_new_figure": file, "figure_11": file}, only_main=False)
    assert (last.title, [figure.title for figure in last.folded]) == ("Other figures", ["my new figure"])
    shown = sections("x", tables, {"my_new_figure": file, "figure_11": file, "figure_12": file}, only_main=True)
    assert [figure.key for section in shown for figure in section.figures] == ["x-figure_11"]
    assert [figure.key for section in shown for figure in section.folded] == ["x-figure_12"]


def test_tables_have_names_of_their_own_and_figures_and_they_a_chapter():
    assert len({table.name for table in TABLES}) == len(TABLES)
    places = [list(CHAPTERS).index(table.chapter) for table in TABLES]
    assert places == sorted(places)
    assert not any(table.shown(Tables({})) for table in TABLES)


NEW_TABLE = """
from advlaw.core.tables import records
from advlaw.report.render import Grid, Marked, Right
from advlaw.report.table import table

@table("losses", "defences", "What is lost", needs=("models",))
def losses(tables):
    rows = [[Marked(row["model"], "code"), f"{1 - row['test_accuracy']:.1%}"] for row in records(tables.rows("models"))]
    return Grid(["net < all", Right("lost")], rows)
"""


def test_a_new_table_is_one_object_in_one_place(root, tmp_path):
    """A README has it at its marker, and the study's report in its chapter."""
    shutil.copytree(root, tmp_path / "copy", symlinks=True)
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "src/advlaw/report/tables/losses.py").write_text(NEW_TABLE, encoding="utf-8")
    readme = tmp_path / "copy/README.md"
    readme.write_text("<!-- losses cifar10 -->\n<!-- /losses cifar10 -->\n", encoding="utf-8")
    for stage in (["readme.py"], ["report.py", *PAGES["cifar10"]]):
        command = [sys.executable, str(ROOT / "stages" / stage[0]), *stage[1:]]
        own = {**environment(), "PYTHONPATH": str(tmp_path / "src")}
        subprocess.run(command, cwd=tmp_path / "copy", env=own, check=True, capture_output=True)
    _, head, rule, row, *_ = readme.read_text(encoding="utf-8").splitlines()
    assert (head, rule) == ("| net < all | lost |", "| --- | ---: |")
    assert re.fullmatch(r"\| `resnet8` \| \d\d\.\d% \|", row)
    page = (tmp_path / "copy/plots/cifar10/report.html").read_text(encoding="utf-8")
    (chapter,) = re.findall(r'<section aria-labelledby="cifar10-defences">.*?</section>', page, re.DOTALL)
    assert (
        '<details class="folded" id="cifar10-table-losses"><summary>Table: What is lost (4 rows)</summary>' in chapter
    )
    assert '<th scope="col">net &lt; all</th><th scope="col" class="r">lost</th>' in chapter
    assert '<tr><th scope="row"><code>resnet8</code></th><td class="r">' in chapter


def test_a_copy_is_stamped_and_the_page_is_not(root, monkeypatch):
    path = make(root, monkeypatch, *PAGES["cifar10"])
    text = path.read_text(encoding="utf-8")
    assert stamped(text, "Commit <abc>") == text.replace(STAMP, "Commit &lt;abc&gt;")
    with pytest.raises(ValueError, match="must contain <!-- stamp --> once"):
        stamped("<p></p>", "Commit")
    monkeypatch.setattr("sys.argv", ["stamp.py", "cifar10"])
    runpy.run_path(str(ROOT / "stages/stamp.py"), run_name="__main__")
    assert path.read_text(encoding="utf-8") == text
    copy = (root / ".runs/cifar10-report.html").read_text(encoding="utf-8")
    assert re.search(r'<p class="stamp">Commit .+; copied on 2\d{3}-\d\d-\d\d \d\d:\d\d UTC\.</p>', copy)
