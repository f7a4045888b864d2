"""What the report's page is put together from: figures, tables and versions."""

from urllib.parse import unquote

import pytest

from advlaw.report.pictures import picture
from advlaw.report.render import Grid, Marked, Right, html, markdown
from advlaw.report.table import Table
from advlaw.report.versions import pinned_versions

SVG = """<?xml version="1.0"?><!DOCTYPE svg PUBLIC "x" "http://www.w3.org/x.dtd">
<svg xmlns:xlink="http://www.w3.org/1999/xlink" width="9pt" viewBox="0 0 9 8.5" xmlns="http://www.w3.org/2000/svg">
 <metadata>made by</metadata>
 <defs>
  <path id="m1" d="M 0.0412 -7.96
L 1 1"/>
 </defs>
 <!-- 95 % -->
 <g id="axes_1">
  <use xlink:href="#m1" x="3.14159"/>
  <text style="font-size: 8px; font-family: 'Fancy', serif; text-anchor: middle">a &lt; b, 0.123 % of ε</text>
 </g>
 <g transform="scale(0.01563)"/>
</svg>"""


def test_figures_are_rounded_and_keep_their_text_and_shape():
    made = picture("one", SVG)
    assert (made.width, made.height) == (9.0, 8.5)
    assert not set(made.address) & set('<&"#\n')  # which would end it between double quotes, or in an address
    assert unquote(made.address) == (
        "data:image/svg+xml,<svg font-family='DejaVu Sans, Verdana, sans-serif' "
        "xmlns:xlink='http://www.w3.org/1999/xlink' width='9pt' viewBox='0 0 9 8.5' xmlns='http://www.w3.org/2000/svg'>"
        "<defs><path id='m1' d='M0 -8L1 1'/></defs><use href='#m1' x='3.1'/>"
        "<text style='font-size:8px;text-anchor:middle'>a &lt; b, 0.123 % of ε</text>"
        "<g transform='scale(0.01563)'/></svg>"
    )


SHAPES = """<svg width="9pt" viewBox="0 0 9 9" xmlns="http://www.w3.org/2000/svg">
<g clip-path="url(#p0123456789)">{}</g><path d="M 1 1 L 2 2 " clip-path="url(#p0123456789)" style="{}"/>
<path d="M 3 3 L 4 4 " clip-path="url(#p0123456789)" style="{}"/></svg>"""
USE = '<use xlink:href="#m0123456789" x="{}" style="{}"/>'


def drawn(shapes: list[str], lines: list[str]) -> str:
    """What is left of shapes with these styles in one group, and of two lines."""
    uses = "".join(USE.format(x, style) for x, style in enumerate(shapes))
    return unquote(picture("one", SHAPES.format(uses, *lines)).address).partition("svg'>")[2].removesuffix("</svg>")


def test_what_shapes_and_lines_share_is_said_once():
    blue, line = "stroke: #0072b2; stroke-linejoin: miter", "fill: none; stroke: #e69f00"
    assert drawn([blue, blue], [line, line]) == (
        "<g clip-path='url(#p0)' style='stroke:#0072b2'><use href='#m1' x='0'/><use href='#m1' x='1'/></g>"
        "<path d='M1 1L2 2M3 3L4 4' clip-path='url(#p0)' style='fill:none;stroke:#e69f00'/>"
    )


@pytest.mark.parametrize("other", ["stroke: #e69f00", "stroke: #0072b2; opacity: 0.5"])
def test_shapes_that_differ_or_shine_through_keep_their_styles(other):
    shapes = ["stroke: #0072b2", other] if "opacity" not in other else [other, other]
    lines = [f"fill: none; {style}" for style in shapes]
    found = drawn(shapes, lines)
    assert all(found.count(style.replace(": ", ":").replace("; ", ";")) >= 1 for style in shapes)
    assert found.count("<use ") == found.count("<path ") == found.count("x='") == 2
    assert "<g clip-path='url(#p0)'>" in found


@pytest.mark.parametrize("text", [SVG.replace("viewBox", "box"), "plain", ""])
def test_figures_without_a_shape_are_answered(text):
    with pytest.raises(ValueError, match="figure f: not an SVG file with a viewBox; run the figures stage"):
        picture("f", text)


GRID = Grid(
    ["net", Right("share|all")],
    [
        [Marked("fc", "code"), (Marked("1.09", "strong"), " [1.01, 1.17]")],
        ["& <i>", Marked('a"b', "link", 'x"y')],
    ],
)


def test_one_table_is_written_as_markdown_and_as_html():
    assert markdown(GRID).splitlines() == [
        r"| net | share\|all |",
        "| --- | ---: |",
        "| `fc` | **1.09** [1.01, 1.17] |",
        '| & <i> | [a"b](x"y) |',
    ]
    assert html(GRID, "Shares > 0") == (
        '<table><caption>Shares &gt; 0</caption><thead><tr><th scope="col">net</th><th scope="col" class="r">share|all'
        '</th></tr></thead><tbody><tr><th scope="row"><code>fc</code></th><td class="r"><strong>1.09</strong> '
        '[1.01,\u00a01.17]</td></tr>\n<tr><th scope="row">&amp; &lt;i&gt;</th><td class="r"><a href="x&#34;y">a&#34;b'
        "</a></td></tr>\n</tbody></table>"
    )


def test_a_row_has_a_cell_for_each_head():
    with pytest.raises(ValueError, match="longer"):
        html(Grid(["net"], [["fc", "1.09"]]), "Shares")


def test_a_table_of_no_chapter_is_answered():
    with pytest.raises(ValueError, match="table mine: chapter = 'curvs': must be one of overview, curves, imagenet, "):
        Table("mine", "curvs", "Mine", ("models",), True, lambda tables: GRID)


def test_versions_are_read_with_their_markers():
    text = "dvc==3.67.1\nnumpy==2.4.6 ; python_full_version < '3.12'\nnumpy==2.5.5 ; python_full_version >= '3.12'\n"
    found = {"dvc": "3.67.1", "numpy": "2.4.6 (Python < 3.12), 2.5.5 (Python >= 3.12)"}
    assert pinned_versions(text, ("dvc", "numpy")) == found
    with pytest.raises(ValueError, match=r"requirements\.txt: scipy"):
        pinned_versions(text, ("scipy",))
