"""What the names in a params file may refer to, and what is wrong with a net's entry: mistakes as text."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from advlaw.data.settings import Datasets, Folder
from advlaw.foreign.settings import PretrainedModel
from advlaw.training.settings import Net

if TYPE_CHECKING:
    from advlaw.config.study import Study

FILES = "is a folder of files, for nets that others trained: arch timm, own_module or own_file"
AnyNet = Net | PretrainedModel


def unknown(key: str, value: str, allowed: object, what: str) -> Iterator[str]:
    names = sorted(allowed) if isinstance(allowed, dict | set) else []
    if value not in names:
        yield f"{key} = {value!r}: not among the {what}: {', '.join(names) or '(none)'}"


def unknown_attacks(key: str, attacks: list[str], study: "Study") -> Iterator[str]:
    for attack in attacks:
        family, _, name = attack.partition(".")
        yield from unknown(key, name, getattr(study.attacks, family), f"attacks.{family}")


def is_known(attack: str, study: "Study") -> bool:
    family, _, name = attack.partition(".")
    return name in getattr(study.attacks, family)


def training_attack_mistakes(key: str, attack: str, study: "Study") -> Iterator[str]:
    yield from unknown_attacks(key, [attack], study)
    if is_known(attack, study) and not study.attacks.by_key(attack).clip:
        yield f"{key} = {attack!r}: does not clip to [0, 255], as training needs; name one with clip: true"


def model_mistakes(key: str, net: AnyNet, study: "Study", datasets: Datasets) -> Iterator[str]:
    yield from unknown(f"{key}.dataset", net.dataset, datasets.datasets, "data sets")
    architecture, data = getattr(net, "architecture", None), datasets.datasets.get(net.dataset)
    if architecture is not None and data is not None:
        if isinstance(data, Folder):
            yield f"{key}.dataset = {net.dataset!r}: {FILES}"
        elif mistake := architecture.mistake(data.image_side):
            yield f"{key}.{mistake}"
    adversarial = getattr(net, "adversarial", None)
    if adversarial is not None:
        yield from training_attack_mistakes(f"{key}.adversarial.attack", adversarial.attack, study)
