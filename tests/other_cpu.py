"""Other numbers of the same study, as another CPU's rounding gives them, written over the tables of a clone.

    git clone . ../other && PYTHONPATH=src python tests/other_cpu.py ../other
rewrites every table under plots/<study>/ that comes from nets, then lets the clone's own pipeline judge, draw and
report them (its studies' `claims`, `figures` and `report`, and `summary`). No net is trained, nothing is committed.

- Every continuous number is moved by about one millionth of itself. How far follows from the seed and the number as it
  is written, so that a number which stands in two tables stays one number, and an interval keeps its estimate.
- For a few nets one test image more is right when clean: accuracies rise by one image, and errors where it is broken.
- On a few curves one image falls one grid point earlier: the errors there rise by one image, and their intervals too.
"""

import hashlib
import itertools
import os
import subprocess
import sys
from pathlib import Path
from statistics import NormalDist

from raw_csv import Row, read_csv, write_csv

NOISE = 1e-6  # relative, standard deviation
IMAGES_MOVED = 0.2  # share of nets, and of curves, that have one image's outcome changed
CONTINUOUS = {  # columns of numbers that no rounding leaves alone; table "" means every table
    "": "train_loss chi2_p_value r_squared logit residual slope intercept floor pole speed speed_error spread "
    "gamma_1 gamma_2 closing_speed gap_median median_error error_90 gradient_l1 gradient_l2 gap_0.01 gap_0.1 gap_0.5 "
    "gap_0.9 median_half_width",
    "logit_gap_distribution": "gap",
    "local_slopes": "slope low high",
    "theory/gap_exponents": "largest_gap",
    "theory/ties": "gap",
    "theory/followed": "linear",
}
WITH_ENDS = "exponent amplitude gross_exponent gross_amplitude net_exponent net_amplitude net_ls_exponent "
WITH_ENDS += "net_ls_amplitude gap_exponent_0.01 gap_exponent_0.1"
QUANTILES = [f"quantile_{share:g}" for share in (0.05, 0.25, 0.5, 0.75, 0.95)]
ERRORS = ("gross_error", "gross_low", "gross_high", "net_error", "net_low", "net_high")
TOLD = ("claims", "claim_parts")  # follow from the others
NOT_OF_NETS = ("figures/", "provenance/", "order_statistics/", "theory/ideal")


def rewrite(folder: Path, seed: int = 0, study: str = "*") -> list[Path]:
    """Give the tables of a clone slightly other numbers, of every study or of one; the files changed."""
    changed = []
    for models in sorted(folder.glob(f"plots/{study}/models.csv")):
        plots = models.parent
        files = {path.relative_to(plots).with_suffix("").as_posix(): path for path in sorted(plots.rglob("*.csv"))}
        names = [name for name in files if name not in TOLD and not name.startswith(NOT_OF_NETS)]
        tables = {name: read_csv(files[name]) for name in names}
        _gain_an_image(tables, seed)
        _fall_earlier(tables, seed)
        for name, rows in tables.items():
            before = files[name].read_bytes()
            write_csv(files[name], list(rows[0]) if rows else _header(before), _with_noise(name, rows, seed))
            if files[name].read_bytes() != before:
                changed.append(files[name])
    return changed


def retell(folder: Path) -> None:
    """Judge, draw and report what the tables of a clone now say; its dvc.lock files follow."""
    stages = [f"{pipeline}:{stage}" for pipeline in _pipelines(folder) for stage in ("claims", "figures", "report")]
    stages += [f"summary/dvc.yaml:{stage}" for stage in ("claims", "report")]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {"PATH": path}
    subprocess.run(["dvc", "repro", "--single-item", *stages], cwd=folder, env=environment, check=True)


def _pipelines(folder: Path) -> list[str]:
    locks = [folder / "dvc.lock", *sorted(folder.glob("studies/*/dvc.lock"))]
    return [lock.with_suffix(".yaml").relative_to(folder).as_posix() for lock in locks if lock.exists()]


def _header(text: bytes) -> list[str]:
    return text.decode("utf-8").splitlines()[0].split(",")


def _uniform(seed: int, *names: str) -> float:
    """A number between 0 and 1 that depends on the seed and the names alone."""
    digest = hashlib.sha256("\x1f".join((str(seed), *names)).encode()).digest()
    return (int.from_bytes(digest[:8], "big") + 0.5) / 2**64


def _with_noise(name: str, rows: list[Row], seed: int) -> list[Row]:
    columns = {*CONTINUOUS[""].split(), *CONTINUOUS.get(name, "").split(), *QUANTILES}
    columns |= {column + end for column in WITH_ENDS.split() for end in ("", "_low", "_high")}
    return [{column: _noisy(cell, seed) if column in columns else cell for column, cell in row.items()} for row in rows]


