"""The compact tables of a study: one row per curve, per exponent, per point of a curve, per model, per first change.

What a curve is of is said once, in curves.csv; `advlaw.core.tables` joins it to the tables of exponents and points.
`eps` is in the attack's own norm; `grid_eps` = eps / eps_scale is the shared grid's value, which for L2 is the root
mean square over the C*H*W pixels, so that attacks of both norms share an axis.
"""

import math
from dataclasses import dataclass
from pathlib import Path

from advlaw.attacks.settings import Attack
from advlaw.core.io import Cells
from advlaw.core.tables import write_table
from advlaw.evaluation.settings import Sweep, curve_name
from advlaw.fitting.fit import KINDS, Fitted
from advlaw.fitting.gaps import CUT_OFFS, gap_distribution, gap_row
from advlaw.fitting.settings import Fit
from advlaw.fitting.thresholds import Thresholds
from advlaw.tables.thresholds import write_thresholds

ENDS = ("", "_low", "_high")
MODEL_COLUMNS = (
    "model",
    "dataset",
    "holds",
    "arch",
    "network",
    "labels",
    "optimizer",
    "learning_rate",
    "schedule",
    "n_pixels",
    "n_parameters",
    "epochs",
    "defence",
    "stands_for",
    "entropy_weight",
    "adversarial_images",
    "overfitted_at",
    "train_accuracy",
    "validation_accuracy",
    "test_accuracy",
    "test_top5_accuracy",
    "published_accuracy",
    "device",
)
OF_PUBLISHED = ("holds", "network", "stands_for", "test_top5_accuracy", "published_accuracy")  # nets trained here: none
NET_COLUMNS = ("net", "model", "dataset", "split", "arch", "defence", "labels", "snapshot", "epoch", "train_accuracy")
CURVE_COLUMNS = (
    "curve",
    "sweep",
    "attack",
    *NET_COLUMNS,
    "holds",
    "stands_for",
    "norm",
    "direction",
    "target",
    "clip",
    "eps_scale",
    "n_images",
    "clean_accuracy",
    "n_zero_gradient",
    "n_not_finite",
)
EXPONENT_COLUMNS = (
    "curve",
    "kind",
    "estimator",
    *(f"{number}{end}" for number in ("exponent", "amplitude") for end in ENDS),
    "eps_first",
    "eps_last",
    "n_points",
    "n_nonpositive",
    "n_errors",
    "r_squared",
    "chi2_p_value",
    "bootstrap_without_fit",
)
POINT_COLUMNS = (
    "curve",
    "grid_eps",
    "eps",
    "accuracy",
    "top5_accuracy",
    *(f"{kind}_{number}" for kind in KINDS for number in ("error", "low", "high")),
)
SLOPE_COLUMNS = ("curve", "grid_eps", "eps", "slope", "low", "high")
GAP_COLUMNS = (
    *NET_COLUMNS,
    "n_right",
    "gap_median",
    "gap_density",
    *(f"gap_exponent_{share:g}{end}" for share in CUT_OFFS for end in ENDS),
)
GAP_POINT_COLUMNS = ("net", "split", "share", "gap")


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
        self.curves: list[Cells] = []
        self.exponents: list[Cells] = []
        self.points: list[Cells] = []
        self.slopes: list[Cells] = []
        self.gaps: list[Cells] = []
        self.gap_points: list[Cells] = []
        self.thresholds: dict[str, Thresholds] = {}

    def add(self, curve: SweptCurve, fitted: Fitted) -> None:
        net, model = self._net(curve)
        scale = math.sqrt(model["n_pixels"]) if curve.attack.norm == "l2" else 1.0
        exponents = fitted.exponents()
        self.curves.append(
            {
                "curve": curve.key,
                "sweep": curve.sweep_name,
                "attack": curve.attack_name,
                **net,
                **{name: model.get(name) for name in ("holds", "stands_for")},
                "norm": curve.attack.norm,
                "direction": getattr(curve.attack, "direction", None),
                "target": curve.attack.target,
                "clip": curve.attack.clip,
                "eps_scale": scale,
                **{name: exponents[0][name] for name in ("n_images", "clean_accuracy")},
                **curve.counts,
            }
        )
        if not any(net.items() <= row.items() for row in self.gaps):
            self.gaps.append({**net, **gap_row(fitted.gaps, self.settings.confidence)})
            key = {name: net[name] for name in ("net", "split")}
            self.gap_points += [{**key, **row} for row in gap_distribution(fitted.gaps)]
        self.thresholds[curve.key] = fitted.thresholds
        self.exponents += [{"curve": curve.key, **row} for row in exponents]
        for table, rows in ((self.points, fitted.curve()), (self.slopes, fitted.slopes())):
            table += [{"curve": curve.key, "grid_eps": row["eps"] / scale, **row} for row in rows]

    def _net(self, curve: SweptCurve) -> tuple[Cells, Cells]:
        """The columns that say which state of which net a curve is of, and the model's own row."""
        model = next(row for row in self.models if row["model"] == curve.sweep.model)
        found = {"epoch": model["epochs"], "train_accuracy": model["train_accuracy"]}
        if curve.snapshot is not None:
            found = next(row for row in model["snapshots"] if row["snapshot"] == curve.snapshot)
        net = {
            "net": curve_name(curve.sweep.model, curve.snapshot),
            "model": curve.sweep.model,
            "dataset": model["dataset"],
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
        write_table(plots / "curves.csv", self.curves, CURVE_COLUMNS)
        write_table(plots / "exponents.csv", self.exponents, EXPONENT_COLUMNS)
        write_table(plots / "error_curves.csv", self.points, POINT_COLUMNS)
        write_table(plots / "local_slopes.csv", self.slopes, SLOPE_COLUMNS)
        write_table(plots / "logit_gaps.csv", self.gaps, GAP_COLUMNS)
        write_table(plots / "logit_gap_distribution.csv", self.gap_points, GAP_POINT_COLUMNS)
        models = [dict.fromkeys(OF_PUBLISHED) | model for model in self.models]
        write_table(plots / "models.csv", models, MODEL_COLUMNS)
        write_thresholds(plots, self.thresholds)
