"""What an audit prints of its results: exponents as eps -> 0 and as printed, and where there is no law, why."""

import math
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from scipy.stats import binom

from advlaw.audit.params import MAX_ERROR, MIN_ERRORS
from advlaw.core.io import Cells
from advlaw.core.tables import read_tables, records
from advlaw.core.words import interval

FEWEST_IMAGES, FEWEST_RIGHT = 20, 10
CHANCE = 0.001  # the probability below which an accuracy is more than chance
NEEDED = round(MIN_ERRORS / MAX_ERROR)  # images classified as labelled, for a line through the papers' points
WIDEST = 0.1  # of the images right when clean: where the range of a law ends, at the latest
FEWEST = 40  # errors in it, for a law
FEWEST_REPAIRED = 10  # images, for the odds that a change breaks one
COMMAND = {name: f"--{name.replace('_', '-')}" for name in ("eps_min", "eps_max", "count")} | {
    "laws": "laws/exponents.csv",
    "ranges": "laws/ranges.csv",
}
REASONS = {  # by the remark in laws/exponents
    "too few points of the grid": "too few eps have errors up to a tenth, so a fit cannot be tested: raise {count}",
    "no end of its interval": "errors are too few, or grow too steeply, to bound the exponent: see {laws}",
    "hangs on the prior": "the data do not tell the exponent from the bend of the curve: see {laws}",
    "the fit is rejected": "errors do not follow a power law as eps -> 0, in any range: see {ranges}",
    "repairs more at small eps": "at small eps the attack repairs more images than it breaks: net errors have no law",
    "breaks more at small eps": "at small eps the attack breaks more images than it repairs: net errors have no law of "
    "their own",
}


def check_number(n_images: int, given: str) -> None:
    """ValueError for fewer images than any exponent can be had from; `given` names them."""
    if n_images < FEWEST_IMAGES:
        raise ValueError(f"{given}: an exponent needs at least {FEWEST_IMAGES} images, better 1,000")


def check_accuracy(accuracy: float, n_images: int, n_classes: int, doubtful: str) -> str:
    """How many images can be made wrong, in words; ValueError for too few: the model or their number is to blame.

    `doubtful`: the arguments that may not be those of the model.
    """
    n_right = round(accuracy * n_images)
    found = f"{n_right} of {n_images} images are classified as labelled, and only these can become wrong"
    is_chance = binom.sf(n_right - 1, n_images, 1 / n_classes) > CHANCE
    if n_right < FEWEST_RIGHT and is_chance:
        raise ValueError(f"{found}: no more than by chance; check {doubtful} against the model's training")
    if n_right < FEWEST_RIGHT:
        raise ValueError(
            f"{found}; an exponent needs {NEEDED} of them: give {math.ceil(NEEDED / accuracy)} images or, if the model "
            f"should do better, check {doubtful} against its training"
        )
    return found


def print_summary(name: str, folder: Path) -> None:
    plots = folder / "plots" / name
    tables = read_tables(plots, "models", "error_curves", "exponents", "laws/exponents")
    (model,) = records(tables.rows("models"))
    print(f"\n{name}: clean accuracy {model['test_accuracy']:.4f}")
    for row in records(tables.rows("laws/exponents")):
        found = _exponent(row) or why_none(row, tables.rows("error_curves", curve=row["curve"]))
        own = {"curve": row["curve"], "kind": "net", "estimator": "least_squares"}
        (line,) = records(tables.rows("exponents", **own))
        printed = "" if math.isnan(line["exponent"]) else f"; as printed, by least squares, {interval(line)}"
        lost = f"; {row['n_not_finite']:.0f} images not judged (not finite)" if row["n_not_finite"] > 0 else ""
        print(f"  {row['attack']:8} ({row['kind']} error)  {found}{printed}{lost}")
    print(f"tables and figures: {plots}; report: {plots / 'report.html'}")


def _exponent(row: Cells) -> str:
    """Empty where there is no law."""
    if row["remark"]:
        return ""
    return f"B = {interval(row).replace('∞', 'inf')} as eps -> 0, from {row['n_errors']:.0f} errors"


def why_none(row: Cells, curve: pd.DataFrame, called: Mapping[str, str] = COMMAND) -> str:
    """Why a curve has no law, and what to do: `row` of laws/exponents.csv, `curve` its rows of error_curves.csv.

    `called`: what a person calls the grid's ends and count, and where laws and ranges are seen.

    A law needs FEWEST errors before a tenth of the images right when clean is wrong, and where an attack does not know
    the label FEWEST_REPAIRED images repaired until then, or none.
    """
    if row["remark"] in REASONS:
        return REASONS[row["remark"]].format(**called)
    n_images, accuracy = row["n_images"], row["clean_accuracy"]
    n_right, eps = round(accuracy * n_images), curve["grid_eps"].tolist()
    gross, net = ([round(error * n_images) for error in curve[f"{kind}_error"].tolist()] for kind in ("gross", "net"))
    most = max(gross)
    if most == 0 and row["n_zero_gradient"] > n_images - n_right:
        return (
            f"no image becomes wrong: the gradient is zero for {row['n_zero_gradient']:.0f} of {n_images} images, "
            "where the attack has no direction"
        )
    if most == 0:
        return f"no image becomes wrong up to eps = {eps[-1]:g}: raise {called['eps_max']}"
    if WIDEST * n_right < FEWEST:
        return (
            f"{n_right} images are classified as labelled, and a law needs {FEWEST} errors in a tenth of them: give "
            f"{math.ceil(FEWEST / (WIDEST * accuracy))} images"
        )
    if most < FEWEST:
        return f"at most {most} errors up to eps = {eps[-1]:g}; a law needs {FEWEST}: raise {called['eps_max']}"
    if gross[0] > WIDEST * n_right:
        return (
            f"{gross[0]} of {n_right} images are wrong at the first eps of the grid, {eps[0]:g}; a law is fitted "
            f"up to {WIDEST:.0%}: lower {called['eps_min']}"
        )
    counted = net if row["kind"] == "net" else gross
    inside = sum(errors <= WIDEST * n_right for errors in counted)
    repaired = max((wrong - left for wrong, left in zip(gross[:inside], net[:inside], strict=True)), default=0)
    if row["kind"] == "net" and 0 < repaired < FEWEST_REPAIRED:
        return (
            f"{repaired} images are repaired up to {WIDEST:.0%} net errors; the odds that a change breaks an image "
            f"need {FEWEST_REPAIRED} or none: give {math.ceil(n_images * FEWEST_REPAIRED / repaired)} images"
        )
    if inside == len(eps):
        return f"errors grow at too few eps of the grid up to {eps[-1]:g}: raise {called['eps_max']}"
    return f"too few eps of the grid have between one error and {WIDEST:.0%}: raise {called['count']}"
