"""The tables of small studies with known answers, as their writers write them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from conftest import one_step
from test_fitting import planted

from advlaw.core.tables import read_table, read_tables, write_table
from advlaw.evaluation.settings import Sweep
from advlaw.fitting.fit import Fitted
from advlaw.fitting.outcomes import outcomes
from advlaw.fitting.settings import Fit
from advlaw.tables import laws
from advlaw.tables.curves import CurveTables, SweptCurve
from advlaw.tables.theory import TheoryTables
from advlaw.theory.mean_field import class_thresholds, ranking
from advlaw.theory.settings import Rays, Theory

FIT = Fit(min_errors=10, max_error=0.1, bootstrap=200, confidence=0.95, headline=["net/fgsm"])
RAYS = Rays(eps_min=0.25, eps_max=64.0, count=8, followed=2, residual=20)


def as_read(folder: Path, rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows as a frame that was written and read again."""
    write_table(folder / "rows.csv", rows)
    return read_table(folder / "rows.csv")


def write_curve_tables(folder: Path) -> None:
    """A fully connected net whose gross error under FGSM is 0.02 eps, and its net error under step l.l. 0.02 eps^2."""
    row = {
        "model": "net",
        "arch": "fc",
        "labels": "original",
        "optimizer": "adam",
        "learning_rate": 0.1,
        "schedule": "constant",
        "snapshots": [],
        "dataset": "x",
        "n_pixels": 64,
        "n_parameters": 10,
        "epochs": 1,
        "defence": None,
        "entropy_weight": 0.0,
        "adversarial_images": 0.0,
        "overfitted_at": None,
        "device": "cpu",
        "train_accuracy": 1.0,
        "validation_accuracy": 0.95,
        "test_accuracy": 0.95,
    }
    made = CurveTables([row], FIT)
    for name, attack, b in (("fgsm", one_step(), 1.0), ("step_ll", one_step(target="least_likely"), 2.0)):
        sample = outcomes(planted(np.random.default_rng(1), 5000, 0.02, b, repaired=0.0 if b == 1.0 else 0.3))
        sweep = Sweep(model="net", family="one_step", attacks=[name])
        made.add(
            SweptCurve("net", name, None, sweep, attack, {"n_zero_gradient": 0, "n_not_finite": 0}),
            Fitted(sample, FIT, np.random.default_rng(0)),
        )
    made.write(folder)
    write_law_tables(folder)


def write_law_tables(folder: Path) -> None:
    """The exponents as eps -> 0 of the curves in a folder."""
    exponents, ranges, lines = [], [], []
    for about, changes in laws.changes_of_study(folder, read_tables(folder, "error_curves")):
        curve = {"curve": about["curve"]}
        row, found = laws.exponent_row(changes, about["target"] != "true_label", FIT.confidence)
        exponents.append(row | curve)
        ranges += [{**curve, "kind": row["kind"], "p_fit": one.law.p_fit, **one.numbers} for one in found]
        lines += [curve | point for point in laws.line_rows(found[0], changes.n_images, about["eps_scale"])]
    write_table(folder / "laws/exponents.csv", exponents, laws.EXPONENT_COLUMNS)
    write_table(folder / "laws/ranges.csv", ranges, laws.RANGE_COLUMNS)
    write_table(folder / "laws/lines.csv", lines, laws.LINE_COLUMNS)


def attacked(logits: np.ndarray, label: np.ndarray, order: np.ndarray, rng: np.random.Generator) -> dict:
    """Gamma, and thresholds as its linear response has them."""
    rows = np.arange(len(logits))
    gamma = rng.normal(size=logits.shape)
    gamma[rows, order[:, 0]] -= 3.0
    per_class = class_thresholds(logits, gamma)
    exact, taken = per_class.min(axis=1), order[rows, per_class.argmin(axis=1) + 1]
    right = label == order[:, 0]
    return {
        "gamma": gamma,
        "threshold": np.where(right, exact, np.nan),
        "threshold_class": np.where(right, taken, -1),
        "recovery": np.where(right, np.nan, np.where(taken == label, exact, np.inf)),
        "not_finite": np.zeros(len(label), bool),
        "scale": np.array(1.0),
    }


