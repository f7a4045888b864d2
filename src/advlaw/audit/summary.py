"""What an audit prints of its results: exponents, and where there is none, why."""

from pathlib import Path

from advlaw.audit.params import MAX_ERROR, MIN_ERRORS
from advlaw.core.io import Row, read_csv

FEWEST_POINTS = 2  # of the grid, for an exponent of counts
NEEDED = round(MIN_ERRORS / MAX_ERROR)  # images classified as labelled, for a range that may hold an exponent


def print_summary(name: str, folder: Path) -> None:
    plots = folder / "plots" / name
    (model,) = read_csv(plots / "models.csv")
    print(f"\n{name}: clean accuracy {float(model['test_accuracy']):.4f}")
    points = read_csv(plots / "error_curves.csv")
    for row in read_csv(plots / "exponents.csv"):
        if row["is_reported"] == "true":
            curve = [point for point in points if point["curve"] == row["curve"]]
            lost = f"; {row['n_not_finite']} more images not judged" if row["n_not_finite"] != "0" else ""
            print(f"  {row['attack']:8} ({row['kind']} error)  {_exponent(row) or why_none(row, curve)}{lost}")
    print(f"tables and figures: {plots}; report: {plots / 'report.html'}")


def _exponent(row: Row) -> str:
    """Empty where there is none."""
    if not row["exponent"]:
        return ""
    interval = ""
    if row["exponent_low"]:  # there is none where most bootstrap samples have no range to fit
        interval = f" [{float(row['exponent_low']):.2f}, {float(row['exponent_high']):.2f}]"
    return f"B = {float(row['exponent']):.2f}{interval}"


def why_none(row: Row, curve: list[Row]) -> str:
    """Why a curve has no exponent, and what to do: `row` of exponents.csv, `curve` its rows of error_curves.csv.

    A range goes from the smallest eps with MIN_ERRORS net errors to where they exceed MAX_ERROR times clean accuracy.
    """
    n_images = int(row["n_images"])
    n_right = round(float(row["clean_accuracy"]) * n_images)
    eps = [float(point["grid_eps"]) for point in curve]
    errors = [round(float(point["net_error"]) * n_images) for point in curve]
    gross = max(round(float(point["gross_error"]) * n_images) for point in curve)
    most = max(errors)
    if gross == 0 and int(row["n_zero_gradient"] or 0) > n_images - n_right:
        return (
            f"no image becomes wrong: the gradient of {row['n_zero_gradient']} of {n_images} images is zero, which "
            "leaves the attack without a direction"
        )
    if gross == 0:
        return f"no image becomes wrong up to eps = {eps[-1]:g}: raise --eps-max"
    if most < MIN_ERRORS:
        return f"at most {most} net errors up to eps = {eps[-1]:g}, a range needs {MIN_ERRORS}: raise --eps-max"
    if errors[0] == n_right:
        return f"all {n_right} errors are below the first eps of the grid, {eps[0]:g}: lower --eps-min"
    if errors[0] > MAX_ERROR * n_right:
        return (
            f"{errors[0]} of {n_right} images are wrong at the first eps of the grid, {eps[0]:g}; a range ends "
            f"at {MAX_ERROR:.0%}: lower --eps-min"
        )
    if n_right < NEEDED:
        return f"{n_right} images are classified as labelled, a range needs {NEEDED}: give more images"
    if int(row["n_points"] or 0) < FEWEST_POINTS:
        few = f"fewer than {FEWEST_POINTS} eps of the grid have from {MIN_ERRORS} errors to {MAX_ERROR:.0%}"
        if errors[0] >= MIN_ERRORS:
            return f"{few}: lower --eps-min"
        return f"{few}: raise {'--eps-max' if most <= MAX_ERROR * n_right else '--count'}"
    return "errors do not grow with eps in the range, as a power law does: see error_curves.csv"
