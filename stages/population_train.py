"""Train the sampled nets of a population.

    python stages/population_train.py --params params.yaml
reads   data/datasets/<dataset>.npz
writes  data/<study>/population/:  nets.json (every net's architecture and training)  ·  <net>.safetensors
        .ckpt/nets/: every net as soon as it is trained; a run goes on with those it lacks
"""

from functools import partial
from pathlib import Path

from advlaw.config.population import Population
from advlaw.config.section import read_section, read_sections
from advlaw.core.command import run, stage_arguments
from advlaw.core.io import write_json
from advlaw.core.runtime import configure
from advlaw.data.dataset import read_dataset
from advlaw.trials.stacked import train_group, train_together
from advlaw.trials.train import Recipe, flops, n_parameters, population, result, train_alone
from advlaw.trials.workers import cache_path, code_sha256, collect, fan_out, sha256


def main() -> None:
    params = stage_arguments(__doc__).params
    study, seed, device_name, portable = read_sections(params, study=str, seed=int, device=str, portable=bool)
    settings = read_section(params, "population", Population)
    device = configure(1, device_name, portable)
    path = Path("data/datasets") / f"{settings.dataset}.npz"
    dataset = read_dataset(path)
    nets = population(settings, seed, list(dataset.images.shape[1:]), dataset.n_classes)
    work = {net.name: flops(net.spec) for net in nets}
    nets = sorted(nets, key=lambda net: work[net.name], reverse=True)  # the longest trainings first
    common = {
        "seed": seed,
        "training": settings.training.model_dump(),
        "data": sha256(path),
        "device": device.type,
        "portable": portable,
    }
    trainer = train_group if device.type == "cuda" else train_alone
    code = {arch: code_sha256(trainer, f"advlaw.models.{arch}") for arch in ("fc", "cnn")}
    paths = {
        net.name: cache_path("nets", {**common, "net": net.name, "spec": net.spec, "code": code[net.spec["arch"]]})
        for net in nets
    }
    recipe = Recipe(path.absolute(), settings.training, seed, portable)
    if device.type == "cuda":
        train_together(nets, list(paths.values()), recipe, device)
    else:
        fan_out(
            partial(train_alone, recipe), [(net,) for net in nets], list(paths.values()), settings.workers, "train nets"
        )

    folder = Path("data") / study / "population"
    collect({folder / f"{name}.safetensors": source for name, source in paths.items()})
    rows = [
        {
            "net": net.name,
            "spec": net.spec,
            "n_parameters": n_parameters(net.spec),
            "flops": work[net.name],
            **result(paths[net.name]),
        }
        for net in sorted(nets, key=lambda net: net.name)
    ]
    write_json(folder / "nets.json", {"device": device.type, "nets": rows})
    print(f"{folder}: {len(rows)} nets, {sum(row['diverged'] for row in rows)} of them diverged")


if __name__ == "__main__":
    run(main)
