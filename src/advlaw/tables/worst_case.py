"""Tables of nets under strong attacks: accuracies, the worst case of each image, and what remains of a gain."""

import numpy as np

from advlaw.core.io import Arrays, Cells
from advlaw.evaluation.settings import Protocol
from advlaw.fitting.proportions import paired_difference, wilson

NOT_FINITE = "not_finite "  # before an attack's label: which images it left without numbers
NOTHING_LEFT = "logits or gradients are no numbers: see what the net divides by or takes a root of"
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


def worst_case(outcomes: Arrays, protocol: Protocol) -> np.ndarray:
    """Which images (E, N) are right under every attack at this eps and at all smaller ones: those lie in its ball."""
    under_each = np.stack([outcomes[label] for label in protocol.methods()])
    return np.logical_and.accumulate(under_each.all(axis=0), axis=0) & outcomes["clean"]


def not_finite(outcomes: Arrays, attack: str) -> np.ndarray:
    """Which images (N,) an attack left without numbers; its outcomes, which say nothing of them, call them right."""
    return outcomes[f"{NOT_FINITE}{attack}"]


def unknown(outcomes: Arrays, protocol: Protocol) -> np.ndarray:
    """Of which images (E, N) the worst case is not known: some attack left no numbers, and none made them wrong."""
    lost = np.any([not_finite(outcomes, label) for label in protocol.methods()], axis=0)
    return (lost & worst_case(outcomes, protocol)) | not_finite(outcomes, "clean")


def accuracy_rows(net: str, outcomes: Arrays, protocol: Protocol, confidence: float) -> list[Cells]:
    """A row for every attack and eps, and for the worst case; `clean` at eps 0."""
    roles = {label: "transferred" if label.startswith("transferred:") else "strong" for label in protocol.methods()}
    roles[protocol.weak] = "weak"
    n_eps = len(protocol.eps)
    curves = [("clean", "clean", [0.0], outcomes["clean"][None], not_finite(outcomes, "clean")[None])]
    curves += [
        (label, role, protocol.eps, outcomes[label], np.tile(not_finite(outcomes, label), (n_eps, 1)))
        for label, role in roles.items()
    ]
    worst = worst_case(outcomes, protocol), unknown(outcomes, protocol)
    curves.append(("worst case", "worst", protocol.eps, *worst))
    rows = []
    for attack, role, eps, right, lost in curves:
        for size, at_size, lost_at_size in zip(eps, right, lost, strict=True):
            n_right, n_images = int(at_size[~lost_at_size].sum()), int((~lost_at_size).sum())
            if n_images == 0:
                raise ValueError(f"worst_case.nets.{net}: no image can be judged under {attack}; {NOTHING_LEFT}")
            low, high = wilson(n_right, n_images, confidence)
            counts = {"n_images": n_images, "n_not_finite": int(lost_at_size.sum())}
            numbers = {**counts, "accuracy": n_right / n_images, "low": low, "high": high}
            rows.append({"net": net, "attack": attack, "role": role, "eps": size, **numbers})
    return rows


def gain_rows(
    net: str, baseline: str, of_net: Arrays, of_baseline: Arrays, protocol: Protocol, confidence: float
) -> list[Cells]:
    """How much more accurate a net is than its baseline at every eps, under the weak attack and in the worst case."""
    both = of_net, of_baseline
    pairs = {
        "weak_gain": [outcomes[protocol.weak] for outcomes in both],
        "worst_gain": [worst_case(outcomes, protocol) for outcomes in both],
    }
    lost = np.any([not_finite(outcomes, protocol.weak) | unknown(outcomes, protocol) for outcomes in both], axis=0)
    rows = []
    for i, eps in enumerate(protocol.eps):
        kept = ~lost[i]
        if not kept.any():
            raise ValueError(f"worst_case.nets.{net}: no image can be judged for it and {baseline}; {NOTHING_LEFT}")
        row: Cells = {"net": net, "baseline": baseline, "eps": eps}
        row |= {"n_images": int(kept.sum()), "n_not_finite": int(lost[i].sum())}
        for kind, (ours, theirs) in pairs.items():
            estimate, low, high = paired_difference(ours[i][kept], theirs[i][kept], confidence)
            row |= {kind: estimate, f"{kind}_low": low, f"{kind}_high": high}
        rows.append({**row, "verdict": gain_verdict(row)})
    return rows


def gain_verdict(row: Cells) -> str:
    """Is the net more robust than its baseline, as the weak attack has it?

    `holds`: more accurate under the weak attack and in the worst case, both intervals above 0. `masked`: under the weak
    attack alone. `fails`: not more accurate under the weak attack, its interval below 0. Else `inconclusive`.
    """
    if row["weak_gain_low"] > 0:
        return "holds" if row["worst_gain_low"] > 0 else "masked"
    return "fails" if row["weak_gain_high"] < 0 else "inconclusive"
