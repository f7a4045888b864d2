"""What an audit says of its results: a cause is only named where the tables show it."""

import math
import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from advlaw.audit.command import _check_accuracy
from advlaw.audit.summary import print_summary, why_none
from advlaw.core.io import write_text
from advlaw.core.tables import write_frame, write_table

EPS = (0.5, 1.0, 2.0, 4.0)


def curve(errors: list[int], n_images: int = 200, gross: list[int] | None = None) -> pd.DataFrame:
    """Rows of error_curves.csv for counts of net errors, and of gross ones where they are others."""
    shares = {name: np.array(counts) / n_images for name, counts in (("net", errors), ("gross", gross or errors))}
    return pd.DataFrame({"curve": "a/a", "grid_eps": EPS, **{f"{name}_error": share for name, share in shares.items()}})


def row(n_right: int = 180, n_images: int = 200, n_points: int = 0, zero: int = 0) -> dict[str, Any]:
    counts = {"n_images": n_images, "n_points": n_points, "n_zero_gradient": zero, "n_not_finite": 0}
    return {"curve": "a/a", "kind": "gross", "exponent": math.nan, "clean_accuracy": n_right / n_images, **counts}


@pytest.mark.parametrize(
    ("errors", "changes", "message"),
    [
        ([180] * 4, {}, "all 180 errors are below the first eps of the grid, 0.5: lower --eps-min"),
        ([60, 90, 150, 180], {}, "60 of 180 images are wrong at the first eps of the grid, 0.5; .*: lower --eps-min"),
        ([0] * 4, {}, "no image becomes wrong up to eps = 4: raise --eps-max"),
        ([0] * 4, {"zero": 150}, "no image becomes wrong: the gradient of 150 of 200 images is zero"),
        ([0] * 4, {"zero": 20}, "no image becomes wrong up to eps = 4: raise --eps-max"),  # 20 are wrong when clean
        ([0, 0, 1, 4], {}, "at most 4 net errors up to eps = 4, a range needs 5: raise --eps-max"),
        ([0, 2, 90, 180], {}, "fewer than 2 eps of the grid have from 5 errors to 20%: raise --count"),
        ([0, 2, 20, 180], {"n_points": 1}, "fewer than 2 eps .*: raise --count"),
        ([9, 70, 90, 180], {"n_points": 1}, "fewer than 2 eps .*: lower --eps-min"),
        ([0, 0, 0, 9], {"n_points": 1}, "fewer than 2 eps .*: raise --eps-max"),
        ([5, 9, 9, 9], {"n_points": 4}, "errors do not grow with eps in the range"),
        ([0, 2, 6, 20], {"n_right": 20}, "20 images are classified as labelled, a range needs 25: give more images"),
        ([20] * 4, {"n_right": 20}, "all 20 errors are below the first eps"),
    ],
)
def test_why_there_is_no_exponent(errors, changes, message):
    assert re.match(message, why_none(row(**changes), curve(errors)))


def test_repairs_do_not_hide_that_images_become_wrong():
    found = why_none(row(), curve([0, -2, 0, 1], gross=[0, 3, 9, 12]))
    assert found == "at most 1 net errors up to eps = 4, a range needs 5: raise --eps-max"


def test_exponents_are_shown_with_the_interval_they_have(tmp_path, capsys):
    plots = tmp_path / "plots/net"
    write_text(plots / "models.csv", "test_accuracy\n0.55\n")
    write_frame(plots / "error_curves.csv", curve([180] * 4))
    numbers = {"curve": "a/a", "kind": "gross", "n_points": 0}
    exponents = [
        {**numbers, "curve": attack, "is_reported": True, "exponent": b, "exponent_low": low, "exponent_high": high}
        for attack, b, low, high in (("fgsm", 1.1, None, None), ("l2", 1.0, 0.9, 1.2), ("a/a", None, None, None))
    ]
    write_table(plots / "exponents.csv", [*exponents, {**exponents[0], "is_reported": False}])
    about = {name: value for name, value in row().items() if name not in numbers}
    del about["exponent"]
    lost = {"fgsm": 0, "l2": 3, "a/a": 0}
    curves = [{**about, "curve": name, "attack": name, "n_not_finite": n} for name, n in lost.items()]
    write_table(plots / "curves.csv", curves)
    print_summary("net", tmp_path)
    _, clean, *shown, where = capsys.readouterr().out.splitlines()
    assert clean == "net: clean accuracy 0.5500"
    assert [line.split(")", 1)[1].strip() for line in shown] == [
        "B = 1.10",
        "B = 1.00 [0.90, 1.20]; 3 more images not judged",
        "all 180 errors are below the first eps of the grid, 0.5: lower --eps-min",
    ]
    assert str(plots / "report.html") in where


def settings(tmp_path, model="mine:net", weights=None, is_folder=True):
    data = tmp_path if is_folder else tmp_path / "d.npz"
    if not is_folder:
        data.touch()
    return SimpleNamespace(model=model, weights=weights, data=data)


def test_an_accuracy_of_chance_blames_what_the_model_was_trained_with(tmp_path):
    weights = r"--weights \(none were given\)"
    for given, message in (
        (settings(tmp_path), rf"^4 of 40 .* by chance; compare {weights}, --classes .* --resize with how"),
        (settings(tmp_path, weights="w"), r"chance; compare --classes \(the order of classes\), --mean, --std, --size"),
        (settings(tmp_path, model="a.pt2"), r"chance; compare --classes"),
        (settings(tmp_path, is_folder=False), rf"chance; compare {weights}, the labels, --mean and --std with how"),
    ):
        with pytest.raises(ValueError, match=message):
            _check_accuracy(given, 0.1, 40, 10)


def test_few_images_of_a_model_better_than_chance_ask_for_more(tmp_path, capsys):
    with pytest.raises(ValueError, match=r"^9 of 30 .*; an exponent needs 25 of them: give 84 images, or"):
        _check_accuracy(settings(tmp_path), 0.3, 30, 100)
    _check_accuracy(settings(tmp_path), 0.5, 40, 100)
    assert capsys.readouterr().out.startswith("20 of 40 images are classified as labelled, and only they can be made")
    _check_accuracy(settings(tmp_path), 0.9, 40, 100)
    assert capsys.readouterr().out == ""
