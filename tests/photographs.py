"""The tables of a study of published nets on a folder of photographs, whose laws are known."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from conftest import one_step
from small_tables import FIT, RAYS, write_law_tables
from test_fitting import planted

from advlaw.evaluation.settings import Sweep
from advlaw.fitting.fit import Fitted
from advlaw.fitting.outcomes import outcomes
from advlaw.tables.curves import CurveTables, SweptCurve
from advlaw.tables.published import PublishedTables
from advlaw.tables.theory import TheoryTables
from advlaw.theory.settings import Theory

N_CLASSES = 1000
TRAINED_HERE = ("optimizer", "learning_rate", "schedule", "epochs", "entropy_weight", "adversarial_images")


@dataclass(frozen=True)
class Net:
    """Its errors are fgsm * eps under FGSM and step_ll * eps^2 under step l.l."""

    name: str
    clean: float
    fgsm: float
    step_ll: float
    network: str | None = "mobilenetv2_100"
    defence: str | None = None
    stands_for: str | None = None

    def row(self, holds: str | None) -> dict:
        """As the stage that takes published nets writes it."""
        return {
            "model": self.name,
            "dataset": "photographs",
            "holds": holds,
            "arch": "timm",
            "network": self.network,
            "labels": "original",
            **dict.fromkeys((*TRAINED_HERE, "overfitted_at", "train_accuracy", "validation_accuracy")),
            "defence": self.defence,
            "stands_for": self.stands_for,
            "n_pixels": 150528,
            "n_parameters": 3504872,
            "published_accuracy": round(self.clean - 0.01, 3),
            "test_accuracy": self.clean,
            "test_top5_accuracy": self.clean + 0.15,
            "device": "cpu",
            "snapshots": [],
        }


NETS = (
    Net("nasnet", 0.82, 0.6, 0.5, "nasnetalarge.tf_in1k"),
    Net("inception", 0.78, 0.9, 0.8, "inception_v3.tf_in1k"),
    Net("robust", 0.77, 0.7, 0.1, "inception_resnet_v2.tf_ens_adv_in1k", "ensemble adversarial", "Inception-ResNet v2"),
)
ATTACKS = {"fgsm": one_step(), "step_ll": one_step(target="least_likely")}


def write_photograph_tables(folder: Path, nets=NETS, n: int = 1000, holds="imagenet sample") -> None:
    """What the stages fit and laws write of these nets."""
    rows = [net.row(holds) for net in nets]
    tables, published = CurveTables(rows, FIT), PublishedTables(rows, FIT.confidence)
    for i, net in enumerate(nets):
        for attack, (a, b) in {"fgsm": (net.fgsm, 1.0), "step_ll": (net.step_ll, 2.0)}.items():
            arrays = planted(np.random.default_rng(i), n, a, b, net.clean, repaired=0.0 if b == 1.0 else 0.3)
            sweep = Sweep(model=net.name, family="one_step", attacks=[attack])
            counts = {"n_zero_gradient": 0, "n_not_finite": 0}
            curve = SweptCurve(net.name, attack, None, sweep, ATTACKS[attack], counts)
            tables.add(curve, Fitted(outcomes(arrays), FIT, np.random.default_rng(0)))
            published.add(curve, arrays)
    tables.write(folder)
    published.write(folder / "published")
    write_law_tables(folder)


def write_gap_tables(folder: Path, nets=NETS, n: int = 1000) -> None:
    """What the stage theory writes of their clean logits, of 1,000 classes."""
    made = TheoryTables(RAYS, FIT, Theory(cut_offs=[0.1], compared=[]), seed=0)
    for i, net in enumerate(nets):
        rng = np.random.default_rng(i)
        logits = rng.normal(size=(n, N_CLASSES)) * rng.uniform(1.0, 3.0)
        logits[:, 0] += 4 + 4 * rng.random(n)
        label = np.where(rng.random(n) < net.clean, logits.argmax(axis=1), -1)
        made.add_net(net.name, {"logits": logits, "label": label, "dataset": np.array("photographs")}, {})
    made.write(folder / "theory")
