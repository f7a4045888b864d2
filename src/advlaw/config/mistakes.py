"""What is wrong in a whole params file: whether the names in it refer to anything, one line a mistake."""

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from advlaw.config.known import is_known, model_mistakes, unknown, unknown_attacks
from advlaw.config.search import search_mistakes
from advlaw.config.sets import trials_mistakes
from advlaw.data.settings import Datasets
from advlaw.evaluation.settings import Sweep, WorstCase, WorstCaseNet, curve_name
from advlaw.theory.settings import ResponseNet
from advlaw.training.settings import Net

if TYPE_CHECKING:
    from advlaw.config.study import Study

RESERVED = ("datasets", "downloads", "summary")


def mistakes(study: "Study", path: Path, datasets: Datasets) -> Iterator[str]:
    if study.study in RESERVED:
        yield f"study = {study.study!r}: {', '.join(RESERVED)} are reserved; choose another name"
    if Path(study.params) != path:
        yield f"params = {study.params!r}: must be this file's path from the root, {path.as_posix()!r}"
    if (path.parent / study.root).resolve() != Path.cwd():
        yield f"root = {study.root!r}: must be the path from this file's folder to the root, where stages run"
    yield from _dataset_mistakes(study, datasets)
    for section in ("models", "robust_models", "pretrained_models"):
        for name, model in getattr(study, section).items():
            yield from model_mistakes(f"{section}.{name}", model, study, datasets)
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
        yield from unknown("fit.headline", curve, curves, "curves")
    for name, net in study.response.nets.items():
        yield from _net_mistakes(f"response.nets.{name}", name, net, study)
    for name in study.theory.compared:
        yield from unknown("theory.compared", name, study.response.nets, "response.nets")
    for name, trials in study.trials.items():
        yield from trials_mistakes(f"trials.{name}", trials, study, datasets)
    yield from search_mistakes(study, datasets)
    yield from _worst_case_mistakes(study.worst_case, study)


def _own_mistakes(study: "Study") -> Iterator[str]:
    """Whether the files of own models exist; their paths start at the root."""
    for name, model in study.pretrained_models.items():
        for key in ("file", "weights"):
            path = getattr(model, key, None)
            if isinstance(path, str) and not Path(path).is_file():
                yield f"pretrained_models.{name}.{key} = {path!r}: no such file from the root, {Path.cwd()}"


def _dataset_mistakes(study: "Study", datasets: Datasets) -> Iterator[str]:
    """`datasets` must list every data set that nets name, since DVC makes a stage of each."""
    for name in study.datasets:
        yield from unknown("datasets", name, datasets.datasets, "data sets")
    if len(set(study.datasets)) < len(study.datasets):
        yield f"datasets = {study.datasets}: lists a data set twice; remove one"
    used = {f"trials.{name}": trials.dataset for name, trials in study.trials.items()}
    used |= {name: net.dataset for name, net in study.nets().items()}
    used |= {"search": study.search.dataset} if study.search.searches else {}
    for key, name in used.items():
        if name in datasets.datasets and name not in study.datasets:
            yield f"datasets = {study.datasets}: lacks {name!r}, the data set of {key}; add it to the list"


def _adversarial_mistakes(study: "Study") -> Iterator[str]:
    """Nets trained on adversarial examples have their own section, whose stages depend on the attacks."""
    for name, net in study.models.items():
        if net.adversarial is not None:
            yield f"models.{name}.adversarial: belongs in robust_models; move the entry there"


def _baseline_mistakes(study: "Study") -> Iterator[str]:
    nets = study.nets()
    for name, baseline in study.baselines.items():
        yield from unknown(f"baselines.{name}", name, nets, "models")
        yield from unknown(f"baselines.{name}", baseline, nets, "models")
        if name == baseline:
            yield f"baselines.{name} = {baseline!r}: a net cannot be its own baseline; name another"
        elif name in nets and baseline in nets and nets[name].dataset != nets[baseline].dataset:
            data, other = nets[name].dataset, nets[baseline].dataset
            yield f"baselines.{name} = {baseline!r}: is on another data set, {other}; name a net on {data}"


def _names_used_twice(study: "Study") -> Iterator[str]:
    sections = {name: getattr(study, name) for name in ("models", "robust_models", "pretrained_models")}
    sections["search.enlarged.nets"] = study.search.enlarged.nets
    for (first, ours), (second, theirs) in combinations(sections.items(), 2):
        for name in sorted(ours.keys() & theirs.keys()):
            yield f"{second}.{name}: {first}.{name} has the same name and would write the same files; rename one"


def _worst_case_mistakes(settings: WorstCase, study: "Study") -> Iterator[str]:
    protocol = settings.protocol
    for key in ("attacks", "transferred"):
        yield from unknown_attacks(f"worst_case.protocol.{key}", getattr(protocol, key), study)
    yield from unknown_attacks("worst_case.protocol.weak", [protocol.weak], study)
    for attack in protocol.methods().values():
        if is_known(attack, study) and not study.attacks.by_key(attack).clip:
            yield f"worst_case.protocol: {attack!r} does not clip to [0, 255]; name an attack with clip: true"
        elif is_known(attack, study) and study.attacks.by_key(attack).norm != "linf":
            yield f"worst_case.protocol: {attack!r} is in L2, but eps is in L-infinity; name one with norm: linf"
    for name, net in settings.nets.items():
        yield from _worst_case_net_mistakes(f"worst_case.nets.{name}", name, net, study)


def _worst_case_net_mistakes(key: str, name: str, net: WorstCaseNet, study: "Study") -> Iterator[str]:
    yield from unknown(key, name, study.nets(), "models")
    yield from unknown(f"{key}.source", net.source, study.nets(), "models")
    nets = study.nets()
    if name in nets and net.source in nets and nets[name].dataset != nets[net.source].dataset:
        data, other = nets[name].dataset, nets[net.source].dataset
        yield f"{key}.source = {net.source!r}: is on another data set, {other}; name a net on {data}"
    if net.source == name:
        yield f"{key}.source = {name!r}: must be another, independently trained net"


def _sweep_mistakes(key: str, sweep: Sweep, study: "Study") -> Iterator[str]:
    nets = study.nets()
    yield from unknown(f"{key}.model", sweep.model, nets, "models")
    if sweep.model in nets:
        net = nets[sweep.model]
        kept = net.training.snapshots if isinstance(net, Net) else []
        for snapshot in sorted(set(sweep.snapshots) - set(kept)):
            yield f"{key}.snapshots = {snapshot:g}: not among models.{sweep.model}.snapshots: {kept}"
    yield from _attack_mistakes(f"{key}.attacks", sweep.attacks, study, sweep.family)
    if sweep.shard is not None and sweep.split == "train":
        yield f"{key}.shard = {sweep.shard}: not with split = 'train', whose labels may be others; leave it out"


def _net_mistakes(key: str, model: str, net: ResponseNet, study: "Study") -> Iterator[str]:
    yield from unknown(key, model, study.nets(), "models")
    yield from _attack_mistakes(f"{key}.attacks", net.attacks, study, "one_step")
    for attack in net.attacks:
        if attack in study.attacks.one_step and study.attacks.one_step[attack].clip:
            yield f"{key}.attacks = {attack!r}: clips, but the linear response does not; name one with clip: false"


def _attack_mistakes(key: str, attacks: list[str], study: "Study", family: str) -> Iterator[str]:
    for attack in attacks:
        yield from unknown(key, attack, getattr(study.attacks, family), f"attacks.{family}")
    if len(set(attacks)) < len(attacks):
        yield f"{key} = {attacks}: lists an attack twice; remove one"
