"""Train all nets of one set, drawn at random or varied from a base net.

    python stages/trials_train.py SET --params params.yaml      # a key of `trials`
reads   data/datasets/<dataset>.npz
writes  data/<study>/trials/SET/nets/:  nets.json (what every net is, and how its training went)  ·  <net>.safetensors
        .ckpt/nets/: every net as soon as it is trained; a run goes on with those it lacks
"""

from functools import partial
from pathlib import Path

from advlaw.attacks.settings import Attacks
from advlaw.core.code import sha256
from advlaw.core.command import run, stage_arguments
from advlaw.core.dataset import dataset_path, read_dataset
from advlaw.core.io import write_json
from advlaw.core.runtime import configure
from advlaw.core.section import read_section, read_sections
from advlaw.core.workers import Pool, Workers, collect
from advlaw.trials.sets import about, trials
from advlaw.trials.settings import TrialSet
from advlaw.trials.train import Recipe, flops, n_parameters, path_of, result, train_trial


def main() -> None:
    arguments = stage_arguments(__doc__, "set")
    name, params = arguments.set, arguments.params
    settings = read_section(params, f"trials.{name}", TrialSet)
    study, seed, device_name, portable = read_sections(params, study=str, seed=int, device=str, portable=bool)
    attacks, workers = read_sections(params, attacks=Attacks, workers=Workers)
    device = configure(1, device_name, portable)
    dataset = dataset_path(settings.dataset)
    data = read_dataset(dataset)
    nets = trials(f"trials.{name}", settings, seed)
    specs = {net.name: net.net.architecture.spec(list(data.image_shape), data.n_classes) for net in nets}
    work = {net: flops(spec) for net, spec in specs.items()}
    recipe = Recipe(dataset.absolute(), sha256(dataset), attacks, device.type, portable)
    paths = {net.name: path_of(net, recipe) for net in nets}
    largest_first = sorted(nets, key=lambda net: work[net.name], reverse=True)
    with Pool(workers.on(device.type, share_a_gpu=True)) as pool:
        items = [(net,) for net in largest_first]
        pool.fan_out(partial(train_trial, recipe), items, [paths[net.name] for net in largest_first], "train nets")

    folder = Path("data") / study / "trials" / name / "nets"
    collect({folder / f"{net}.safetensors": path for net, path in paths.items()})
    rows = [
        {
            "net": net.name,
            "spec": specs[net.name],
            "n_parameters": n_parameters(specs[net.name]),
            "flops": work[net.name],
            **about(settings, net.name),
            **result(paths[net.name]),
        }
        for net in nets
    ]
    write_json(folder / "nets.json", {"device": device.type, "nets": rows})
    print(f"{folder}: {len(rows)} nets, {sum(row['diverged'] for row in rows)} of them diverged")


if __name__ == "__main__":
    run(main)
