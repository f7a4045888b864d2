"""Attack every net of a population, fit its exponents, and write one table.

    python stages/population_sweep.py --params params.yaml
reads   data/<study>/population/:  nets.json  ·  <net>.safetensors
        data/datasets/<dataset>.npz
writes  plots/<study>/population/:  nets.csv (a row for every net and attack)  ·  curves.csv  ·  exponents.csv
        .ckpt/attacked/: every net's rows as soon as they are there; a run goes on with those it lacks
"""

import json
from functools import partial
from pathlib import Path

from advlaw.claims.verdict import POPULATION_RANGES
from advlaw.config.attack import Grid, OneStepAttack
from advlaw.config.fit import Fit
from advlaw.config.population import PopulationSweep, Workers
from advlaw.config.section import read_section, read_sections
from advlaw.core.command import run, stage_arguments
from advlaw.core.runtime import configure
from advlaw.experiments.fan_out import cache_path, code_sha256, fan_out, sha256
from advlaw.experiments.population import Sampled
from advlaw.experiments.population_summary import write_tables
from advlaw.experiments.population_table import Protocol, Trained, columns, measured


def main() -> None:
    params = stage_arguments(__doc__).params
    study, seed, device_name, eps, fit, settings = read_sections(
        params, study=str, seed=int, device=str, attack=Grid, fit=Fit, population_sweep=PopulationSweep
    )
    workers = read_section(params, "population.workers", Workers)
    dataset = Path("data/datasets") / f"{read_section(params, 'population.dataset', str)}.npz"
    attacks = read_section(params, "attacks.one_step", dict[str, OneStepAttack])
    attacks = {name: attacks[name] for name in settings.attacks}
    device = configure(1, device_name)
    if device.type == "cuda":
        workers = Workers(backend="loky", processes=1)  # in this process, which has the GPU
    folder = Path("data") / study / "population"
    nets = json.loads((folder / "nets.json").read_text("utf-8"))["nets"]
    protocol = Protocol(dataset.absolute(), attacks, eps, tuple(settings.reference_eps), fit, seed)
    common = {**protocol.as_json(), "data": sha256(dataset), "code": code_sha256(measured), "device": device.type}
    items, paths = {}, {}
    for row in sorted(nets, key=lambda row: row["flops"], reverse=True):  # the longest sweeps first
        name, path = row["net"], folder / f"{row['net']}.safetensors"
        items[name] = Trained(Sampled(name, row["spec"]), path.absolute(), row["diverged"])
        paths[name] = cache_path("attacked", {**common, "net": name, "weights": sha256(path)})
    work = partial(measured, protocol, device.type)
    fan_out(work, list(items.values()), list(paths.values()), workers, "attack nets")

    found = {row["net"]: json.loads(paths[row["net"]].read_text("utf-8")) for row in nets}
    target = Path("plots") / study / "population"
    write_tables(target, nets, found, columns(settings.reference_eps), POPULATION_RANGES, fit.confidence)
    print(f"{target}: {len(nets)} nets under {', '.join(attacks)}")


if __name__ == "__main__":
    run(main)
