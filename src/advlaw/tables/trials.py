"""The tables of a set of nets: a row for every net and attack, curves, distributions of exponents, differences."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from advlaw.core.io import Arrays, Cells, read_npz
from advlaw.core.tables import write_table
from advlaw.fitting.proportions import paired_difference, wilson
from advlaw.models.settings import Spec, scaled
from advlaw.tables.trial import ENDS, ESTIMATES, MEASURED_COLUMNS, arrays_of

Band = tuple[float, float]
SMALLEST_ACCURACY = 0.8  # of Cubuk Fig. 10
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
KINDS = {"all": ("fc", "cnn"), "fc": ("fc",), "cnn": ("cnn",)}
NET_COLUMNS = (
    "net",
    "arch",
    "layers",
    "sizes",
    "kernel_sizes",
    "dense_units",
    "dropout",
    "n_parameters",
    "flops",
    "diverged",
    "train_loss",
    "validation_accuracy",
)
VARIED_COLUMNS = ("differs", "seed", "baseline", "defence", "overfitted_at")
CURVE_COLUMNS = ("net", "arch", "attack", "test_accuracy", "grid_eps", "gross_error", "net_error")
DIFFERENCE_COLUMNS = (
    "net",
    "baseline",
    "attack",
    "grid_eps",
    "n_images",
    "accuracy",
    *(f"difference{e}" for e in ENDS),
)
EXPONENT_COLUMNS = (
    "attack",
    "nets",
    "estimate",
    "n_nets",
    "n_without_fit",
    "band_low",
    "band_high",
    "n_in_band",
    "share",
    "share_low",
    "share_high",
    "share_touching",
    *(f"quantile_{quantile:g}" for quantile in QUANTILES),
    "median_half_width",
)


def write_tables(
    folder: Path,
    nets: Sequence[Cells],
    measured: Mapping[str, Sequence[Cells]],
    reference_eps: Sequence[float],
    varied: bool,
) -> list[Cells]:
    """nets.csv and curves.csv of nets (as nets.json lists them) and of what was measured of each; the rows of nets.csv.

    `measured` has a {row, curve} for every attack on a net.
    """
    rows, points = [], []
    columns = [*NET_COLUMNS, *(VARIED_COLUMNS if varied else ()), *MEASURED_COLUMNS]
    columns += [f"error_at_{eps:g}" for eps in reference_eps]
    for net in nets:
        described = {**dict.fromkeys(columns), **describe(net)}
        for found in measured[net["net"]]:
            row = {**described, **found["row"]}
            rows.append(row)
            points += [{**row, **point} for point in found["curve"]]
    write_table(folder / "nets.csv", rows, columns)
    write_table(folder / "curves.csv", points, CURVE_COLUMNS)
    return rows


def write_exponents(folder: Path, rows: Sequence[Cells], bands: Mapping[str, Band], confidence: float) -> None:
    """exponents.csv: how the exponents of a drawn set are distributed."""
    write_table(folder / "exponents.csv", distributions(rows, bands, confidence), EXPONENT_COLUMNS)


def write_differences(
    folder: Path, nets: Sequence[Cells], paths: Mapping[str, Path], attacks: Sequence[str], confidence: float
) -> None:
    """differences.csv: how much more accurate each net is than its declared baseline, on the same images.

    At every point of the grid, and at 0, the clean images. The interval is over images, not over trainings.
    """
    rows = []
    for net in nets:
        if net["baseline"] is not None and {net["net"], net["baseline"]} <= paths.keys():
            both = [read_npz(paths[name]) for name in (net["net"], net["baseline"])]
            for attack in attacks:
                own, other = (arrays_of(kept, attack) for kept in both)
                about = {"net": net["net"], "baseline": net["baseline"], "attack": attack.partition(".")[2]}
                rows += [{**about, **row} for row in _differences(own, other, confidence)]
    write_table(folder / "differences.csv", rows, DIFFERENCE_COLUMNS)


def _differences(own: Arrays, other: Arrays, confidence: float) -> list[Cells]:
    judged = ~(own["not_finite"] | other["not_finite"])
    rows = []
    for eps, first, second in zip([0.0, *own["eps"].tolist()], _right(own), _right(other), strict=True):
        estimate, low, high = paired_difference(first[judged], second[judged], confidence)
        about = {"grid_eps": eps, "n_images": int(judged.sum()), "accuracy": float(first[judged].mean())}
        rows.append({**about, "difference": estimate, "difference_low": low, "difference_high": high})
    return rows


def _right(arrays: Arrays) -> np.ndarray:
    """Which images (1 + E, N) are right: when clean, and at every eps."""
    return np.concatenate([arrays["clean_prediction"][None], arrays["prediction"]]) == arrays["label"]


def describe(net: Cells) -> Cells:
    """The cells that say what a net is: sizes of its hidden layers or filters, and how its training went."""
    spec = net["spec"]
    sizes = _sizes(spec)
    return {
        **{name: net.get(name) for name in (*NET_COLUMNS, *VARIED_COLUMNS) if name in net},
        "arch": spec["arch"],
        "layers": len(sizes) * spec.get("depth", 1) if sizes else spec.get("depth"),
        "sizes": "-".join(map(str, sizes)),
        "kernel_sizes": "-".join(map(str, spec.get("kernel_sizes", []))),
        "dense_units": spec.get("dense_units"),
        "dropout": spec.get("dropout"),
        "diverged": net["diverged"],
    }


def _sizes(spec: Spec) -> list[int]:
    """The units of each hidden layer, or the filters of each convolution or stage; none where `depth` says all."""
    if "units" in spec:
        return [spec["units"]] * spec.get("layers", 1)
    return scaled(spec.get("widths") or spec.get("channels") or [], spec.get("width", 1.0))


def distributions(rows: Sequence[Cells], bands: Mapping[str, Band], confidence: float) -> list[Cells]:
    """For every attack, kind of net and estimate: quantiles of the exponents, and their share in the paper's band.

    Of nets with clean accuracy above 80 %, as in Cubuk Fig. 10. The interval is Wilson's, for nets drawn from the same
    architectures and attacked on the same images. `share_touching` counts nets whose own interval and the band have a
    point in common.
    """
    attacks = dict.fromkeys(row["attack"] for row in rows)
    return [
        _distribution(attack, kind, estimate, rows, bands.get(attack), confidence)
        for attack in attacks
        for kind in KINDS
        for estimate in ESTIMATES
    ]


def _distribution(
    attack: str, kind: str, estimate: str, rows: Sequence[Cells], band: Band | None, confidence: float
) -> Cells:
    chosen = [
        row
        for row in rows
        if row["attack"] == attack and row["arch"] in KINDS[kind] and (row["test_accuracy"] or 0) > SMALLEST_ACCURACY
    ]
    ends = [[row[f"{estimate}_exponent{end}"] for end in ("", "_low", "_high")] for row in chosen]
    known = np.array([values for values in ends if None not in values], dtype=float).reshape(-1, 3)
    exponent, low, high = known.T
    found: Cells = dict.fromkeys(EXPONENT_COLUMNS)
    found |= {"attack": attack, "nets": kind, "estimate": estimate, "n_nets": len(known)}
    found["n_without_fit"] = len(chosen) - len(known)
    if len(known):
        found |= {f"quantile_{q:g}": float(np.quantile(exponent, q)) for q in QUANTILES}
        found["median_half_width"] = float(np.median(high - low) / 2)
    if len(known) and band is not None:
        inside = int(((exponent >= band[0]) & (exponent <= band[1])).sum())
        share_low, share_high = wilson(inside, len(known), confidence)
        found |= {"band_low": band[0], "band_high": band[1], "n_in_band": inside, "share": inside / len(known)}
        found |= {"share_low": share_low, "share_high": share_high}
        found["share_touching"] = float(((low <= band[1]) & (high >= band[0])).mean())
    return found
