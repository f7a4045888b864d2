"""Validate a whole params file before any stage of its study starts.

    python stages/check.py --params params.yaml
reads   the params file  ·  datasets/params.yaml
writes  data/<study>/{sweeps,worst_case,responses,search/children,search/enlarged}/checked  ·  models/<study>/checked:
        constants, which order other stages and never invalidate them, and the folders that these read where a study
        has no such part
        plots/<study>/trials/sets.csv: the sets of nets, drawn or varied
        plots/<study>/pictures/sets.csv: the sets of adversarial images to look at, and what each is of
"""

from pathlib import Path

from advlaw.config.study import load_study
from advlaw.core.command import run, stage_arguments
from advlaw.core.io import write_text
from advlaw.core.tables import write_table

SEARCHES = ("search/children", "search/enlarged")


def main() -> None:
    path = stage_arguments(__doc__).params
    study = load_study(path, Path("datasets/params.yaml"))
    folders = [Path("data") / study.study / name for name in ("sweeps", "worst_case", "responses", *SEARCHES)]
    for folder in (*folders, Path("models") / study.study):
        write_text(folder / "checked", "The params of this study were valid.\n")
    sets = [
        {"set": name, "kind": type(trials).__name__.lower(), "dataset": trials.dataset, "n_nets": trials.n_nets}
        for name, trials in study.trials.items()
    ]
    write_table(Path("plots") / study.study / "trials" / "sets.csv", sets, ("set", "kind", "dataset", "n_nets"))
    pictures = [
        {"set": name, "dataset": study.search.dataset, **about.model_dump()}
        for name, about in study.search.pictures.items()
    ]
    columns = ("set", "dataset", "net", "baseline", "attack", "eps")
    write_table(Path("plots") / study.study / "pictures" / "sets.csv", pictures, columns)
    print(f"{path}: {len(study.nets())} models, {len(study.sweeps)} sweeps: valid")


if __name__ == "__main__":
    run(main)
