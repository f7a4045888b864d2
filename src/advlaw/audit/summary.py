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
ABOVE = 0.1  # of the way from chance to all images: an accuracy below is about chance, as is one below twice chance
SMALL_EPS = 0.1  # an eps_max below was meant in shares of 255, if no image becomes wrong
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
    """A warning where the accuracy is about chance, else empty; ValueError for too few images that can become wrong.

    `doubtful`: the arguments that may not be those of the model.
    """
    n_right = round(accuracy * n_images)
    chance = about_chance(n_right, n_images, n_classes)
    chance = chance and f"{chance}: check {doubtful} against the model's training"
    if n_right >= FEWEST_RIGHT:
        return chance
    if chance:
        raise ValueError(chance)
    raise ValueError(
        f"{right(n_right, n_images)}; an exponent needs {NEEDED} of them: give {math.ceil(NEEDED / accuracy)} images "
        f"or, if the model should do better, check {doubtful} against its training"
    )


def right(n_right: int, n_images: int) -> str:
    return f"{n_right} of {n_images} images are classified as labelled, and only these can become wrong"


def about_chance(n_right: int, n_images: int, n_classes: int) -> str:
    """That the accuracy is about chance, and what may be the cause; empty where it is clearly above."""
    chance = 1 / n_classes
    is_more = binom.sf(n_right - 1, n_images, chance) <= CHANCE
    if is_more and n_right >= min(2 * chance, chance + ABOVE * (1 - chance)) * n_images:
        return ""
    return (
        f"{n_right} of {n_images} images are classified as labelled, about chance for {n_classes} classes; the labels, "
        "the order of classes or the normalisation may not match the model"
    )


def print_summary(name: str, folder: Path, n_classes: int) -> None:
    plots = folder / "plots" / name
    tables = read_tables(plots, "models", "error_curves", "exponents", "laws/exponents")
    (model,) = records(tables.rows("models"))
    print(f"\n{name}: clean accuracy {model['test_accuracy']:.4f}")
    for row in records(tables.rows("laws/exponents")):
        found = _exponent(row) or why_none(row, tables.rows("error_curves", curve=row["curve"]), n_classes)
        own = {"curve": row["curve"], "kind": "net", "estimator": "least_squares"}
        (line,) = records(tables.rows("exponents", **own))
        printed = "" if math.isnan(line["exponent"]) else f"; as printed, by least squares, {interval(line)}"
        lost = f"; {counted(row['n_not_finite'], 'image')} not judged (not finite)" if row["n_not_finite"] > 0 else ""
        print(f"  {row['attack']:8} ({row['kind']} error)  {found}{printed}{lost}")
    print(f"tables and figures: {plots}; report: {plots / 'report.html'}", flush=True)


def print_theory(name: str, folder: Path, n_images: int) -> None:
    """How well linear response tells which images become wrong first, of those that were followed."""
    plots = folder / "plots" / name
    rows = records(read_tables(plots, "theory/predictions").rows("theory/predictions"))
    found = ", ".join(f"{row['attack']} {row['spearman_linear']:.2f}" for row in rows)
    n_followed = rows[0]["n_images"] + rows[0]["n_not_finite"]
    which = f"the first {n_followed} of {n_images} images" if n_followed < n_images else f"all {n_images} images"
    print(f"theory, of {which}: rank correlation of predicted with measured thresholds {found}")
    print(f"tables, figures and the report hold it now: {plots / 'report.html'}")


def _exponent(row: Cells) -> str:
    """Empty where there is no law."""
    if row["remark"]:
        return ""
    return f"B = {interval(row).replace('∞', 'inf')} as eps -> 0, from {row['n_errors']:.0f} errors"


def counted(count: float, what: str) -> str:
    """`1 image`, `2 images`."""
    return f"{count:.0f} {what}{'s' * (count != 1)}"


def why_none(row: Cells, curve: pd.DataFrame, n_classes: int, called: Mapping[str, str] = COMMAND) -> str:
    """Why a curve has no law, and what to do: `row` of laws/exponents.csv, `curve` its rows of error_curves.csv.

    `n_classes` of the model; `called`: what a person calls the grid's ends and count, and where laws and ranges are
    seen.

    A law needs FEWEST errors before a tenth of the images right when clean is wrong, and where an attack does not know
    the label FEWEST_REPAIRED images repaired until then, or none.
    """
    if row["remark"] in REASONS:
        return REASONS[row["remark"]].format(**called)
    n_images, accuracy = round(row["n_images"]), row["clean_accuracy"]
    n_right, eps = round(accuracy * n_images), curve["grid_eps"].tolist()
    gross, net = ([round(error * n_images) for error in curve[f"{kind}_error"].tolist()] for kind in ("gross", "net"))
    most = max(gross)
    higher = f"raise {called['eps_max']}"
    if eps[-1] < SMALL_EPS:
        higher += "; eps is in pixel units [0, 255]: 8/255 is 8"
    if most == 0 and row["n_zero_gradient"] > n_images - n_right:
        return (
            f"no image becomes wrong: the gradient is zero for {row['n_zero_gradient']:.0f} of {n_images} images, "
            "where the attack has no direction"
        )
    if most == 0:
        return f"no image becomes wrong up to eps = {eps[-1]:g}: {higher}"
    if WIDEST * n_right < FEWEST:
        if chance := about_chance(n_right, n_images, n_classes):
            return chance
        return (
            f"{n_right} images are classified as labelled, and a law needs {FEWEST} errors in a tenth of them: give "
            f"{math.ceil(FEWEST / (WIDEST * accuracy))} images"
        )
    if most < FEWEST:
        return f"at most {counted(most, 'error')} up to eps = {eps[-1]:g}; a law needs {FEWEST}: {higher}"
    if gross[0] > WIDEST * n_right:
        return (
            f"{gross[0]} of {n_right} images are wrong at the first eps of the grid, {eps[0]:g}; a law is fitted "
            f"up to {WIDEST:.0%}: lower {called['eps_min']}"
        )
    errors = net if row["kind"] == "net" else gross
    inside = sum(count <= WIDEST * n_right for count in errors)
    repaired = max((wrong - left for wrong, left in zip(gross[:inside], net[:inside], strict=True)), default=0)
    if row["kind"] == "net" and 0 < repaired < FEWEST_REPAIRED:
        some = f"{counted(repaired, 'image')} {'is' if repaired == 1 else 'are'}"
        return (
            f"{some} repaired up to {WIDEST:.0%} net errors; the odds that a change breaks an image "
            f"need {FEWEST_REPAIRED} or none: give {math.ceil(n_images * FEWEST_REPAIRED / repaired)} images"
        )
    if inside == len(eps):
        return f"errors grow at too few eps of the grid up to {eps[-1]:g}: {higher}"
    return f"too few eps of the grid have between one error and {WIDEST:.0%}: raise {called['count']}"
