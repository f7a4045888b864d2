"""Attack all nets of one set.

    python stages/trials_measure.py SET --params params.yaml      # a key of `trials`
reads   data/<study>/trials/SET/nets/  ·  data/datasets/<dataset>.npz
writes  data/<study>/trials/SET/outcomes/, nothing of a net whose training diverged:
        <net>.npz  ·  over a grid: gradient_l1, gradient_l2 (N,), and for every attack the arrays of a sweep, as
        <attack>/eps  ·  at a few eps: eps (E,), label (N,), clean/rank (N,), and for every attack <attack>/rank (E, n),
        <attack>/not_finite (n,)
        transfer/<source>.npz, of nets that `transfer` names  ·  eps (E,), clean/<target>/rank (n,),
        <attack>/<target>/rank (E, n)
        .ckpt/outcomes/: every file as soon as it is there; a run goes on with those it lacks
"""

import json
from pathlib import Path

from advlaw.attacks.settings import Attacks, Grid
from advlaw.core.code import sha256
from advlaw.core.command import run, stage_arguments
from advlaw.core.dataset import dataset_path
from advlaw.core.runtime import configure
from advlaw.core.section import read_section, read_sections
from advlaw.core.workers import Pool, Workers, collect
from advlaw.trials.outcomes import outcomes
from advlaw.trials.plan import Measured, Setting
from advlaw.trials.settings import TrialSet


def main() -> None:
    arguments = stage_arguments(__doc__, "set")
    name, params = arguments.set, arguments.params
    settings = read_section(params, f"trials.{name}", TrialSet)
    study, seed, device_name, portable = read_sections(params, study=str, seed=int, device=str, portable=bool)
    attacks, workers, grid = read_sections(params, attacks=Attacks, workers=Workers, attack=Grid)
    device = configure(1, device_name, portable)
    dataset, how = dataset_path(settings.dataset), settings.measure
    setting = Setting(dataset.absolute(), sha256(dataset), seed, device.type, portable)
    folder = Path("data") / study / "trials" / name
    rows = json.loads((folder / "nets" / "nets.json").read_text("utf-8"))["nets"]
    kept = sorted((row for row in rows if not row["diverged"]), key=lambda row: row["flops"], reverse=True)
    nets = [
        Measured(row["net"], row["spec"], (folder / "nets" / f"{row['net']}.safetensors").absolute()) for row in kept
    ]
    with Pool(workers.on(device.type, share_a_gpu=True)) as pool:
        found = outcomes(pool, nets, setting, attacks, how, grid)
    (folder / "outcomes").mkdir(parents=True, exist_ok=True)
    collect({folder / "outcomes" / f"{file}.npz": path for file, path in found.items()})
    print(f"{folder / 'outcomes'}: {len(nets)} nets under {', '.join(how.attacks)}")


if __name__ == "__main__":
    run(main)
