"""A whole params file: its sections one by one, and whether the names in it refer to anything."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from advlaw.config.attack import Attacks, Grid
from advlaw.config.dataset import Datasets
from advlaw.config.fit import Fit
from advlaw.config.model import Model
from advlaw.config.population import Population, PopulationSweep
from advlaw.config.section import Name, ParamsError, Section, read_yaml, validate
from advlaw.config.sweep import Sweep, curve_name
from advlaw.config.theory import Net, OrderStatistics, Response, Theory


class Study(Section):
    """params.yaml of one study."""

    study: Name
    root: str
    params: str
    seed: Annotated[int, Field(ge=0)]
    threads: Annotated[int, Field(ge=1, le=1024)]
    device: Literal["auto", "cpu", "cuda"]
    attack: Grid
    models: Annotated[dict[Name, Model], Field(min_length=1)]
    attacks: Attacks
    sweeps: dict[Name, Sweep]
    fit: Fit
    response: Response
    theory: Theory
    order_statistics: OrderStatistics
    population: Population
    population_sweep: PopulationSweep


def load_study(path: Path, datasets_path: Path) -> Study:
    """The validated study; raises ParamsError with a line for every mistake found.

    `path` and `datasets_path` are relative to the repository's root, from which every stage runs.
    """
    study: Study = validate(read_yaml(path), Study, path)
    datasets: Datasets = validate(read_yaml(datasets_path), Datasets, datasets_path)
    mistakes = [f"{path}: {mistake}" for mistake in _mistakes(study, path, datasets)]
    if mistakes:
        raise ParamsError("\n".join(mistakes))
    return study


def _mistakes(study: Study, path: Path, datasets: Datasets) -> Iterator[str]:
    if Path(study.params) != path:
        yield f"params = {study.params!r}: must be the path of this file from the root, {path.as_posix()!r}"
    if (path.parent / study.root).resolve() != Path.cwd():
        yield f"root = {study.root!r}: must lead from this file's folder to the root, where stages run"
    for name, model in study.models.items():
        yield from _unknown(f"models.{name}.dataset", model.dataset, datasets.datasets, "data sets")
        if model.arch == "cnn" and model.dataset in datasets.datasets:
            yield from _pooled_away(name, model.channels, datasets.datasets[model.dataset].image_side)
    for name, sweep in study.sweeps.items():
        yield from _sweep_mistakes(f"sweeps.{name}", sweep, study)
    curves = {
        f"{name}/{curve_name(attack, state)}"
        for name, sweep in study.sweeps.items()
        for attack in sweep.attacks
        for state in sweep.states()
    }
    for curve in study.fit.headline:
        yield from _unknown("fit.headline", curve, curves, "curves")
    for name, net in study.response.nets.items():
        yield from _net_mistakes(f"response.nets.{name}", name, net, study)
    for name in study.theory.compared:
        yield from _unknown("theory.compared", name, study.response.nets, "response.nets")
    yield from _population_mistakes(study.population, study, datasets)


def _sweep_mistakes(key: str, sweep: Sweep, study: Study) -> Iterator[str]:
    yield from _unknown(f"{key}.model", sweep.model, study.models, "models")
    yield from _other_dataset(key, sweep.dataset, sweep.model, study)
    if sweep.model in study.models:
        kept = study.models[sweep.model].snapshots
        for snapshot in sorted(set(sweep.snapshots) - set(kept)):
            yield f"{key}.snapshots = {snapshot:g}: not among models.{sweep.model}.snapshots: {kept}"
    yield from _attack_mistakes(f"{key}.attacks", sweep.attacks, study, sweep.family)


def _net_mistakes(key: str, model: str, net: Net, study: Study) -> Iterator[str]:
    yield from _unknown(key, model, study.models, "models")
    yield from _other_dataset(key, net.dataset, model, study)
    yield from _attack_mistakes(f"{key}.attacks", net.attacks, study, "one_step")
    for attack in net.attacks:
        if attack in study.attacks.one_step and study.attacks.one_step[attack].clip:
            yield f"{key}.attacks = {attack!r}: clips, which no linear response does; name one with clip: false"


def _population_mistakes(population: Population, study: Study, datasets: Datasets) -> Iterator[str]:
    yield from _unknown("population.dataset", population.dataset, datasets.datasets, "data sets")
    sweep = study.population_sweep
    yield from _attack_mistakes("population_sweep.attacks", sweep.attacks, study, "one_step")
    for attack in sweep.attacks:
        if attack in study.attacks.one_step and study.attacks.one_step[attack].clip:
            yield f"population_sweep.attacks = {attack!r}: clips, which exponents do not; name one with clip: false"
    for eps in sweep.reference_eps:
        if eps > study.attack.eps_max:
            yield f"population_sweep.reference_eps = {eps:g}: beyond attack.eps_max = {study.attack.eps_max:g}"
    if population.dataset in datasets.datasets:
        side, deepest = datasets.datasets[population.dataset].image_side, population.architectures.cnn.convolutions[1]
        if side >> deepest == 0:
            yield f"population.architectures.cnn.convolutions = {deepest}: {_halvings(side)}"


def _other_dataset(key: str, dataset: str, model: str, study: Study) -> Iterator[str]:
    if model in study.models and dataset != (wanted := study.models[model].dataset):
        yield f"{key}.dataset = {dataset!r}: must be {wanted!r}, the data set of models.{model}"


def _attack_mistakes(key: str, attacks: list[str], study: Study, family: str) -> Iterator[str]:
    for attack in attacks:
        yield from _unknown(key, attack, getattr(study.attacks, family), f"attacks.{family}")
    if len(set(attacks)) < len(attacks):
        yield f"{key} = {attacks}: names an attack twice"


def _pooled_away(name: str, channels: list[int], side: int) -> Iterator[str]:
    if side >> len(channels) == 0:
        yield f"models.{name}.channels = {channels}: {_halvings(side)}"


def _halvings(side: int) -> str:
    return f"each halves the image, and {side}x{side} images can be halved {side.bit_length() - 1} times"


def _unknown(key: str, value: str, allowed: object, what: str) -> Iterator[str]:
    names = sorted(allowed) if isinstance(allowed, dict | set) else []
    if value not in names:
        yield f"{key} = {value!r}: not among the {what}: {', '.join(names) or '(none)'}"
