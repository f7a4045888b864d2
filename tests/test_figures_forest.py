"""The figure at the front of a report: all exponents as eps -> 0."""

import xml.etree.ElementTree as ET

from small_tables import as_read

from advlaw.core.tables import Tables
from advlaw.figures.registry import draw_all


def law(curve, value, low, high, **more):
    sweep, attack = curve.split("/")
    about = {"curve": curve, "sweep": sweep, "attack": attack, "dataset": "x", "labels": "original"}
    about |= {"kind": "net" if attack == "step_ll" else "gross", "n_errors": 900, "remark": ""}
    return about | {"exponent": value, "exponent_low": low, "exponent_high": high} | more


def shown(folder, name) -> list[str]:
    """The words of a drawn figure, in the order in which they were drawn."""
    root = ET.fromstring((folder / f"{name}.svg").read_text(encoding="utf-8"))
    return ["".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text")]


def test_every_curve_has_a_row_of_its_family_and_sets_of_nets_come_last(tmp_path):
    laws = [
        law("fc/fast_linf", 1.0, 0.8, 1.2),
        law("fc/fgsm", 1.04, 0.76, 1.37),
        law("fc/step_ll", 2.5, 1.9, None, n_errors=178),
        law("cnn/step_ll", None, None, None, n_errors=None, remark="too few errors"),
        law("wide/step_ll", 2.4, 1.9, 3.3, remark="repairs more at small eps"),
        law("fc_shuffled/fgsm", 12.0, 9.0, 15.0, labels="shuffled"),
    ]
    one = {"set": "sampled", "attack": "fgsm", "n_errors": 78908, "exponent": 1.0, "exponent_low": 0.97}
    pooled = [
        {**one, "nets": nets, "share": share, "n_nets": 100, "exponent_high": 1.03}
        for nets in ("all", "fc")
        for share in (0.1, 0.05)
    ]
    tables = Tables({"laws/exponents": as_read(tmp_path, laws), "laws/pooled": as_read(tmp_path, pooled)})
    assert draw_all(tables, [], tmp_path / "a") == ["forest_exponents"]
    words = shown(tmp_path / "a", "forest_exponents")
    names = [word for word in words if "/" in word or "sampled: " in word]
    assert names == [  # those with a range of the paper first
        *("fc/fgsm", "fc/fast_linf", "fc/step_ll", "cnn/step_ll", "wide/step_ll", "fc_shuffled/fgsm"),
        *("sampled: 100 nets, FGSM", "sampled: 100 fully connected, FGSM"),
    ]
    for text in ("1.04 [0.76, 1.37]", "2.50 [1.90, ∞]", "12.00 [9.00, 15.00]", "too few errors", "78,908"):
        assert text in words
    assert "repairs more at small ε" in words
    assert "2.40 [1.90, 3.30]" not in words
    assert sum("attacks that" in word or "shuffled labels" in word for word in words) == 3
    draw_all(tables, [], tmp_path / "b")
    for kind in ("svg", "png"):
        first, again = (tmp_path / folder / f"forest_exponents.{kind}" for folder in "ab")
        assert first.read_bytes() == again.read_bytes()


def test_a_study_without_laws_or_without_nets_together_is_drawn_without_them(tmp_path):
    alone = as_read(tmp_path, [law("fc/fgsm", 1.04, 0.76, 1.37)])
    assert draw_all(Tables({"laws/exponents": alone}), [], tmp_path) == ["forest_exponents"]
    assert not any("sets of nets" in word for word in shown(tmp_path, "forest_exponents"))
