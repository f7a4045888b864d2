"""Adversarial images of two nets, to look at.

    python stages/pictures.py PICTURES --params params.yaml      # a key of `search.pictures`
reads   models/<study>/<net>/ and models/<study>/<baseline>/  ·  the data set that the net's row.json names
writes  plots/<study>/pictures/PICTURES.csv
"""

from pathlib import Path

from advlaw.attacks.settings import KINDS
from advlaw.core.command import run, stage_arguments
from advlaw.core.examples import examples_of
from advlaw.core.rng import generator
from advlaw.core.runtime import configure
from advlaw.core.section import read_section, read_sections
from advlaw.core.tables import write_table
from advlaw.evaluation.pictures import COLUMNS, pictures
from advlaw.evaluation.ranks import Method
from advlaw.evaluation.sweep import Randomness
from advlaw.models.store import load_model
from advlaw.search.settings import Pictures

AMONG = 1000  # the first so many test images


def main() -> None:
    arguments = stage_arguments(__doc__, "pictures")
    name, params = arguments.pictures, arguments.params
    wanted = read_section(params, f"search.pictures.{name}", Pictures)
    family = wanted.attack.partition(".")[0]
    attack = read_section(params, f"attacks.{wanted.attack}", KINDS[family])
    study, seed, threads, device_name, portable = read_sections(
        params, study=str, seed=int, threads=int, device=str, portable=bool
    )
    device = configure(threads, device_name, portable)
    folders = [Path("models") / study / which for which in (wanted.net, wanted.baseline)]
    net, baseline = (load_model(folder, device) for folder in folders)
    test = examples_of(folders[0], "test", device).first(AMONG)
    method = Method(family, attack, (wanted.eps,), Randomness(seed, ("pictures", wanted.attack)))
    path = Path("plots") / study / "pictures" / f"{name}.csv"
    rows = pictures(net, baseline, test, method, generator(seed, "pictures", name))
    write_table(path, rows, COLUMNS)
    print(f"{path}: {len(rows)} images of eps = {wanted.eps:g}")


if __name__ == "__main__":
    run(main)
