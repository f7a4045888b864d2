"""The exponent of nets and data that had no part in choosing the estimator's prior, chunk by chunk of test images.

    python benchmarks/validation.py            # half an hour on one core
writes  benchmarks/validation.csv

Nets of one and of five hidden layers are trained on clusters of two other noises and Bayes errors than the studies',
and attacked with FGSM and PGD. Margins of so smooth a distribution have a positive density at 0, so the exponent is 1;
the whole test set says so too. A row: one net, attack and estimator; `coverage` is the share of chunks whose interval
holds 1.
"""

import math
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from coverage import HERE, by_old, by_small_eps

from advlaw.attacks.settings import Grid, IterativeAttack, OneStepAttack, RelativeStep
from advlaw.core.dataset import read_dataset, write_dataset
from advlaw.core.examples import examples
from advlaw.core.io import Arrays, Cells
from advlaw.core.rng import Numbers
from advlaw.core.runtime import configure
from advlaw.core.tables import write_table
from advlaw.data.clusters import clusters
from advlaw.evaluation.sweep import Randomness
from advlaw.evaluation.swept import swept
from advlaw.fitting.changes import of_outcomes
from advlaw.fitting.outcomes import outcomes
from advlaw.training.settings import Net
from advlaw.trials.net import trained

DATA = {"calm": (12.0, 0.1), "noisy": (40.0, 0.02)}  # standard deviation in pixel units, Bayes error
WIDTHS = {"fc 100": [100], "fc 5 x 100": [100] * 5}
TRAIN, TEST, CHUNK = 5000, 100_000, 10_000
ATTACKS = {
    "fgsm": ("one_step", OneStepAttack(direction="sign", clip=False), Grid(eps_min=0.01, eps_max=64.0, count=40), TEST),
    "pgd": (
        "iterative",
        IterativeAttack(steps=10, step_size=RelativeStep(relative=0.25), clip=False),
        Grid(eps_min=0.05, eps_max=12.8, count=25),
        TEST // 2,
    ),
}


def rows() -> Iterator[Cells]:
    device = configure(threads=1, device="cpu", portable=True)
    for name, (noise, bayes_error) in DATA.items():
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "images.npz"
            counts = {"train": TRAIN, "validation": 1000, "test": TEST}
            write_dataset(file, clusters(counts, 10, 8, noise, bayes_error, seed=1))
            for net, widths in WIDTHS.items():
                for attack, arrays in attacked(file, net, widths, device).items():
                    for row in judged(arrays, np.random.default_rng(0)):
                        yield {"images": f"clusters, {name}", "net": net, "attack": attack, **row}


def attacked(file: Path, net: str, widths: list[int], device: torch.device) -> dict[str, Arrays]:
    """What every attack does to the net, once it is trained on the images in the file."""
    entry = {"dataset": "clusters", "arch": "fc", "widths": widths, "epochs": 6, "learning_rate": 0.001}
    found = trained(net, Net.model_validate(entry), file, Numbers(0, (net,)), device)
    model = found.model.eval().requires_grad_(False)
    test = examples(read_dataset(file), "test", device)
    return {
        attack: swept(model, test.images[:n], test.labels[:n], family, settings, grid, Randomness(0, (net, attack)))
        for attack, (family, settings, grid, n) in ATTACKS.items()
    }


def judged(arrays: Arrays, rng: np.random.Generator) -> Iterator[Cells]:
    """The exponent of all images, and how those of the chunks lie about 1; a row for every estimator."""
    n_images = len(arrays["label"])
    chunks = [part(arrays, slice(start, start + CHUNK)) for start in range(0, n_images, CHUNK)]
    whole = by_small_eps(of_outcomes(outcomes(arrays)), False)
    found = [
        {"small_eps": by_small_eps(of_outcomes(chunk), False), **by_old(chunk, "gross", rng)}
        for chunk in map(outcomes, chunks)
    ]
    for estimator in found[0]:
        known = [values for one in found if (values := one[estimator]) is not None]
        b, low, high, _, _ = np.array(known).T
        ends = whole[:3] if whole is not None and estimator == "small_eps" else (None, None, None)
        half = float(np.median(high - low) / 2)
        yield {
            "estimator": estimator,
            "n_images": CHUNK,
            "n_chunks": len(chunks),
            "clean_accuracy": float((arrays["clean_prediction"] == arrays["label"]).mean()),
            "without": 1 - len(known) / len(chunks),
            "mean": float(b.mean()),
            "spread": float(b.std(ddof=1)),
            "coverage": float(((low <= 1) & (high >= 1)).mean()),
            "half_width": half if math.isfinite(half) else None,
            **dict(zip(("exponent", "exponent_low", "exponent_high"), ends, strict=True)),
        }


def part(arrays: Arrays, images: slice) -> Arrays:
    """The arrays of some of the images, which are their last axis but of brackets and of eps."""
    cut = {"eps": arrays["eps"]} | ({"bracket": arrays["bracket"][images]} if "bracket" in arrays else {})
    return {name: values[..., images] for name, values in arrays.items() if name not in cut} | cut


def main() -> None:
    found = list(rows())
    for row in found:
        print("  ".join(f"{value:.3g}" if isinstance(value, float) else str(value) for value in row.values()))
    write_table(HERE / "validation.csv", found)


if __name__ == "__main__":
    main()
