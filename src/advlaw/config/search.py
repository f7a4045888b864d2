"""Mistakes in `search`, the searches for architectures."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from advlaw.config.known import NO_FILES, crop_mistakes, is_known, training_attack_mistakes, unknown, unknown_attacks
from advlaw.data.settings import Datasets, Folder

if TYPE_CHECKING:
    from advlaw.config.study import Study


def search_mistakes(study: "Study", datasets: Datasets) -> Iterator[str]:
    search = study.search
    yield from unknown("search.dataset", search.dataset, datasets.datasets, "data sets")
    for name, pictures in search.pictures.items():
        for key in ("net", "baseline"):
            yield from unknown(f"search.pictures.{name}.{key}", getattr(pictures, key), study.nets(), "models")
        yield from unknown_attacks(f"search.pictures.{name}.attack", [pictures.attack], study)
    if search.child is None or search.measured is None or not search.searches:
        return
    nets = {
        key: net for key, net in (("child", search.child), ("enlarged.net", search.enlarged.net)) if net is not None
    }
    data = datasets.datasets.get(search.dataset)
    if isinstance(data, Folder):
        yield f"search.dataset = {search.dataset!r}: {NO_FILES}"
    elif data is not None:
        fitted = data.train if search.images is None else search.images
        held_out = data.validation if search.held_out is None else search.held_out
        if fitted + max(0, held_out - data.validation) > data.train:
            yield (
                f"search.images = {fitted}: with held_out = {held_out} too many; {search.dataset} has {data.train} "
                f"training and {data.validation} validation images"
            )
        for key, net in nets.items():
            mistake = net.architecture.mistake(data.image_side)
            if mistake:
                yield f"search.{key}.{mistake}"
            yield from crop_mistakes(f"search.{key}", net.training)
    yield from unknown_attacks("search.measured.attack", [search.measured.attack], study)
    attack = search.measured.attack
    if is_known(attack, study) and not study.attacks.by_key(attack).clip:
        yield f"search.measured.attack = {attack!r}: does not clip to [0, 255]; name one with clip: true"
    for name, one in search.searches.items():
        if one.adversarial is None:
            continue
        key = f"search.searches.{name}.adversarial"
        yield from training_attack_mistakes(f"{key}.attack", one.adversarial.attack, study)
        for part, net in nets.items():
            if one.adversarial.images > net.training.batch_size:
                yield f"{key}.images = {one.adversarial.images}: {part}.batch_size is {net.training.batch_size}"
