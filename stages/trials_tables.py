"""Write the tables of one set: exponents of its nets, or accuracies at a few eps; nets beside their baselines.

    python stages/trials_tables.py SET --params params.yaml      # a key of `trials`
reads   data/<study>/trials/SET/:  nets/nets.json  ·  outcomes/<net>.npz  ·  outcomes/transfer/<net>.npz
writes  plots/<study>/trials/SET/:  nets.csv (a row for every net and attack)  ·  curves.csv
        ·  of a drawn set exponents.csv, how they are distributed  ·  of a varied one differences.csv
        ·  of one at a few eps nets.csv (a row for every net)  ·  accuracy.csv  ·  differences.csv
        ·  replicates.csv  ·  leaking.csv  ·  transfer.csv, where the params ask for it
        .ckpt/estimates/: every net's rows as soon as they are there; a run goes on with those it lacks
"""

import json
import math
from pathlib import Path

import numpy
import scipy

from advlaw.attacks.settings import Attacks
from advlaw.core.code import code_sha256, sha256
from advlaw.core.command import run, stage_arguments
from advlaw.core.io import Cells
from advlaw.core.kept import kept_path
from advlaw.core.rng import generator
from advlaw.core.section import read_section, read_sections
from advlaw.core.workers import Pool, Workers
from advlaw.fitting.settings import Fit
from advlaw.papers.ranges import POPULATION_RANGES
from advlaw.tables.at_eps.write import write_at_eps
from advlaw.tables.trial import Estimates, unmeasured
from advlaw.tables.trials import write_differences, write_exponents, write_tables
from advlaw.trials.settings import AtEps, Drawn, TrialSet


def main() -> None:
    arguments = stage_arguments(__doc__, "set")
    name, params = arguments.set, arguments.params
    settings = read_section(params, f"trials.{name}", TrialSet)
    study, seed, attacks, fit, workers = read_sections(
        params, study=str, seed=int, attacks=Attacks, fit=Fit, workers=Workers
    )
    folder, target = (Path(root) / study / "trials" / name for root in ("data", "plots"))
    nets = json.loads((folder / "nets" / "nets.json").read_text("utf-8"))["nets"]
    how, outcomes = settings.measure, folder / "outcomes"
    if isinstance(how, AtEps):
        rng = generator(seed, "trials", "transfer", name)
        write_at_eps(target, nets, outcomes, how, attacks, fit.confidence, rng)
    else:
        files = {row["net"]: outcomes / f"{row['net']}.npz" for row in nets if not row["diverged"]}
        n_pixels = math.prod(nets[0]["spec"]["image_shape"]) if nets else 0
        estimates = Estimates(
            {key: attacks.by_key(key) for key in how.attacks}, n_pixels, tuple(how.reference_eps), fit, seed
        )
        found = estimated(estimates, files, workers)
        measured = {row["net"]: found.get(row["net"], unmeasured(estimates.attacks)) for row in nets}
        is_drawn = isinstance(settings, Drawn)
        rows = write_tables(target, nets, measured, how.reference_eps, not is_drawn)
        if is_drawn:
            write_exponents(target, rows, POPULATION_RANGES, fit.confidence)
        else:
            write_differences(target, nets, files, how.attacks, fit.confidence)
    print(f"{target}: {len(nets)} nets under {', '.join(how.attacks)}")


def estimated(estimates: Estimates, files: dict[str, Path], workers: Workers) -> dict[str, list[Cells]]:
    """What is estimated of every net, from its file of outcomes or from what is kept."""
    common = {
        **estimates.as_json(),
        "code": code_sha256("advlaw.tables.trial"),
        "versions": [numpy.__version__, scipy.__version__],
    }
    paths = {
        net: kept_path("estimates", {**common, "net": net, "outcomes": sha256(file)}) for net, file in files.items()
    }
    with Pool(workers) as pool:
        pool.fan_out(estimates.of, list(files.items()), list(paths.values()), "estimate")
    return {net: json.loads(path.read_text("utf-8")) for net, path in paths.items()}


if __name__ == "__main__":
    run(main)
