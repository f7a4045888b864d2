"""Tables of nets under strong attacks: accuracies, the worst case of each image, and what remains of a gain."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from advlaw.config.robustness import Protocol
from advlaw.fitting.proportions import paired_difference, wilson

Row = dict[str, Any]
Outcomes = Mapping[str, np.ndarray]  # what stages/stress.py writes of one net
ACCURACY_COLUMNS = ("net", "attack", "role", "eps", "n_images", "n_not_finite", "accuracy", "low", "high")
GAIN_COLUMNS = (
    "net",
    "baseline",
    "eps",
    "n_images",
    "n_not_finite",
    *(f"{kind}{end}" for kind in ("weak_gain", "worst_gain") for end in ("", "_low", "_high")),
    "verdict",
)


def worst_case(outcomes: Outcomes, protocol: Protocol) -> np.ndarray:
    """Which images (E, N) are right under every attack at this eps and at all smaller ones: those lie in its ball."""
    under_each = np.stack([outcomes[label] for label in protocol.methods()])
    return np.logical_and.accumulate(under_each.all(axis=0), axis=0) & outcomes["clean"]


def judged(*nets: Outcomes) -> list[dict[str, np.ndarray]]:
    """The same outcomes without the images that are no numbers for any of these nets, which saw the same images."""
    kept = ~np.any([outcomes["not_finite"] for outcomes in nets], axis=0)
    return [{name: values[..., kept] for name, values in outcomes.items()} for outcomes in nets]


def accuracy_rows(net: str, outcomes: Outcomes, protocol: Protocol, confidence: float) -> list[Row]:
    """A row for every attack and eps, and for the worst case; `clean` at eps 0."""
    n_not_finite = int(outcomes["not_finite"].sum())
    (outcomes,) = judged(outcomes)
    roles = {label: "transferred" if label.startswith("transferred:") else "strong" for label in protocol.methods()}
    roles[protocol.weak] = "weak"
    curves = [("clean", "clean", [0.0], outcomes["clean"][None])]
    curves += [(label, role, protocol.eps, outcomes[label]) for label, role in roles.items()]
    curves.append(("worst case", "worst", protocol.eps, worst_case(outcomes, protocol)))
    rows = []
    for attack, role, eps, right in curves:
        for size, at_size in zip(eps, right, strict=True):
            n_right, n_images = int(at_size.sum()), len(at_size)
            low, high = wilson(n_right, n_images, confidence)
            counts = {"n_images": n_images, "n_not_finite": n_not_finite}
            numbers = {**counts, "accuracy": n_right / n_images, "low": low, "high": high}
            rows.append({"net": net, "attack": attack, "role": role, "eps": size, **numbers})
    return rows


def gain_rows(
    net: str, baseline: str, of_net: Outcomes, of_baseline: Outcomes, protocol: Protocol, confidence: float
) -> list[Row]:
    """How much more accurate a net is than its baseline at every eps, under the weak attack and in the worst case."""
    n_images = len(of_net["clean"])
    of_net, of_baseline = judged(of_net, of_baseline)
    n_judged = len(of_net["clean"])
    pairs = {
        "weak_gain": (of_net[protocol.weak], of_baseline[protocol.weak]),
        "worst_gain": (worst_case(of_net, protocol), worst_case(of_baseline, protocol)),
    }
    rows = []
    for i, eps in enumerate(protocol.eps):
        row: Row = {
            "net": net,
            "baseline": baseline,
            "eps": eps,
            "n_images": n_judged,
            "n_not_finite": n_images - n_judged,
        }
        for kind, (ours, theirs) in pairs.items():
            estimate, low, high = paired_difference(ours[i], theirs[i], confidence)
            row |= {kind: estimate, f"{kind}_low": low, f"{kind}_high": high}
        rows.append({**row, "verdict": gain_verdict(row)})
    return rows


def gain_verdict(row: Row) -> str:
    """Is the net more robust than its baseline, as the weak attack has it?

    `holds`: more accurate under the weak attack and in the worst case, both intervals above 0. `masked`: under the weak
    attack alone. `fails`: not more accurate under the weak attack, its interval below 0. Else `inconclusive`.
    """
    if row["weak_gain_low"] > 0:
        return "holds" if row["worst_gain_low"] > 0 else "masked"
    return "fails" if row["weak_gain_high"] < 0 else "inconclusive"
