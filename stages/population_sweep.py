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

from advlaw.config.attack import Grid, OneStepAttack
from advlaw.config.fit import Fit
from advlaw.config.population import PopulationSweep, Workers
from advlaw.config.section import read_section, read_sections
from advlaw.core.command import run, stage_arguments
from advlaw.core.runtime import configure
from advlaw.papers.ranges import POPULATION_RANGES
from advlaw.tables.trials import write_tables
from advlaw.trials.measure import Protocol, Trained, columns, measured
from advlaw.trials.train import Sampled
from advlaw.trials.workers import cache_path, code_sha256, fan_out, sha256


def main() -> None:
    params = stage_arguments(__doc__).params
    study, seed, device_name, portable = read_sections(params, study=str, seed=int, device=str, portable=bool)
    eps, fit, settings = read_sections(params, attack=Grid, fit=Fit, population_sweep=PopulationSweep)
    workers = read_section(params, "population.workers", Workers)
    dataset = Path("data/datasets") / f"{read_section(params, 'population.dataset', str)}.npz"
    attacks = read_section(params, "attacks.one_step", dict[str, OneStepAttack])
    device = configure(1, device_name, portable)
    if device.type == "cuda":
        workers = Workers(backend="loky", processes=1)  # in this process, which has the GPU
    folder = Path("data") / study / "population"
    nets = json.loads((folder / "nets.json").read_text("utf-8"))["nets"]
    protocols = [
        Protocol(dataset.absolute(), name, attacks[name], eps, tuple(settings.reference_eps), fit, seed, portable)
        for name in settings.attacks
    ]
    common = {"data": sha256(dataset), "device": device.type}
    code = {arch: code_sha256(measured, f"advlaw.models.{arch}") for arch in ("fc", "cnn")}
    calls, paths = [], {}
    for row in sorted(nets, key=lambda row: row["flops"], reverse=True):  # the longest sweeps first
        path, spec = folder / f"{row['net']}.safetensors", row["spec"]
        own = {**common, "net": row["net"], "weights": sha256(path), "code": code[spec["arch"]]}
        item = Trained(Sampled(row["net"], spec), path.absolute(), row["diverged"])
        for protocol in protocols:
            calls.append((protocol, item))
            paths[row["net"], protocol.name] = cache_path("attacked", {**own, **protocol.as_json()})
    fan_out(partial(measured, device.type), calls, list(paths.values()), workers, "attack nets")

    found = {
        row["net"]: [json.loads(paths[row["net"], name].read_text("utf-8")) for name in settings.attacks]
        for row in nets
    }
    target = Path("plots") / study / "population"
    write_tables(target, nets, found, columns(settings.reference_eps), POPULATION_RANGES, fit.confidence)
    print(f"{target}: {len(nets)} nets under {', '.join(settings.attacks)}")


if __name__ == "__main__":
    run(main)
