"""The compact tables of a study: one row per exponent, per point of a curve, per model, per first change of an image.

`eps` is in the attack's own norm; `grid_eps` = eps / eps_scale is the shared grid's value, which for L2 is the root
mean square over the C*H*W pixels, so that attacks of both norms share an axis.
"""

import math
from dataclasses import dataclass
from pathlib import Path

from advlaw.attacks.settings import Attack
from advlaw.core.io import Cells, write_csv
from advlaw.evaluation.settings import Sweep, curve_name
from advlaw.fitting.fit import Fitted
from advlaw.fitting.gaps import CUT_OFFS, gap_distribution, gap_row
from advlaw.fitting.settings import Fit
from advlaw.fitting.thresholds import Thresholds
from advlaw.tables.thresholds import write_thresholds

MODEL_COLUMNS = (
    "model",
    "dataset",
    "arch",
    "labels",
    "optimizer",
    "learning_rate",
    "schedule",
    "n_pixels",
    "n_parameters",
    "epochs",
    "defence",
    "entropy_weight",
    "adversarial_images",
    "overfitted_at",
    "train_accuracy",
    "validation_accuracy",
    "test_accuracy",
    "device",
)
NET_COLUMNS = ("net", "model", "dataset", "split", "arch", "defence", "labels", "snapshot", "epoch", "train_accuracy")
CURVE_COLUMNS = ("curve", "sweep", "attack", *NET_COLUMNS, "norm", "direction", "target", "clip", "eps_scale")
EXPONENT_COLUMNS = (
    *CURVE_COLUMNS,
    "kind",
    "estimator",
    "exponent",
    "exponent_low",
    "exponent_high",
    "amplitude",
    "amplitude_low",
    "amplitude_high",
    "eps_first",
    "eps_last",
    "n_points",
    "n_nonpositive",
    "n_errors",
    "n_images",
    "clean_accuracy",
    "r_squared",
    "chi2_p_value",
    "bootstrap_without_fit",
    "n_zero_gradient",
    "n_not_finite",
    "is_reported",
)
POINT_COLUMNS = (
    *CURVE_COLUMNS,
    "grid_eps",
    "eps",
    "accuracy",
    "top5_accuracy",
    "gross_error",
    "gross_low",
    "gross_high",
    "net_error",
    "net_low",
    "net_high",
)
SLOPE_COLUMNS = (*CURVE_COLUMNS, "grid_eps", "eps", "slope", "low", "high")
GAP_COLUMNS = (
    *NET_COLUMNS,
    "n_right",
    "gap_median",
    "gap_density",
    *(f"gap_exponent_{share:g}{end}" for share in CUT_OFFS for end in ("", "_low", "_high")),
)
GAP_POINT_COLUMNS = (*NET_COLUMNS, "share", "gap")


@dataclass(frozen=True)
class SweptCurve:
    """One attack of one sweep on one state of its net.

    `counts`: of its images, n_zero_gradient have no gradient to follow and n_not_finite are not judged at all.
    """

    sweep_name: str
    attack_name: str
    snapshot: float | None
    sweep: Sweep
    attack: Attack
    counts: dict[str, int]

    @property
    def key(self) -> str:
        return f"{self.sweep_name}/{curve_name(self.attack_name, self.snapshot)}"

    @property
    def kind_of_error(self) -> str:
        """Which errors the exponent of this attack is about: those of a label-blind attack are net."""
        return "gross" if self.attack.target == "true_label" else "net"


class CurveTables:
    """Collects the rows of all curves, and writes them."""

    def __init__(self, models: list[Cells], settings: Fit) -> None:
        self.models = models
        self.settings = settings
        self.exponents: list[Cells] = []
        self.points: list[Cells] = []
        self.slopes: list[Cells] = []
        self.gaps: list[Cells] = []
        self.gap_points: list[Cells] = []
        self.thresholds: dict[str, Thresholds] = {}

    def add(self, curve: SweptCurve, fitted: Fitted) -> None:
        net, model = self._net(curve)
        scale = math.sqrt(model["n_pixels"]) if curve.attack.norm == "l2" else 1.0
        labels: Cells = {
            "curve": curve.key,
            "sweep": curve.sweep_name,
            "attack": curve.attack_name,
            **net,
            "norm": curve.attack.norm,
            "direction": getattr(curve.attack, "direction", None),
            "target": curve.attack.target,
            "clip": str(curve.attack.clip).lower(),
            "eps_scale": scale,
        }
        if not any(net.items() <= row.items() for row in self.gaps):
            self.gaps.append({**net, **gap_row(fitted.gaps, self.settings.confidence)})
            self.gap_points += [{**net, **row} for row in gap_distribution(fitted.gaps)]
        self.thresholds[curve.key] = fitted.thresholds
        exponents = fitted.exponents()
        for row in exponents:
            row |= curve.counts
            is_reported = (row["kind"], row["estimator"]) == (curve.kind_of_error, "maximum_likelihood")
            row["is_reported"] = str(is_reported).lower()
        self.exponents += [{**labels, **row} for row in exponents]
        for table, rows in ((self.points, fitted.curve()), (self.slopes, fitted.slopes())):
            table += [{**labels, "grid_eps": row["eps"] / scale, **row} for row in rows]

    def _net(self, curve: SweptCurve) -> tuple[Cells, Cells]:
        """The columns that say which state of which net a curve is of, and the model's own row."""
        model = next(row for row in self.models if row["model"] == curve.sweep.model)
        found = {"epoch": model["epochs"], "train_accuracy": model["train_accuracy"]}
        if curve.snapshot is not None:
            found = next(row for row in model["snapshots"] if row["snapshot"] == curve.snapshot)
        net = {
            "net": curve_name(curve.sweep.model, curve.snapshot),
            "model": curve.sweep.model,
            "dataset": curve.sweep.dataset,
            "split": curve.sweep.split,
            "arch": model["arch"],
            "defence": model["defence"],
            "labels": model["labels"],
            "snapshot": curve.snapshot,
            "epoch": found["epoch"],
            "train_accuracy": found["train_accuracy"],
        }
        return net, model

    def write(self, plots: Path) -> None:
        positive = [row for row in self.points if row["net_error"] > 0]
        write_csv(plots / "exponents.csv", EXPONENT_COLUMNS, self.exponents)
        write_csv(plots / "error_curves.csv", POINT_COLUMNS, self.points)
        write_csv(plots / "error_curves_positive.csv", POINT_COLUMNS, positive)
        write_csv(plots / "local_slopes.csv", SLOPE_COLUMNS, self.slopes)
        write_csv(plots / "logit_gaps.csv", GAP_COLUMNS, self.gaps)
        write_csv(plots / "logit_gap_distribution.csv", GAP_POINT_COLUMNS, self.gap_points)
        write_csv(plots / "models.csv", MODEL_COLUMNS, self.models)
        write_thresholds(plots, self.thresholds)
