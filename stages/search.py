"""Search for architectures: train children, reward the controller that draws them, and as many of random cells.

    python stages/search.py SEARCH --params params.yaml      # a key of `search.searches`
reads   data/datasets/<dataset>.npz
writes  data/<study>/search/children/SEARCH.json: children, rounds, repeated, see `advlaw.search.rounds`
        .ckpt/children/: every child as soon as it is trained; a run goes on with those it lacks
"""

from pathlib import Path

from advlaw.attacks.settings import Attacks
from advlaw.core.code import sha256
from advlaw.core.command import run, stage_arguments
from advlaw.core.dataset import dataset_path
from advlaw.core.io import write_json
from advlaw.core.runtime import configure
from advlaw.core.section import read_sections
from advlaw.core.workers import Pool, Workers
from advlaw.search.child import ChildPlan
from advlaw.search.rounds import Running, searched
from advlaw.search.settings import Searches


def main() -> None:
    arguments = stage_arguments(__doc__, "search")
    name, params = arguments.search, arguments.params
    study, seed, device_name, portable = read_sections(params, study=str, seed=int, device=str, portable=bool)
    settings, attacks, workers = read_sections(params, search=Searches, attacks=Attacks, workers=Workers)
    assert settings.measured is not None
    device = configure(1, device_name, portable)
    dataset = dataset_path(settings.dataset)
    plan = ChildPlan(
        dataset.absolute(),
        sha256(dataset),
        settings.images,
        settings.held_out,
        attacks,
        settings.measured,
        seed,
        device.type,
        portable,
    )
    with Pool(workers.on(device.type, share_a_gpu=True)) as pool:
        found = searched(Running(name, settings, settings.searches[name], plan, pool))
    path = Path("data") / study / "search" / "children" / f"{name}.json"
    write_json(path, found)
    children = found["children"]
    print(f"{path}: {len(children)} children, {sum(child['diverged'] for child in children)} of them diverged")


if __name__ == "__main__":
    run(main)
