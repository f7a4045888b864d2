"""Nets beside their declared baselines: entropy penalty, adversarial training (Cubuk Sec. 3.2, Kurakin Sec. 4)."""

import math

import pandas as pd

from advlaw.claims.registry import view
from advlaw.claims.study import Evidence, nearest, suffixed
from advlaw.core.io import Cells
from advlaw.core.tables import chosen, groups, records

HURTS = 0.05  # what the weak attack takes from a baseline where there is something to gain


@view("models")
def nets(study: Evidence) -> pd.DataFrame:
    """Every net with its params, with its baseline's row and what it `adds` to that, and how many images sweeps saw."""
    models = study.rows("models").fillna({"entropy_weight": 0, "adversarial_images": 0})  # empty if published
    known, found = {row["model"]: row for row in records(models)}, []
    counts = {row["model"]: row["n_images"] for row in records(study.rows("laws/exponents", split="test"))}
    for name, net in known.items():
        robust, baseline = study.robust_nets.get(name), study.baselines.get(name, "")
        row = {**net, "net": name, "baseline": baseline, "trained_on": robust.adversarial.family if robust else ""}
        row |= {size: study.nets.get(name, {}).get(size, math.nan) for size in ("depth", "width")}
        row |= suffixed(known.get(baseline, dict.fromkeys(net)), "baseline")
        n_images = counts.get(name, counts.get(baseline, math.nan))
        found.append({**row, "n_images": n_images, "adds": _adds(row)})
    return pd.DataFrame(found)


def _adds(net: Cells) -> str:
    """What a net has and its baseline has not: `entropy`, or the family of attacks that it alone is trained on."""
    if net["entropy_weight"] > 0:
        is_alike = net["adversarial_images"] == net["adversarial_images_baseline"]
        return "entropy" if is_alike and net["entropy_weight_baseline"] == 0 else ""
    return net["trained_on"] if net["defence_baseline"] == "" else ""


def of_nets(study: Evidence, frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """Rows with what is known of the net that `column` names."""
    known = nets(study).assign(**{column: lambda row: row["model"]})
    return frame.merge(known[[column, *(name for name in known if name not in frame)]], on=column, how="left")


@view("worst_case/gains", "worst_case/accuracy", "models")
def gains(study: Evidence) -> pd.DataFrame:
    """Gains under the weak attack and in the worst case.

    `is_hurt`: whether the weak attack takes enough from the baseline, at this eps, for a defence to give back.
    `unclipped`: accuracies in the sweeps, which are not clipped to [0, 255], at nearly the same eps.
    """
    accuracy = study.rows("worst_case/accuracy")
    clean = chosen(accuracy, role="clean").set_index("net")["accuracy"]
    weak = chosen(accuracy, role="weak").set_index(["net", "eps"])["accuracy"]
    found = records(of_nets(study, study.rows("worst_case/gains"), "net"))
    for row in found:
        net, eps = row["baseline"], row["eps"]
        row["is_hurt"] = clean[net] - weak[net, eps] >= HURTS
        row |= _unclipped(study, row["net"], eps) | suffixed(_unclipped(study, net, eps), "baseline")
    return pd.DataFrame(found)


def _unclipped(study: Evidence, net: str, eps: float) -> Cells:
    points = nearest(study.rows("error_curves", attack="step_ll", split="test", model=net), "eps", eps)
    accuracy, n = (float(points[name].iloc[0]) if len(points) else math.nan for name in ("accuracy", "n_images"))
    return {"unclipped": accuracy, "n_unclipped": n}


@view("worst_case/gains", "worst_case/accuracy", "models")
def under_attack(study: Evidence) -> pd.DataFrame:
    """Accuracies of nets and their baselines under the same attack (`method`) and eps."""
    accuracy = study.rows("worst_case/accuracy")[
        ["net", "attack", "role", "eps", "n_images", "accuracy", "low", "high"]
    ]
    ours = gains(study).drop(columns="n_images").merge(accuracy, on=["net", "eps"])
    theirs = accuracy.rename(columns={"net": "baseline"})
    both = ours.merge(theirs, on=["baseline", "attack", "eps"], suffixes=("", "_baseline"))
    sources = [both[column].map(study.sources) for column in ("net", "baseline")]
    return both.assign(method=both["attack"].str.rpartition(".")[2], is_same_source=sources[0] == sources[1])


@view("error_curves", "models")
def avoidable_errors(study: Evidence) -> pd.DataFrame:
    """FGSM's errors without and with training on one-step examples: where the net without loses 5 %, and at eps = 32.

    ImageNet nets lose 10 to 25 % at 0.2, the smallest eps that C09 speaks of; pixels of other data differ.
    """
    curves = {rows["model"].iloc[0]: rows for _, rows in groups(study.rows("error_curves", attack="fgsm"), "curve")}
    found = [pd.DataFrame()]
    for pair in records(chosen(nets(study), adds="one_step", net=tuple(curves), baseline=tuple(curves))):
        theirs, ours = curves[pair["baseline"]], curves[pair["net"]]
        small, large = nearest(theirs, "net_error", HURTS, math.inf), nearest(theirs, "eps", 32.0)
        points = pd.concat([small.assign(size="small"), large.assign(size="large")]).assign(net=pair["net"])
        found.append(points.merge(ours, on="eps", suffixes=("", "_trained")))
    return pd.concat(found)


@view("error_curves", "models")
def under_pgd(study: Evidence) -> pd.DataFrame:
    """Accuracies under PGD at every eps, of nets trained on one-step examples and of their baselines."""
    points = study.rows("error_curves", attack="pgd", split="test")
    ours = of_nets(study, points, "model")
    theirs = points[["model", "grid_eps", "accuracy"]].rename(
        columns={"model": "baseline", "accuracy": "accuracy_baseline"}
    )
    return chosen(ours, adds="one_step").merge(theirs, on=["baseline", "grid_eps"])
