"""Which curves of a study can be paired: those whose outcomes of every image both versions still have."""

from dataclasses import dataclass
from pathlib import Path

from advlaw.comparison.cache import cache_folder, files_in, outputs
from advlaw.comparison.cells import Found
from advlaw.comparison.pairs import Pair, compare_pair, is_told_by, same_images
from advlaw.comparison.revision import Revision
from advlaw.comparison.study import Files, retrained
from advlaw.core.io import Arrays, read_npz
from advlaw.core.progress import progress
from advlaw.core.section import read_section, read_yaml
from advlaw.fitting.settings import Fit


@dataclass(frozen=True)
class KeptCurve:
    """One curve of both versions, and where its outcomes lie; a path is None where they are not kept."""

    sweep: str
    file: str
    kind: str
    old: Path | None
    new: Path | None


def pair_study(root: Path, revision: Revision, old: Files, new: Files, found: Found) -> list[str]:
    """Add the paired differences of a study to `found`; what is to be said of it."""
    params = params_file(root, new.study)
    curves = _curves(root, revision, params, old, new) if params else []
    kept = [curve for curve in curves if curve.old and curve.new]
    notes = []
    if any(curve.old is None for curve in curves):
        notes.append(f"unpaired: per-image outcomes of {revision.name} are not in the cache")
    elif any(curve.new is None for curve in curves):
        notes.append("unpaired: per-image outcomes of this tree are not in data/<study>/sweeps")
    if params and kept:
        notes += _pair_curves(root / params, kept, old, new, found)
    trained = retrained(old, new)
    if trained:
        notes.append(
            f"trained differently: {', '.join(trained)}; two trainings also differ by their seeds, a spread that this "
            "study does not know"
        )
    return notes


def _pair_curves(params: Path, curves: list[KeptCurve], old: Files, new: Files, found: Found) -> list[str]:
    settings = read_section(params, "fit", Fit)
    n_paired, n_equal, unlike = 0, 0, []
    for curve in progress(curves, f"{new.study}: pairs"):
        assert curve.old is not None
        assert curve.new is not None
        if curve.old.read_bytes() == curve.new.read_bytes():
            n_equal += 1
            continue
        before, after = read_npz(curve.old), read_npz(curve.new)
        name = f"{curve.sweep}/{curve.file}"
        if same_images(before, after) and _are_told(name, before, old) and _are_told(name, after, new):
            n_paired += 1
            compare_pair(Pair(new.study, curve.sweep, curve.file, curve.kind, before, after), settings, found)
        else:
            unlike.append(name)
    notes = [f"paired: {n_paired} curves on the same images, {n_equal} more with equal outcomes"]
    if unlike:
        why = "different images, a different grid of eps, or outcomes that do not match the tables"
        notes.append(f"unpaired: {', '.join(unlike)}: {why}")
    return notes


def params_file(root: Path, study: str) -> Path | None:
    """The params file of a study, relative to the root."""
    for path in (root / "params.yaml", *sorted(root.glob("studies/*/params.yaml"))):
        if path.exists() and read_yaml(path).get("study") == study:
            return path.relative_to(root)
    return None


def _curves(root: Path, revision: Revision, params: Path, old: Files, new: Files) -> list[KeptCurve]:
    lock = params.with_name("dvc.lock").as_posix()
    contents = revision.read([lock])
    hashes = outputs(contents[lock]) if contents else {}
    cache = cache_folder(root)
    before = {row["curve"] for row in old.tables.get("exponents", [])}
    curves, folders = [], {}
    for row in new.tables.get("laws/exponents", []):
        if row["curve"] not in before:
            continue
        sweep, _, file = row["curve"].partition("/")
        folder = f"data/{new.study}/sweeps/{sweep}"
        if folder not in folders:
            folders[folder] = files_in(cache, hashes[folder]) if folder in hashes else {}
        path = root / folder / f"{file}.npz"
        there = path if path.exists() else None
        curves.append(KeptCurve(sweep, file, row["kind"], folders[folder].get(f"{file}.npz"), there))
    return curves


def _are_told(curve: str, arrays: Arrays, files: Files) -> bool:
    rows = [row for row in files.tables.get("error_curves", []) if row["curve"] == curve]
    return is_told_by(arrays, rows)
