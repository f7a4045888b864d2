"""What an audit says of its results: a cause is only named where the tables show it."""

import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from advlaw.audit.command import warn_of_accuracy
from advlaw.audit.estimate import of_sweeps, of_theory, told
from advlaw.audit.params import audit_params
from advlaw.audit.summary import FEWEST, FEWEST_REPAIRED, REASONS, WIDEST, print_summary, why_none
from advlaw.core.io import write_text
from advlaw.core.tables import write_frame, write_table
from advlaw.fitting import signs, small_eps
from advlaw.tables import laws

EPS = (0.5, 1.0, 2.0, 4.0)


def curve(errors: list[int], n_images: int = 1000, gross: list[int] | None = None) -> pd.DataFrame:
    """Rows of error_curves.csv for counts of net errors, and of gross ones where they are others."""
    shares = {name: np.array(counts) / n_images for name, counts in (("net", errors), ("gross", gross or errors))}
    return pd.DataFrame({"curve": "a/a", "grid_eps": EPS, **{f"{name}_error": share for name, share in shares.items()}})


def row(n_right: int = 900, n_images: int = 1000, zero: int = 0, **more: str) -> dict[str, Any]:
    counts = {"n_images": n_images, "n_zero_gradient": zero, "n_not_finite": 0}
    about = {"curve": "a/a", "kind": "gross", "remark": "too few errors", "clean_accuracy": n_right / n_images}
    return about | counts | more


@pytest.mark.parametrize(
    ("errors", "changes", "message"),
    [
        (
            [200, 400, 600, 900],
            {},
            "200 of 900 images are wrong at the first eps of the grid, 0.5; .*: lower --eps-min",
        ),
        ([0] * 4, {}, "no image becomes wrong up to eps = 4: raise --eps-max"),
        ([0] * 4, {"zero": 750}, "no image becomes wrong: the gradient is zero for 750 of 1000 images"),
        ([0] * 4, {"zero": 20}, "no image becomes wrong up to eps = 4: raise --eps-max"),  # they are wrong when clean
        ([0, 0, 0, 1], {}, "at most 1 error up to eps = 4; a law needs 40: raise --eps-max"),
        ([0, 0, 1, 39], {}, "at most 39 errors up to eps = 4; a law needs 40: raise --eps-max"),
        ([0, 2, 39, 180], {}, "too few eps of the grid have between one error and 10%: raise --count"),
        ([0, 0, 40, 41], {}, "errors grow at too few eps of the grid up to 4: raise --eps-max"),
        ([9, 20, 30, 60], {"n_right": 300}, "300 images .* needs 40 errors in a tenth of them: give 1334 images"),
        (
            [9, 20, 30, 60],
            {"n_right": 150},
            "150 of 1000 images are classified as labelled, about chance for 10 classes; the labels, the order of",
        ),
        (
            [9, 20, 30, 60],
            {"remark": "the fit is rejected"},
            "errors do not follow a power law as eps -> 0, in any range",
        ),
    ],
)
def test_why_there_is_no_law(errors, changes, message):
    assert re.match(message, why_none(row(**changes), curve(errors), 10))


def test_eps_in_shares_of_255_is_told_from_a_grid_that_ends_early():
    early = curve([0] * 4).assign(grid_eps=np.array(EPS) / 128)
    assert why_none(row(), early, 10) == (
        "no image becomes wrong up to eps = 0.03125: raise --eps-max; eps is in pixel units [0, 255]: 8/255 is 8"
    )


def test_why_net_errors_have_no_law():
    few = curve([0, 20, 80, 200], gross=[0, 22, 84, 230])
    assert why_none(row(kind="net"), few, 10) == (
        "4 images are repaired up to 10% net errors; the odds that a change breaks an image need 10 or none: "
        "give 2500 images"
    )
    assert why_none(row(kind="net", remark="repairs more at small eps"), few, 10).startswith(
        "at small eps the attack rep"
    )
    assert why_none(row(kind="net", remark="breaks more at small eps"), few, 10).startswith(
        "at small eps the attack breaks"
    )
    one = why_none(row(kind="net"), curve([0, 20, 80, 200], gross=[0, 21, 81, 230]), 10)
    assert one.startswith("1 image is repaired up to 10% net errors; ")
    lost = curve([-80, 10, 50, 200], gross=[0, 30, 70, 260])
    assert why_none(row(kind="net"), lost, 10).startswith("too few eps of the grid")
    beyond = why_none(row(), curve([-20, -20, 0, 1], gross=[0, 3, 9, 12]), 10)
    assert beyond == "at most 12 errors up to eps = 4; a law needs 40: raise --eps-max"


def test_an_audit_says_as_much_as_a_law_needs():
    """The numbers that the estimators take."""
    assert (small_eps.FEWEST, signs.FEWEST, laws.GROSS_SHARES[0]) == (FEWEST, FEWEST_REPAIRED, WIDEST)
    remarks = {laws.FEW, laws.UNFIT, laws.REPAIRS, laws.BREAKS, laws.UNTESTED, laws.ENDLESS, laws.LOOSE}
    assert remarks == {"too few errors", *REASONS}


