"""Estimate the exponents of every net of one set, compare nets with their baselines, and write the set's tables.

    python stages/trials_tables.py SET --params params.yaml      # a key of `trials`
reads   data/<study>/trials/SET/:  nets/nets.json  ·  outcomes/<net>.npz
writes  plots/<study>/trials/SET/:  nets.csv (a row for every net and attack)  ·  curves.csv
        ·  of a drawn set exponents.csv, how they are distributed  ·  of a varied one differences.csv
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
from advlaw.core.section import read_section, read_sections
from advlaw.fitting.settings import Fit
from advlaw.papers.ranges import POPULATION_RANGES
from advlaw.tables.trial import Estimates, unmeasured
from advlaw.tables.trials import write_differences, write_exponents, write_tables
from advlaw.trials.kept import kept_path
from advlaw.trials.settings import Drawn, Measure, TrialSet, Workers
from advlaw.trials.workers import Pool


def main() -> None:
    arguments = stage_arguments(__doc__, "set")
    name, params = arguments.set, arguments.params
    settings = read_section(params, f"trials.{name}", TrialSet)
    study, seed, attacks, fit, workers = read_sections(
        params, study=str, seed=int, attacks=Attacks, fit=Fit, workers=Workers
    )
    measured_how = settings.measure
    assert isinstance(measured_how, Measure), f"trials.{name}: no tables of accuracies at a few eps yet"
    folder = Path("data") / study / "trials" / name
    nets = json.loads((folder / "nets" / "nets.json").read_text("utf-8"))["nets"]
    outcomes = {row["net"]: folder / "outcomes" / f"{row['net']}.npz" for row in nets if not row["diverged"]}
    how = {key: attacks.by_key(key) for key in measured_how.attacks}
    n_pixels = math.prod(nets[0]["spec"]["image_shape"]) if nets else 0
    estimates = Estimates(how, n_pixels, tuple(measured_how.reference_eps), fit, seed)
    common = {
        **estimates.as_json(),
        "code": code_sha256("advlaw.tables.trial"),
        "versions": [numpy.__version__, scipy.__version__],
    }
    paths = {
        net: kept_path("estimates", {**common, "net": net, "outcomes": sha256(file)}) for net, file in outcomes.items()
    }
    with Pool(workers) as pool:
        pool.fan_out(estimates.of, list(outcomes.items()), list(paths.values()), "estimate")

    found = {net: json.loads(path.read_text("utf-8")) for net, path in paths.items()}
    measured = {row["net"]: found.get(row["net"], unmeasured(how)) for row in nets}
    target = Path("plots") / study / "trials" / name
    is_drawn = isinstance(settings, Drawn)
    rows = write_tables(target, nets, measured, measured_how.reference_eps, not is_drawn)
    if is_drawn:
        write_exponents(target, rows, POPULATION_RANGES, fit.confidence)
    else:
        write_differences(target, nets, outcomes, measured_how.attacks, fit.confidence)
    print(f"{target}: {len(nets)} nets under {', '.join(how)}")


if __name__ == "__main__":
    run(main)
