"""Follow one net's logits under attack: how they respond to a small perturbation, and where decisions really change.

    python stages/response.py MODEL --params params.yaml      # a key of `response.nets`
reads   models/<study>/MODEL/  ·  the data set that its row.json names
writes  data/<study>/responses/MODEL/:  logits.npz: logits (N, K), label (N,), dataset ()
        ·  epochs/<number>.npz: logits (N, K)
        ·  <attack>.npz: gamma (n, K), threshold, threshold_class, recovery, zero_gradient, not_finite (n,)
        and scale ()
        ·  rays.npz: eps (E,), image (n,), logits (E, n, K), gamma (n, K), residual_eps (R,), residual (R, m)
"""

import math
from pathlib import Path

import numpy as np

from advlaw.attacks.settings import OneStepAttack
from advlaw.core.command import run, stage_arguments
from advlaw.core.examples import examples_of, shown
from advlaw.core.io import write_npz
from advlaw.core.runtime import configure
from advlaw.core.section import read_section, read_sections
from advlaw.evaluation.response import L2, follow_rays, measure_logits, measure_response
from advlaw.evaluation.sweep import Randomness, grid
from advlaw.models.store import at_epoch, kept_epochs, load_model
from advlaw.theory.settings import Rays, ResponseNet


def main() -> None:
    arguments = stage_arguments(__doc__, "model")
    name, params = arguments.model, arguments.params
    net = read_section(params, f"response.nets.{name}", ResponseNet)
    rays = read_section(params, "response.rays", Rays)
    attacks = read_section(params, "attacks.one_step", dict[str, OneStepAttack])
    study, seed, threads, device_name, portable = read_sections(
        params, study=str, seed=int, threads=int, device=str, portable=bool
    )
    device = configure(threads, device_name, portable)
    model_folder, folder = Path("models") / study / name, Path("data") / study / "responses" / name
    test = examples_of(model_folder, "test", device)
    some = test.first(net.images)

    for epoch in kept_epochs(model_folder):
        logits = measure_logits(load_model(model_folder, device, at_epoch(epoch)), test.images)
        write_npz(folder / "epochs" / f"{epoch}.npz", {"logits": logits})
    model = load_model(model_folder, device)
    about = {"label": test.labels.cpu().numpy(), "dataset": np.array(shown(model_folder).dataset.stem)}
    write_npz(folder / "logits.npz", {"logits": measure_logits(model, test.images), **about})
    for key, attack in {"l2": L2, **{key: attacks[key] for key in net.attacks}}.items():
        eps = grid(rays.eps_min, rays.eps_max, rays.count, attack.norm, math.prod(some.images.shape))
        found = measure_response(
            model, some.images, some.labels, attack, eps, Randomness(seed, ("response", name, key))
        )
        if found["not_finite"].all():
            raise ValueError(
                f"response.nets.{name}, {key}: every image has logits or a gradient that are no numbers up to "
                f"response.rays.eps_max = {rays.eps_max:g}; lower it, or see what the net divides by or takes a root of"
            )
        write_npz(folder / f"{key}.npz", {**found, "scale": np.array(eps[0] / rays.eps_min)})
        print(f"{name} {key}: {np.isfinite(found['threshold']).sum()} of {len(some.labels)} images flip", flush=True)
        if attack is L2:
            write_npz(folder / "rays.npz", follow_rays(model, some.images, some.labels, found["threshold"], eps, rays))


if __name__ == "__main__":
    run(main)