def write_theory_tables(folder: Path) -> None:
    """Two nets whose linear response is exact by construction, and the gaps of i.i.d. logits."""
    rng = np.random.default_rng(0)
    made = TheoryTables(RAYS, FIT, Theory(cut_offs=[0.1, 0.01], compared=["one", "two"]), seed=0)
    for name in ("one", "two"):
        logits = rng.normal(size=(3000, 10)) * 3
        order = ranking(logits)
        label = np.where(rng.uniform(size=3000) < 0.9, order[:, 0], order[:, 1])
        made.add_net(name, {"logits": logits, "label": label, "dataset": np.array("x")}, {2: 0.5 * logits})
        eps, gamma = np.concatenate([[0.0], np.geomspace(0.25, 64, 8)]), rng.normal(size=(2, 10))
        residual_eps = np.geomspace(1e-3, 64, 30)
        straight = logits[:2] + eps[:, None, None] * gamma
        rays = {"eps": eps, "image": np.array([0, 1]), "logits": straight, "gamma": gamma}
        made.add_rays({**rays, "residual_eps": residual_eps, "residual": residual_eps[:, None] ** 2 * np.ones(5)})
        for kind in ("l2", "fgsm", "fgsm_predicted", "step_ll", "step_rnd"):
            made.add_attack(kind, attacked(logits, label, order, rng), kind not in ("l2", "fgsm"))
    made.write(folder / "theory")
    rows = [{"law": "uniform", "rank": j, "gap": g, "density": j * g, "count": 9} for j in (2, 3) for g in (0.1, 1.0)]
    write_table(folder / "order_statistics" / "densities.csv", rows)
    exponent = {"exponent": 0.0, "exponent_low": -0.1, "exponent_high": 0.1}
    rows = [{"law": "uniform", "rank": j, "share": s, **exponent} for s in (0.1, 0.01) for j in (2, 3, 4, 5)]
    write_table(folder / "order_statistics" / "exponents.csv", rows)
    rows = [{"law": "uniform", "rank": j, "constant": 10.0 * j, "chi2_p_value": 0.1 * j} for j in (2, 3, 4, 5)]
    write_table(folder / "order_statistics" / "constants.csv", rows)


def write_firm_tables(folder: Path, *, is_right: bool = True) -> None:
    """A net that nothing flips: gaps open under attack, so there is no threshold, measured or predicted.

    It is right of all its images or of none.
    """
    made = TheoryTables(RAYS, FIT, Theory(cut_offs=[0.1], compared=[]), seed=0)
    logits = np.random.default_rng(0).normal(size=(50, 3))
    order = ranking(logits)
    gamma = np.where(order[:, :1] == np.arange(3), 1.0, 0.0)
    label = order[:, 0 if is_right else 1]
    made.add_net("firm", {"logits": logits, "label": label, "dataset": np.array("x")}, {})
    nothing = np.zeros((9, 0, 3))
    rays = {"eps": np.arange(9.0), "image": np.zeros(0, int), "logits": nothing, "gamma": nothing[0]}
    made.add_rays({**rays, "residual_eps": np.geomspace(1e-3, 64, 9), "residual": np.zeros((9, 50))})
    never = {"threshold": np.full(50, np.inf if is_right else np.nan), "recovery": np.full(50, np.nan)}
    never |= {"threshold_class": np.full(50, -1), "not_finite": np.zeros(50, bool), "gamma": gamma}
    made.add_attack("l2", {**never, "scale": np.array(8.0)}, False)
    made.add_attack("step_ll", {**never, "scale": np.array(1.0)}, True)
    made.write(folder / "theory")
