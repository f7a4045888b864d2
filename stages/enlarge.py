"""Train the best cell of a search as a larger net, with every set of hyperparameters, and keep the best.

    python stages/enlarge.py NET --params params.yaml      # a key of `search.enlarged.nets`
reads   data/<study>/search/children/<search>.json  ·  data/datasets/<dataset>.npz
writes  models/<study>/NET/:  spec.json  ·  weights.safetensors  ·  row.json (its line of the table of models)
        data/<study>/search/enlarged/NET.json: its cell, and a row a set of hyperparameters
        .ckpt/nets/: every net as soon as it is trained; a run goes on with those it lacks
"""

import json
import math
from pathlib import Path

from advlaw.attacks.settings import Attacks
from advlaw.core.code import sha256
from advlaw.core.command import run, stage_arguments
from advlaw.core.dataset import dataset_path
from advlaw.core.examples import read_examples
from advlaw.core.io import write_json
from advlaw.core.runtime import configure
from advlaw.core.section import read_sections
from advlaw.core.workers import Pool, Workers
from advlaw.models.store import FINAL, load_net, save_model
from advlaw.search.enlarged import enlarge
from advlaw.search.settings import Searches
from advlaw.training.accuracy import accuracy
from advlaw.trials.train import Recipe


def main() -> None:
    arguments = stage_arguments(__doc__, "net")
    name, params = arguments.net, arguments.params
    study, seed, device_name, portable = read_sections(params, study=str, seed=int, device=str, portable=bool)
    settings, attacks, workers = read_sections(params, search=Searches, attacks=Attacks, workers=Workers)
    device = configure(1, device_name, portable)
    dataset, entry = dataset_path(settings.dataset), settings.enlarged.nets[name]
    folder = Path("data") / study / "search"
    children = json.loads((folder / "children" / f"{entry.search}.json").read_text("utf-8"))["children"]
    recipe = Recipe(dataset.absolute(), sha256(dataset), attacks, device.type, portable)
    with Pool(workers.on(device.type)) as pool:
        found = enlarge(name, settings, children, recipe, seed, pool)

    model = load_net(found.spec, found.path, device)
    test = read_examples(dataset, "test", device)
    about = {"model": name, "dataset_sha256": sha256(dataset), **found.row}
    about |= {"n_pixels": math.prod(test.images.shape[-3:]), "test_accuracy": accuracy(model, test)}
    save_model(Path("models") / study / name, found.spec, {FINAL: model.state_dict()}, None)
    write_json(Path("models") / study / name / "row.json", about)
    write_json(folder / "enlarged" / f"{name}.json", {"cell": found.cell, **entry.model_dump(), "sets": found.sets})
    print(f"models/{study}/{name}: {found.cell}: test {about['test_accuracy']:.4f}")


if __name__ == "__main__":
    run(main)
