"""Published nets of a folder data set: clean accuracies beside those published, and every two nets on the same images.

plots/<study>/published/nets.csv has a line for each such net, pairs.csv one for each two of them that are attacked
alike, at the point of the grid nearest to each of `AT`. Both are empty where no data set of a study is a folder.
"""

from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import numpy as np

from advlaw.core.io import Arrays, Cells
from advlaw.core.tables import write_table
from advlaw.fitting.paired import Moved, difference
from advlaw.fitting.proportions import wilson
from advlaw.tables.curves import SweptCurve

ATTACKS = ("fgsm", "step_ll")
AT = (0.2, 8.0)  # pixel units: of Cubuk Sec. 1, and where training on adversarial examples protects
ENDS = ("", "_low", "_high")
SHARES = ("top1", "top5")
NET_COLUMNS = (
    *("net", "network", "dataset", "holds", "defence", "stands_for", "n_images"),
    *(f"{share}{end}" for share in SHARES for end in ENDS),
    "published_accuracy",
)
PAIR_COLUMNS = (
    *("net", "other", "dataset", "attack", "at", "eps", "n_images"),
    *("error", "error_other", *(f"difference{end}" for end in ENDS)),
    *("net_error", "net_error_other", *(f"net_difference{end}" for end in ENDS)),
)


@dataclass(frozen=True)
class Errors:
    """Of one net under one attack: which images (N,) it has a number for, and of those which are wrong when clean and
    at the eps (A,) of the grid that are nearest to `AT`, (A, N)."""

    label: np.ndarray
    judged: np.ndarray
    was_wrong: np.ndarray
    eps: np.ndarray
    wrong: np.ndarray

    @classmethod
    def of(cls, arrays: Arrays) -> "Errors":
        """From the arrays of a sweep's file."""
        at = [int(np.abs(np.log(arrays["eps"] / eps)).argmin()) for eps in AT]
        label = arrays["label"]
        was_wrong, wrong = arrays["clean_prediction"] != label, arrays["prediction"][at] != label
        return cls(label, ~arrays["not_finite"], was_wrong, arrays["eps"][at], wrong)


@dataclass
class PublishedTables:
    """Collects the curves of nets whose data set says what it `holds`; the rows of models are those of models.csv."""

    models: list[Cells]
    confidence: float
    counts: dict[str, int] = field(default_factory=dict)
    errors: dict[tuple[str, str], dict[str, Errors]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.models = [row for row in self.models if row.get("holds")]

    def add(self, curve: SweptCurve, arrays: Arrays) -> None:
        dataset = next((row["dataset"] for row in self.models if row["model"] == curve.sweep.model), None)
        if dataset is None or curve.snapshot is not None or curve.sweep.split != "test":
            return
        self.counts[curve.sweep.model] = len(arrays["label"])
        if curve.attack_name in ATTACKS:
            of_nets = self.errors.setdefault((dataset, curve.attack_name), {})
            of_nets[curve.sweep.model] = Errors.of(arrays)

    def write(self, folder: Path) -> None:
        write_table(folder / "nets.csv", map(self._net, self.models), NET_COLUMNS)
        pairs = (
            {"net": net, "other": other, "dataset": dataset, "attack": attack, **row}
            for (dataset, attack), found in self.errors.items()
            for net, other in combinations(found, 2)
            for row in pair_rows(found[net], found[other], self.confidence)
        )
        write_table(folder / "pairs.csv", pairs, PAIR_COLUMNS)

    def _net(self, model: Cells) -> Cells:
        """Of a net that nothing attacks it is not known here how many images its accuracies are of."""
        n = self.counts.get(model["model"])
        row: Cells = {"net": model["model"], "n_images": n, "published_accuracy": model.get("published_accuracy")}
        row |= {name: model.get(name) for name in ("network", "dataset", "holds", "defence", "stands_for")}
        for share, column in zip(SHARES, ("test_accuracy", "test_top5_accuracy"), strict=True):
            value = model.get(column)
            ends = (None, None) if n is None or value is None else wilson(round(value * n), n, self.confidence)
            row |= dict(zip((f"{share}{end}" for end in ENDS), (value, *ends), strict=True))
        return row


def pair_rows(one: Errors, other: Errors, confidence: float) -> list[Cells]:
    """How much larger the errors of the first net are than the other's, at each eps: top-1 errors, and net errors.

    Over the images that both have numbers for; the nets must have seen the same ones. The net error of an image is its
    error less that when clean, so that one which becomes right counts -1. Raises ValueError for other images or eps.
    """
    if not (np.array_equal(one.label, other.label) and np.array_equal(one.eps, other.eps)):
        raise ValueError("two nets of one data set were attacked on other images, or at other eps: sweep both again")
    judged = one.judged & other.judged
    rows = []
    for i, (at, eps) in enumerate(zip(AT, one.eps.tolist(), strict=True)):
        row: Cells = {"at": at, "eps": eps, "n_images": int(judged.sum())}
        wrong = [net.wrong[i][judged].astype(float) for net in (one, other)]
        change = [now - net.was_wrong[judged] for now, net in zip(wrong, (one, other), strict=True)]
        for before, values in (("", wrong), ("net_", change)):
            first, second = (mean(per_image) for per_image in values)
            row |= {f"{before}error": first.value, f"{before}error_other": second.value}
            ends = difference(first, second, confidence)
            row |= dict(zip((f"{before}difference{end}" for end in ENDS), ends, strict=True))
        rows.append(row)
    return rows


def mean(per_image: np.ndarray) -> Moved:
    """The mean of a number (N,) for each image, and how far each moves it."""
    value = float(per_image.mean())
    return Moved(value, (per_image - value) / len(per_image))
