"""docs/params.md: every key of the typed sections, with a meaning, and no key that is none."""

import re
from pathlib import Path

import pytest
from pydantic import create_model

from advlaw.config.study import Study
from advlaw.reference import keys
from advlaw.reference.keys import Reference, anchor, undescribed

PAGE = (Path(__file__).parents[1] / "docs" / "params.md").read_text(encoding="utf-8")


def test_the_page_is_what_the_sections_say():
    """If this fails: `make readme`, then write the meaning of every new key into its line."""
    assert Reference(PAGE).filled() == PAGE


def test_every_key_has_a_meaning():
    assert undescribed(PAGE) == []


@pytest.mark.parametrize(
    ("key", "value", "default"),
    [
        ("epochs", "integer ≥ 1", ""),
        ("learning_rate", "number > 0", ""),
        ("label_smoothing", "number ≥ 0, < 1", "`0.0`"),
        ("optimizer", "`adam`, `sgd`, `rmsprop`", "`adam`"),
        ("snapshots", "list of number > 0, ≤ 1", "`[]`"),
        ("watched", "integer ≥ 0", "none"),
        ("random_start", "`true`, `false`", "`false`"),
        ("attack", "`one_step.<name>`, `iterative.<name>`", ""),
        ("eps", "`sigma`, `largest` or `fixed`", ""),
        ("eps.fixed", "number > 0, ≤ 255", ""),
        ("draw.cnn.dropout", "list of 2: number ≥ 0, < 1", ""),
        ("nets.<name>.source", "name", ""),
        ("arguments", "mapping", "`{}`"),
        ("grid", "[`attack`](#attack)", "none"),
    ],
)
def test_a_line_has_the_values_and_the_default_of_its_key(key, value, default):
    assert f"| `{key}` | {value} | {default} |" in PAGE


def test_a_key_that_comes_has_no_meaning_and_one_that_goes_leaves(monkeypatch):
    changed = create_model("Study", __base__=Study, brand_new=(int, 3))
    monkeypatch.setattr(keys, "Study", changed)
    page = PAGE.replace("| `seed` | integer", "| `seeed` | integer", 1)
    filled = Reference(page).filled()
    assert "| `brand_new` | integer | `3` |  |" in filled
    assert undescribed(filled) == ["Study seed", "Study brand_new"]
    assert "seeed" not in filled
    assert Reference(filled).filled() == filled


def test_a_table_of_no_section_and_a_section_in_no_table_are_answered():
    with pytest.raises(ValueError, match="the params have no section Lineal; remove its table"):
        Reference(PAGE.replace("keys Linear ", "keys Lineal ")).filled()
    with pytest.raises(ValueError, match="no table shows the keys of Linear; add <!-- keys NAME -->"):
        Reference(re.sub(r"<!-- /?keys Linear -->", "", PAGE)).filled()


def test_a_section_without_a_table_of_its_own_stands_in_those_that_hold_it():
    page = re.sub(r"<!-- keys Measure -->\n.*?<!-- /keys Measure -->", "", PAGE, flags=re.DOTALL)
    filled = Reference(page).filled()
    assert filled.count("| `measure.images` | integer ≥ 10 | none |  |") == 2  # of drawn and of varied sets
    assert "| `measure.grid` | [`attack`](#attack) | none |" in filled


def test_anchors_are_github_s():
    assert [anchor(heading) for heading in ("`trials.<name>`", "`arch: own_file`", "Data sets, and more")] == [
        "trialsname",
        "arch-own_file",
        "data-sets-and-more",
    ]
