"""A new architecture is a file in models/ and a class in its settings: it trains, is swept, varied and audited."""

import json

import numpy as np
import pytest
from raw_csv import read_csv
from repository import ROOT, ran

from advlaw.core.dataset import read_dataset
from advlaw.core.io import read_npz

FILE = '''"""One layer of squared units: logits are W (A x + b)^2 + c."""

import math

from torch import Tensor, nn

from advlaw.models.classifier import AffineHead, Classifier


def build(image_shape: tuple[int, int, int], n_classes: int, units: int) -> Classifier:
    head = AffineHead(nn.Linear(math.prod(image_shape), units), image_shape[0])
    return Classifier(head, _Squares(units, n_classes))


class _Squares(nn.Module):
    def __init__(self, units: int, n_classes: int) -> None:
        super().__init__()
        self.last = nn.Linear(units, n_classes)

    def forward(self, features: Tensor) -> Tensor:
        return self.last(features.square() / 8)
'''
CLASS = """

class Squared(Architecture):
    arch: Literal["squared"]
    units: Size


ARCHITECTURES: dict"""
MODEL = """models:
  squares:
    dataset: digits
    arch: squared
    units: 48
    epochs: 10
    learning_rate: 0.003
"""
SWEEP = """sweeps:
  squares:
    model: squares
    family: one_step
    attacks:
    - fgsm
"""
VARIANT = "      squares: {arch: squared, units: 32, adversarial: null}\n"


@pytest.mark.slow
def test_a_new_architecture_is_one_file_and_one_class(repository):
    (repository.folder / "src/advlaw/models/squared.py").write_text(FILE, encoding="utf-8")
    repository.change("\n\nARCHITECTURES: dict", CLASS, "src/advlaw/models/settings.py")
    repository.change("models:\n", MODEL)
    repository.change("sweeps:\n", SWEEP)
    repository.change("      plain: {adversarial: null}\n", VARIANT + "      plain: {adversarial: null}\n")
    output = repository.dvc("repro", "sweep@squares", "trials_tables@varied")
    assert {"train@squares", "sweep@squares", "trials_train@varied"} <= ran(output)
    model = json.loads(repository.text("models/small/squares/row.json"))
    assert (model["arch"], model["n_parameters"]) == ("squared", 65 * 48 + 49 * 10)
    assert model["test_accuracy"] > 0.8  # 0.1 by chance
    swept = read_npz(repository.folder / "data/small/sweeps/squares/fgsm.npz")
    assert (swept["clean_prediction"] == swept["label"]).mean() == model["test_accuracy"]
    assert np.isfinite(swept["threshold"]).mean() > 0.1  # of the decisions that change up to eps 16
    plots = repository.folder / "plots/small"
    rows = read_csv(plots / "trials/varied/nets.csv")
    assert {row["arch"] for row in rows if row["net"] == "squares"} == {"squared"}

    images, labels = read_dataset(repository.folder / "data/datasets/digits.npz").split("test")
    np.savez(repository.folder / "digits.npz", images=images[:600], labels=labels[:600])
    arguments = '{"image_shape": [1, 8, 8], "n_classes": 10, "units": 48}'
    audited = ("--model", "advlaw.models.squared:build", "--arguments", arguments, "--mean", "0", "--std", "1")
    weights = ("--weights", "models/small/squares/weights.safetensors", "--data", "digits.npz", "--count", "8")
    program = str(ROOT / "tests/one_process.py")
    output = repository.run(
        "env", "PYTHONPATH=src", "python", program, "audit", *audited, *weights, "--steps", "0", "--threads", "1"
    )
    assert "fgsm     (gross error)  B = " in output
