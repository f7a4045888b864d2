"""What the report's page is put together from: figures, tables and versions."""

import re

import pytest

from advlaw.report.cells import table
from advlaw.report.html_svg import inline_svg
from advlaw.report.html_table import html_table
from advlaw.report.html_versions import pinned_versions

SVG = """<?xml version="1.0"?><!DOCTYPE svg PUBLIC "x" "http://www.w3.org/x.dtd">
<svg xmlns:xlink="http://www.w3.org/1999/xlink" width="9pt" viewBox="0 0 9 9" xmlns="http://www.w3.org/2000/svg">
 <metadata>made by</metadata><defs><path id="m1" d="M 0 0
L 1 1"/><clipPath id="p1"/></defs><g id="axes_1"><use xlink:href="#m1" clip-path="url(#p1)"/><text>a &lt; b</text></g>
</svg>"""


def test_inlined_figures_share_no_ids_and_keep_their_text():
    one, other = (inline_svg(SVG, name, "A & B") for name in ("one", "other"))
    (prefix,) = set(re.findall(r'id="(f[0-9a-f]{6})-', one))
    assert one == (
        '<svg viewBox="0 0 9 9" role="img" aria-labelledby="one-title"><title id="one-title">A &amp; B</title>'
        f'<defs><path id="{prefix}-m1" d="M 0 0 L 1 1" /><clipPath id="{prefix}-p1" /></defs>'
        f'<use href="#{prefix}-m1" clip-path="url(#{prefix}-p1)" /><text>a &lt; b</text></svg>'
    )
    assert not set(re.findall(r'id="([^"]+)"', one)) & set(re.findall(r'id="([^"]+)"', other))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SVG.replace("#m1", "https://x.org/a.svg"), "figure f: refers to https://x.org/a.svg"),
        (SVG.replace("viewBox", "box"), "must be an <svg> with a viewBox"),
        ("plain", "not an SVG file"),
    ],
)
def test_figures_that_cannot_be_inlined_are_answered(text, message):
    with pytest.raises(ValueError, match=message):
        inline_svg(text, "f", "title")


def test_markdown_tables_become_html():
    html = html_table(table(["net", "share:"], [["`fc` & <i>", "**1.09 [1.01, 1.17]**"]]), "Shares")
    assert html == (
        '<table><caption>Shares</caption><thead><tr><th scope="col">net</th><th scope="col" class="r">share</th></tr>'
        '</thead><tbody><tr><th scope="row"><code>fc</code> &amp; &lt;i&gt;</th>'
        '<td class="r"><strong>1.09 [1.01, 1.17]</strong></td></tr>\n</tbody></table>'
    )
    with pytest.raises(ValueError, match="must be a markdown table"):
        html_table("no table", "Shares")


def test_versions_are_read_with_their_markers():
    text = "dvc==3.67.1\nnumpy==2.4.6 ; python_full_version < '3.12'\nnumpy==2.5.5 ; python_full_version >= '3.12'\n"
    found = {"dvc": "3.67.1", "numpy": "2.4.6 (Python < 3.12), 2.5.5 (Python >= 3.12)"}
    assert pinned_versions(text, ("dvc", "numpy")) == found
    with pytest.raises(ValueError, match=r"requirements\.txt: scipy"):
        pinned_versions(text, ("scipy",))