def test_exponents_are_shown_as_laws_and_as_printed(tmp_path, capsys):
    plots = tmp_path / "plots/net"
    write_text(plots / "models.csv", "test_accuracy\n0.55\n")
    write_frame(plots / "error_curves.csv", curve([0] * 4))
    found = {  # of each attack its exponent as eps -> 0, by least squares, and how many images are lost
        "fgsm": ((1.1, 0.9, None), (1.2, None, None), 0),
        "l2": ((1.0, 0.9, 1.2), (1.3, 1.0, 1.6), 3),
        "a/a": ((None, None, None), (None, None, None), 0),
    }
    names = ("exponent", "exponent_low", "exponent_high")
    kinds = {"kind": "net", "estimator": "least_squares"}
    lines = [{"curve": name, **kinds, **dict(zip(names, line, strict=True))} for name, (_, line, _) in found.items()]
    write_table(plots / "exponents.csv", [*lines, {**lines[0], "kind": "gross"}])
    rows = [
        {"curve": name, "kind": "gross", "remark": "" if law[0] else "too few errors", "n_errors": 52}
        | dict(zip(names, law, strict=True))
        for name, (law, _, _) in found.items()
    ]
    write_table(plots / "laws/exponents.csv", rows)
    about = {name: value for name, value in row().items() if name not in ("curve", "kind", "remark")}
    curves = [{**about, "curve": name, "attack": name, "n_not_finite": lost} for name, (_, _, lost) in found.items()]
    write_table(plots / "curves.csv", curves)
    print_summary("net", tmp_path, 10)
    _, clean, *shown, where = capsys.readouterr().out.splitlines()
    assert clean == "net: clean accuracy 0.5500"
    assert [line.split(")", 1)[1].strip() for line in shown] == [
        "B = 1.10 [0.90, inf] as eps -> 0, from 52 errors; as printed, by least squares, 1.20",
        "B = 1.00 [0.90, 1.20] as eps -> 0, from 52 errors; as printed, by least squares, 1.30 [1.00, 1.60]; "
        "3 images not judged (not finite)",
        "no image becomes wrong up to eps = 4: raise --eps-max",
    ]
    assert str(plots / "report.html") in where


def settings(tmp_path, model="mine:net", weights=None, is_folder=True):
    data = tmp_path if is_folder else tmp_path / "d.npz"
    if not is_folder:
        data.touch()
    return SimpleNamespace(model=model, weights=weights, data=data)


def test_an_accuracy_of_chance_blames_what_the_model_was_trained_with(tmp_path):
    weights = r"--weights \(none given\)"
    for given, message in (
        (settings(tmp_path), rf"^4 of 40 .* about chance for 10 classes; .*: check {weights}, --classes .* --resize"),
        (settings(tmp_path, weights="w"), r"match the model: check --classes \(the order of classes\), --mean, --std"),
        (settings(tmp_path, model="a.pt2"), r"match the model: check --classes"),
        (settings(tmp_path, is_folder=False), rf"model: check {weights}, the labels, --mean and --std against"),
    ):
        with pytest.raises(ValueError, match=message):
            warn_of_accuracy(given, 0.1, 40, 10)


def test_few_images_of_a_model_better_than_chance_ask_for_more(tmp_path, capsys):
    with pytest.raises(ValueError, match=r"^9 of 30 .*; an exponent needs 25 of them: give 84 images or"):
        warn_of_accuracy(settings(tmp_path), 0.3, 30, 100)
    warn_of_accuracy(settings(tmp_path), 0.5, 40, 100)
    assert capsys.readouterr().out.startswith("20 of 40 images are classified as labelled, and only these can become")
    warn_of_accuracy(settings(tmp_path), 0.9, 40, 100)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("n_right", "n_images", "n_classes", "is_chance"),
    [
        (99, 1097, 10, True),  # of labels in another order
        (165, 1097, 10, True),  # of a net that has learned nothing
        (260, 1097, 10, False),
        (540, 1000, 2, True),
        (600, 1000, 2, False),
        (30, 1000, 100, False),
        (60, 50_000, 1000, True),
        (200, 50_000, 1000, False),
        (5000, 50_000, 10, True),  # however many are right
    ],
)
def test_an_accuracy_about_chance_is_told_whatever_the_number_of_images(
    tmp_path, capsys, n_right, n_images, n_classes, is_chance
):
    warn_of_accuracy(settings(tmp_path), n_right / n_images, n_images, n_classes)
    said = f"warning: {n_right} of {n_images} images are classified as labelled, about chance for {n_classes} classes; "
    assert capsys.readouterr().out.startswith(said) == is_chance


def test_how_long_a_part_takes_follows_from_what_was_measured():
    """Of 1,000 images: 2 sweeps of 24 eps, PGD of 10 steps; then 3 attacks on 200 images, and 25 of them followed."""
    params = audit_params("net", {}, {"count": 24}, 10, (1000, 3, 32, 32), {})
    one = {"forward": 0.001, "gradient": 0.002, "workers": 2}
    begun = of_sweeps(one, params, [], 1000)
    few = of_sweeps(one, params, ["l2", "step_ll"], 1000) - begun
    assert few == pytest.approx(8 + 1000 * 2 * (0.002 + 35 * 0.001) / 2)
    pgd = of_sweeps(one, params, ["l2", "step_ll", "pgd"], 1000) - begun - few
    assert pgd == pytest.approx(1000 * 24 * (10 * 0.002 + 0.001) / 2)
    exact = {"response": 0.007, "exact_forward": 0.006, "exact_response": 0.03}
    alone = of_theory({**dict.fromkeys(one, 0.0), **dict.fromkeys(exact, 0.0)}, params, 1000)
    theory = of_theory({**one, **exact}, params, 1000) - alone
    assert theory == pytest.approx(1 + 3 * 200 * (0.004 + 0.007 + 31 * 0.001) + 25 * (0.03 + 50 * 0.006))
    assert [told(seconds) for seconds in (3, 41, 95, 3599)] == ["10 seconds", "50 seconds", "2 minutes", "60 minutes"]
