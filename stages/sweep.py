"""Attack one trained model over the whole grid of eps and record which class every image is given.

    python stages/sweep.py SWEEP --params params.yaml      # a key of `sweeps`
reads   models/<study>/<model>/  ·  the data set that its row.json names
writes  data/<study>/sweeps/SWEEP/<attack>.npz, on snapshots from training <attack>@<accuracy>.npz:  eps (E,)
        ·  prediction, top5 (E, N)  ·  clean_prediction, clean_top5, clean_margin, label, zero_gradient, not_finite (N,)
        ·  one-step: threshold, threshold_class, recovery, reflips (N,)  ·  others: bracket (N, 2)
"""

import itertools
from pathlib import Path

import numpy as np

from advlaw.attacks.settings import KINDS, Grid
from advlaw.core.command import run, stage_arguments
from advlaw.core.examples import examples_of, shown
from advlaw.core.io import write_npz
from advlaw.core.runtime import configure
from advlaw.core.section import read_section, read_sections
from advlaw.core.workers import Pool, Workers
from advlaw.evaluation.settings import Sweep, curve_name
from advlaw.evaluation.shards import Sharded, sweep_in_shards
from advlaw.evaluation.sweep import Randomness
from advlaw.evaluation.swept import swept
from advlaw.models.store import at_accuracy, fitted_labels, has_state, load_model, stored


def main() -> None:
    arguments = stage_arguments(__doc__, "sweep")
    params = arguments.params
    sweep = read_section(params, f"sweeps.{arguments.sweep}", Sweep)
    eps = read_section(params, "attack", Grid)
    study, seed, threads, device_name, portable = read_sections(
        params, study=str, seed=int, threads=int, device=str, portable=bool
    )
    device = configure(threads, device_name, portable)
    folder = Path("models") / study / sweep.model
    shuffled = fitted_labels(folder) if sweep.split == "train" else None
    examples = examples_of(folder, sweep.split, device, shuffled)

    states = [state for state in sweep.states() if has_state(folder, at_accuracy(state))]
    with Pool(read_section(params, "workers", Workers).on(device.type)) as pool:
        for state, name in itertools.product(states, sweep.attacks):
            attack = read_section(params, f"attacks.{sweep.family}.{name}", KINDS[sweep.family])
            randomness, curve = Randomness(seed, ("sweep", arguments.sweep, name)), curve_name(name, state)
            if sweep.shard is None:
                model = load_model(folder, device, at_accuracy(state))
                arrays = swept(model, examples.images, examples.labels, sweep.family, attack, eps, randomness)
            else:
                net, images = stored(folder, at_accuracy(state)), shown(folder)
                plan = Sharded(net, images, sweep.split, sweep.family, attack, eps, randomness, device.type, portable)
                arrays = sweep_in_shards(pool, plan, len(examples.labels), sweep.shard, f"{arguments.sweep} {curve}")
            write_npz(Path("data") / study / "sweeps" / arguments.sweep / f"{curve}.npz", arrays)
            print(f"{arguments.sweep} {curve}: {_said(arrays)} at eps {arrays['eps'][-1]:g}", flush=True)


def _said(arrays: dict[str, np.ndarray]) -> str:
    """How many images are wrong in the end, and how many are not judged; ValueError where none is."""
    judged = ~arrays["not_finite"]
    n_lost = int((~judged).sum())
    if not judged.any():
        raise ValueError(
            f"every one of {n_lost} images has logits or a gradient that are no numbers at some eps, so nothing can be "
            "judged; lower attack.eps_max, or see what the net divides by or takes a root of beyond [0, 255]"
        )
    wrong = (arrays["prediction"][-1] != arrays["label"])[judged].mean()
    lost = f", {n_lost} more not judged (logits or gradients that are no numbers)" if n_lost else ""
    return f"{judged.sum()} images{lost}, error {wrong:.4f}"


if __name__ == "__main__":
    run(main)
