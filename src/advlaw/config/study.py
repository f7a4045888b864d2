"""A whole params file: its sections one by one, and whether the names in it refer to anything."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from advlaw.attacks.settings import Attacks, Grid
from advlaw.core.section import Name, ParamsError, Section, read_yaml, validate
from advlaw.data.settings import Datasets
from advlaw.evaluation.settings import Sweep, WorstCase, WorstCaseNet, curve_name
from advlaw.fitting.settings import Fit
from advlaw.foreign.settings import PretrainedModel
from advlaw.models.settings import halvings
from advlaw.theory.settings import OrderStatistics, Response, ResponseNet, Theory
from advlaw.training.settings import Net, RobustNet
from advlaw.trials.settings import AtEps, Drawn, Measure, TrialSet, Workers

AnyNet = Net | PretrainedModel
RESERVED = ("datasets", "downloads", "summary")


class Study(Section):
    """params.yaml of one study."""

    study: Name
    root: str
    params: str
    seed: Annotated[int, Field(ge=0)]
    threads: Annotated[int, Field(ge=1, le=1024)]
    device: Literal["auto", "cpu", "cuda"]
    portable: bool
    datasets: Annotated[list[Name], Field(min_length=1)]
    attack: Grid
    models: dict[Name, Net]
    robust_models: dict[Name, RobustNet]
    pretrained_models: dict[Name, PretrainedModel]
    baselines: dict[Name, Name]
    attacks: Attacks
    sweeps: dict[Name, Sweep]
    fit: Fit
    response: Response
    theory: Theory
    order_statistics: OrderStatistics
    workers: Workers
    trials: dict[Name, TrialSet]
    worst_case: WorstCase

    def nets(self) -> dict[str, AnyNet]:
        """Every net by its name, which all sections of nets share."""
        return {**self.models, **self.robust_models, **self.pretrained_models}


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
    if study.study in RESERVED:
        yield f"study = {study.study!r}: {', '.join(RESERVED)} are reserved; choose another name"
    if Path(study.params) != path:
        yield f"params = {study.params!r}: must be this file's path from the root, {path.as_posix()!r}"
    if (path.parent / study.root).resolve() != Path.cwd():
        yield f"root = {study.root!r}: must be the path from this file's folder to the root, where stages run"
    yield from _dataset_mistakes(study, datasets)
    for section in ("models", "robust_models", "pretrained_models"):
        for name, model in getattr(study, section).items():
            yield from _model_mistakes(f"{section}.{name}", model, study, datasets)
    yield from _own_mistakes(study)
    yield from _names_used_twice(study)
    yield from _adversarial_mistakes(study)
    yield from _baseline_mistakes(study)
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
    for name, trials in study.trials.items():
        yield from _trials_mistakes(f"trials.{name}", trials, study, datasets)
    yield from _worst_case_mistakes(study.worst_case, study)


def _own_mistakes(study: Study) -> Iterator[str]:
    """Whether the files of own models exist; their paths start at the root."""
    for name, model in study.pretrained_models.items():
        for key in ("file", "weights"):
            path = getattr(model, key, None)
            if isinstance(path, str) and not Path(path).is_file():
                yield f"pretrained_models.{name}.{key} = {path!r}: no such file from the root, {Path.cwd()}"


def _dataset_mistakes(study: Study, datasets: Datasets) -> Iterator[str]:
    """`datasets` must list every data set that nets name, since DVC makes a stage of each."""
    for name in study.datasets:
        yield from _unknown("datasets", name, datasets.datasets, "data sets")
    if len(set(study.datasets)) < len(study.datasets):
        yield f"datasets = {study.datasets}: lists a data set twice; remove one"
    used = {f"trials.{name}": trials.dataset for name, trials in study.trials.items()}
    used |= {name: net.dataset for name, net in study.nets().items()}
    for key, name in used.items():
        if name in datasets.datasets and name not in study.datasets:
            yield f"datasets = {study.datasets}: lacks {name!r}, the data set of {key}; add it to the list"


def _model_mistakes(key: str, net: AnyNet, study: Study, datasets: Datasets) -> Iterator[str]:
    yield from _unknown(f"{key}.dataset", net.dataset, datasets.datasets, "data sets")
    architecture = getattr(net, "architecture", None)
    if architecture is not None and net.dataset in datasets.datasets:
        mistake = architecture.mistake(datasets.datasets[net.dataset].image_side)
        if mistake:
            yield f"{key}.{mistake}"
    adversarial = getattr(net, "adversarial", None)
    if adversarial is not None:
        yield from _training_attack_mistakes(f"{key}.adversarial.attack", adversarial.attack, study)


def _adversarial_mistakes(study: Study) -> Iterator[str]:
    """Nets trained on adversarial examples have their own section, whose stages depend on the attacks."""
    for name, net in study.models.items():
        if net.adversarial is not None:
            yield f"models.{name}.adversarial: belongs in robust_models; move the entry there"


def _baseline_mistakes(study: Study) -> Iterator[str]:
    nets = study.nets()
    for name, baseline in study.baselines.items():
        yield from _unknown(f"baselines.{name}", name, nets, "models")
        yield from _unknown(f"baselines.{name}", baseline, nets, "models")
        if name == baseline:
            yield f"baselines.{name} = {baseline!r}: a net cannot be its own baseline; name another"
        elif name in nets and baseline in nets and nets[name].dataset != nets[baseline].dataset:
            data, other = nets[name].dataset, nets[baseline].dataset
            yield f"baselines.{name} = {baseline!r}: is on another data set, {other}; name a net on {data}"


def _names_used_twice(study: Study) -> Iterator[str]:
    for first, second in (
        ("models", "robust_models"),
        ("models", "pretrained_models"),
        ("robust_models", "pretrained_models"),
    ):
        for name in sorted(getattr(study, first).keys() & getattr(study, second).keys()):
            yield f"{second}.{name}: {first}.{name} has the same name and would write the same files; rename one"


def _training_attack_mistakes(key: str, attack: str, study: Study) -> Iterator[str]:
    yield from _unknown_attacks(key, [attack], study)
    if _is_known(attack, study) and not study.attacks.by_key(attack).clip:
        yield f"{key} = {attack!r}: does not clip to [0, 255], as training needs; name one with clip: true"


def _worst_case_mistakes(settings: WorstCase, study: Study) -> Iterator[str]:
    protocol = settings.protocol
    for key in ("attacks", "transferred"):
        yield from _unknown_attacks(f"worst_case.protocol.{key}", getattr(protocol, key), study)
    yield from _unknown_attacks("worst_case.protocol.weak", [protocol.weak], study)
    for attack in protocol.methods().values():
        if _is_known(attack, study) and not study.attacks.by_key(attack).clip:
            yield f"worst_case.protocol: {attack!r} does not clip to [0, 255]; name an attack with clip: true"
        elif _is_known(attack, study) and study.attacks.by_key(attack).norm != "linf":
            yield f"worst_case.protocol: {attack!r} is in L2, but eps is in L-infinity; name one with norm: linf"
    for name, net in settings.nets.items():
        yield from _worst_case_net_mistakes(f"worst_case.nets.{name}", name, net, study)


def _worst_case_net_mistakes(key: str, name: str, net: WorstCaseNet, study: Study) -> Iterator[str]:
    yield from _unknown(key, name, study.nets(), "models")
    yield from _unknown(f"{key}.source", net.source, study.nets(), "models")
    nets = study.nets()
    if name in nets and net.source in nets and nets[name].dataset != nets[net.source].dataset:
        data, other = nets[name].dataset, nets[net.source].dataset
        yield f"{key}.source = {net.source!r}: is on another data set, {other}; name a net on {data}"
    if net.source == name:
        yield f"{key}.source = {name!r}: must be another, independently trained net"


def _unknown_attacks(key: str, attacks: list[str], study: Study) -> Iterator[str]:
    for attack in attacks:
        family, _, name = attack.partition(".")
        yield from _unknown(key, name, getattr(study.attacks, family), f"attacks.{family}")


def _is_known(attack: str, study: Study) -> bool:
    family, _, name = attack.partition(".")
    return name in getattr(study.attacks, family)


def _sweep_mistakes(key: str, sweep: Sweep, study: Study) -> Iterator[str]:
    nets = study.nets()
    yield from _unknown(f"{key}.model", sweep.model, nets, "models")
    if sweep.model in nets:
        net = nets[sweep.model]
        kept = net.training.snapshots if isinstance(net, Net) else []
        for snapshot in sorted(set(sweep.snapshots) - set(kept)):
            yield f"{key}.snapshots = {snapshot:g}: not among models.{sweep.model}.snapshots: {kept}"
    yield from _attack_mistakes(f"{key}.attacks", sweep.attacks, study, sweep.family)


def _net_mistakes(key: str, model: str, net: ResponseNet, study: Study) -> Iterator[str]:
    yield from _unknown(key, model, study.nets(), "models")
    yield from _attack_mistakes(f"{key}.attacks", net.attacks, study, "one_step")
    for attack in net.attacks:
        if attack in study.attacks.one_step and study.attacks.one_step[attack].clip:
            yield f"{key}.attacks = {attack!r}: clips, but the linear response does not; name one with clip: false"


def _trials_mistakes(key: str, trials: TrialSet, study: Study, datasets: Datasets) -> Iterator[str]:
    yield from _unknown(f"{key}.dataset", trials.dataset, datasets.datasets, "data sets")
    yield from _measure_mistakes(f"{key}.measure", trials.measure, study)
    data = datasets.datasets.get(trials.dataset)
    for part, images in _images_measured(trials.measure).items():
        if data and images and images > data.test:
            yield f"{key}.measure.{part} = {images}: {trials.dataset} has only {data.test} test images"
    if isinstance(trials, Drawn):
        deepest = trials.draw.cnn.convolutions[1]
        if data and data.image_side >> deepest == 0:
            yield f"{key}.draw.cnn.convolutions = {deepest}: {halvings(data.image_side)}"
        return
    of_base = list(_model_mistakes(f"{key}.base", trials.base, study, datasets))
    yield from of_base
    if not of_base:  # else every net that inherits a mistake would repeat it
        for name, net in trials.nets.items():
            yield from _model_mistakes(f"{key}.nets.{name}", net, study, datasets)


def _images_measured(measure: Measure | AtEps) -> dict[str, int | None]:
    """How many test images each key of `measure` asks for."""
    if isinstance(measure, Measure):
        return {"images": measure.images}
    transfer = {"transfer.images": measure.transfer.images} if measure.transfer else {}
    return {"images": measure.images, "iterative_images": measure.iterative_images, **transfer}


def _measure_mistakes(key: str, measure: Measure | AtEps, study: Study) -> Iterator[str]:
    yield from _measuring_attack_mistakes(f"{key}.attacks", measure.attacks, study)
    if isinstance(measure, Measure):
        yield from _reference_mistakes(key, measure, study)
    elif measure.transfer:
        yield from _measuring_attack_mistakes(f"{key}.transfer.attacks", measure.transfer.attacks, study)


def _measuring_attack_mistakes(key: str, attacks: list[str], study: Study) -> Iterator[str]:
    yield from _unknown_attacks(key, attacks, study)
    names = [attack.partition(".")[2] for attack in attacks]
    if len(set(names)) < len(names):
        yield f"{key} = {attacks}: two have the same name; rename or remove one"


def _reference_mistakes(key: str, measure: Measure, study: Study) -> Iterator[str]:
    points = measure.grid or study.attack
    between = [eps for eps in measure.reference_eps if not _is_on(points, eps)]
    for eps in measure.reference_eps:
        if eps > points.eps_max:
            yield f"{key}.reference_eps = {eps:g}: above the grid's eps_max = {points.eps_max:g}"
    for attack in measure.attacks:
        if not attack.startswith("one_step.") and between:
            yield (
                f"{key}.reference_eps = {between[0]:g}: not a point of the grid, and {attack!r} runs only at those; "
                "give the set a grid that contains it"
            )


def _is_on(points: Grid, eps: float) -> bool:
    """Whether eps is a point of a log-spaced grid."""
    steps = (points.count - 1) * math.log(eps / points.eps_min) / math.log(points.eps_max / points.eps_min)
    return abs(steps - round(steps)) < 1e-6 and -0.5 < steps < points.count - 0.5


def _attack_mistakes(key: str, attacks: list[str], study: Study, family: str) -> Iterator[str]:
    for attack in attacks:
        yield from _unknown(key, attack, getattr(study.attacks, family), f"attacks.{family}")
    if len(set(attacks)) < len(attacks):
        yield f"{key} = {attacks}: lists an attack twice; remove one"


def _unknown(key: str, value: str, allowed: object, what: str) -> Iterator[str]:
    names = sorted(allowed) if isinstance(allowed, dict | set) else []
    if value not in names:
        yield f"{key} = {value!r}: not among the {what}: {', '.join(names) or '(none)'}"
