"""Validate a whole params file before any stage of its study starts.

    python stages/check.py --params params.yaml
reads   the params file  ·  datasets/params.yaml
writes  data/<study>/{sweeps,worst_case,responses}/checked: constants, which order other stages
        and never invalidate them
        plots/<study>/trials/sets.csv: the sets of nets, drawn or varied
"""

from pathlib import Path

from advlaw.config.study import load_study
from advlaw.core.command import run, stage_arguments
from advlaw.core.io import write_csv, write_text


def main() -> None:
    path = stage_arguments(__doc__).params
    study = load_study(path, Path("datasets/params.yaml"))
    for folder in ("sweeps", "worst_case", "responses"):
        write_text(Path("data") / study.study / folder / "checked", "The params of this study were valid.\n")
    sets = [
        {"set": name, "kind": type(trials).__name__.lower(), "dataset": trials.dataset, "nets": trials.n_nets}
        for name, trials in study.trials.items()
    ]
    write_csv(Path("plots") / study.study / "trials" / "sets.csv", ("set", "kind", "dataset", "nets"), sets)
    print(f"{path}: {len(study.nets())} models, {len(study.sweeps)} sweeps: valid")


if __name__ == "__main__":
    run(main)
