"""Estimate the exponent of every curve, with intervals, and write the compact tables everything else reads.

    python stages/fit.py --params params.yaml
reads   data/<study>/sweeps/<sweep>/<attack>[@<accuracy>].npz of every sweep in the params
        ·  models/<study>/<model>/row.json
writes  plots/<study>/:  curves.csv  ·  exponents.csv  ·  error_curves.csv  ·  local_slopes.csv  ·  models.csv
        ·  logit_gaps.csv  ·  logit_gap_distribution.csv  ·  laws/paired.csv
        ·  published/nets.csv  ·  published/pairs.csv
        ·  threshold_curves.csv  ·  thresholds/<sweep>/<attack>[@<accuracy>].csv
"""

import json
from pathlib import Path

from advlaw.attacks.settings import Attacks
from advlaw.core.command import run, stage_arguments
from advlaw.core.io import read_npz
from advlaw.core.progress import progress
from advlaw.core.rng import generator
from advlaw.core.section import read_section, read_sections
from advlaw.evaluation.settings import Sweep, curve_name
from advlaw.fitting.fit import Fitted
from advlaw.fitting.outcomes import outcomes
from advlaw.fitting.settings import Fit
from advlaw.tables.curves import CurveTables, SweptCurve
from advlaw.tables.paired import PairedTable
from advlaw.tables.published import PublishedTables


def main() -> None:
    params = stage_arguments(__doc__).params
    study, seed, attacks, sweeps, settings = read_sections(
        params, study=str, seed=int, attacks=Attacks, sweeps=dict[str, Sweep], fit=Fit
    )
    nets = read_sections(
        params, models=dict[str, dict], robust_models=dict[str, dict], pretrained_models=dict[str, dict]
    )
    larger = read_section(params, "search.enlarged.nets", dict[str, dict])
    names = [name for section in (*nets, larger) for name in section]
    rows = [json.loads((Path("models") / study / name / "row.json").read_text("utf-8")) for name in names]
    tables, paired = CurveTables(rows, settings), PairedTable(settings.confidence)
    published = PublishedTables(rows, settings.confidence)
    kept = {row["model"]: [None, *(found["snapshot"] for found in row["snapshots"])] for row in rows}
    curves = [
        (name, sweep, attack, state)
        for name, sweep in sweeps.items()
        for state in sweep.states()
        if state in kept[sweep.model]  # training need not have got so far
        for attack in sweep.attacks
    ]
    for name, sweep, attack, state in progress(curves, "fit"):
        file = curve_name(attack, state)
        arrays = read_npz(Path("data") / study / "sweeps" / name / f"{file}.npz")
        kind = attacks.by_key(f"{sweep.family}.{attack}")
        counts = {f"n_{what}": int(arrays[what].sum()) for what in ("zero_gradient", "not_finite")}
        curve = SweptCurve(name, attack, state, sweep, kind, counts)
        found = outcomes(arrays)
        tables.add(curve, Fitted(found, settings, generator(seed, "bootstrap", name, file)))
        paired.add(curve, found)
        published.add(curve, arrays)
    tables.write(Path("plots") / study)
    paired.write(Path("plots") / study / "laws" / "paired.csv")
    published.write(Path("plots") / study / "published")
    print(f"plots/{study}: {len(curves)} curves fitted")


if __name__ == "__main__":
    run(main)
