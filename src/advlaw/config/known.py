"""What the names in a params file may refer to, and what is wrong with a net's entry: mistakes as text."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from advlaw.data.settings import Datasets, Folder, Pixels
from advlaw.foreign.settings import PretrainedModel, Published
from advlaw.training.settings import Net, Training

if TYPE_CHECKING:
    from advlaw.config.study import Study

FILES = "is a folder of files, for arch timm, and for arch own_module or own_file of nets that others trained"
NO_FILES = "is a folder of files, and nets of sets and searches are trained on pixels; name another"
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
    data = datasets.datasets.get(net.dataset)
    if isinstance(net, Net | Published) and data is not None:
        yield from _file_mistakes(key, net, data) if isinstance(data, Folder) else _pixel_mistakes(key, net, data)
    adversarial = getattr(net, "adversarial", None)
    if adversarial is not None:
        yield from training_attack_mistakes(f"{key}.adversarial.attack", adversarial.attack, study)


def _file_mistakes(key: str, net: Net | Published, data: Folder) -> Iterator[str]:
    """What keeps a net from image files."""
    if isinstance(net, Published) or net.architecture.view() is None:
        yield f"{key}.dataset = {net.dataset!r}: {FILES}"
        return
    if data.train is None:
        yield f"{key}.dataset = {net.dataset!r}: has test images alone; name one with train and validation"
    if net.training.augment == "crop_flip":
        yield f"{key}.augment = 'crop_flip': shifts pixels, and {net.dataset} is of files; use resized_crop or none"
    if net.training.labels == "shuffled":
        yield f"{key}.labels = 'shuffled': {net.dataset} is of files, for which it is not done; use original"


def _pixel_mistakes(key: str, net: Net | Published, data: Pixels) -> Iterator[str]:
    """What keeps a net from a data set of pixels."""
    if net.architecture.view() is not None:
        arch = net.architecture.arch
        yield f"{key}.dataset = {net.dataset!r}: holds pixels, and arch {arch} is for files; name a folder of such"
        return
    if mistake := net.architecture.mistake(data.image_side):
        yield f"{key}.{mistake}"
    if isinstance(net, Net):
        yield from crop_mistakes(key, net.training)


def crop_mistakes(key: str, training: Training) -> Iterator[str]:
    """Whether a training on pixels would cut image files."""
    if training.augment == "resized_crop":
        yield f"{key}.augment = 'resized_crop': cuts files, and {training.dataset} holds pixels; use crop_flip or none"