def _noisy(cell: str, seed: int) -> str:
    if not cell or float(cell) == 0:
        return cell
    moved = float(cell) * (1 + NOISE * NormalDist().inv_cdf(_uniform(seed, cell)))
    return f"{moved:.7g}"


def _plus(cell: str, images: int, n_images: int) -> str:
    """A share of the images, some more of them; whole counts stay whole, which seven digits alone would not."""
    count = float(cell) * n_images
    nearest = round(count)
    return f"{((nearest if abs(count - nearest) < 1e-2 else count) + images) / n_images:.7g}"


def _gain_an_image(tables: dict[str, list[Row]], seed: int) -> None:
    """One test image more is right when clean, until about half of them are broken."""
    for model in tables["models"]:
        name = model["model"]

        def is_its(row: Row, name: str = name) -> bool:
            return (row["model"], row["split"], row["snapshot"]) == (name, "test", "")

        curves = [row for row in tables["curves"] if is_its(row)]
        named = {row["curve"] for row in curves}
        if not curves or float(model["test_accuracy"]) == 1 or _uniform(seed, "clean", name) > IMAGES_MOVED:
            continue
        old, n_images = model["test_accuracy"], int(curves[0]["n_images"])
        _add_image([model], "test_accuracy", n_images)
        _add_image(curves, "clean_accuracy", n_images)
        points = [row for row in tables["error_curves"] if row["curve"] in named]
        broken = _points_where_it_is_broken(points, 0.5 * float(old))
        _add_image([row for row in points if _point(row) not in broken], "accuracy", n_images)
        for column in ERRORS:
            _add_image([row for row in points if _point(row) in broken], column, n_images)
        for row in tables["logit_gaps"]:
            if is_its(row):
                row["n_right"] = str(int(row["n_right"]) + 1)
        for table in ("theory/gap_densities", "theory/gap_exponents", "theory/label_blind"):
            column = "clean_accuracy" if table == "theory/label_blind" else "test_accuracy"
            its = [row for row in tables.get(table, []) if row["net"] == name and row[column] == old]
            _add_image(its, column, n_images)


def _points_where_it_is_broken(points: list[Row], accuracy: float) -> set[tuple[str, str]]:
    """The points of every curve from the first one on at which fewer images are right."""
    broken: set[tuple[str, str]] = set()
    seen: set[str] = set()
    for row in points:
        if row["curve"] in seen or float(row["accuracy"]) < accuracy:
            seen.add(row["curve"])
            broken.add(_point(row))
    return broken


def _point(row: Row) -> tuple[str, str]:
    return row["curve"], row["grid_eps"]


def _add_image(rows: list[Row], column: str, n_images: int) -> None:
    for row in rows:
        row[column] = _plus(row[column], 1, n_images)


def _fall_earlier(tables: dict[str, list[Row]], seed: int) -> None:
    """At one grid point of a curve one image more is wrong; gross errors still rise with eps."""
    n_images = {row["curve"]: int(row["n_images"]) for row in tables["curves"]}
    by_curve: dict[str, list[Row]] = {}
    for row in tables["error_curves"]:
        by_curve.setdefault(row["curve"], []).append(row)
    moved: set[tuple[str, str]] = set()
    for curve, rows in by_curve.items():
        pairs = itertools.pairwise(rows)
        places = [row["grid_eps"] for row, following in pairs if _has_room(row, following, n_images[curve])]
        if places and _uniform(seed, "curve", curve) <= IMAGES_MOVED:
            moved.add((curve, places[int(_uniform(seed, "place", curve) * len(places))]))
    for row in tables["error_curves"]:
        if _point(row) in moved:
            n = n_images[row["curve"]]
            row["accuracy"] = _plus(row["accuracy"], -1, n)
            for column in ERRORS:
                row[column] = _plus(row[column], 1, n)


def _has_room(row: Row, following: Row, n_images: int) -> bool:
    """Whether a point has errors already, and one more would not pass the next point's."""
    low = min(float(row["gross_low"]), float(row["net_low"]))
    rise = float(following["gross_error"]) - float(row["gross_error"])
    return low > 0 and rise * n_images > 0.5 and float(row["accuracy"]) > 0.5


if __name__ == "__main__":
    if len(sys.argv) != 2 or not (Path(sys.argv[1]) / "plots").is_dir():
        sys.exit("usage: python tests/other_cpu.py FOLDER    (a clone whose tables are to be rewritten)")
    clone = Path(sys.argv[1]).resolve()
    print(f"{len(rewrite(clone))} tables have other numbers")
    retell(clone)
