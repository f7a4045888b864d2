"""Mistakes in `trials`, the sets of nets."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from advlaw.attacks.settings import Grid
from advlaw.config.known import NO_FILES, crop_mistakes, model_mistakes, unknown, unknown_attacks
from advlaw.data.settings import Datasets, Folder
from advlaw.models.settings import halvings
from advlaw.trials.settings import AtEps, Drawn, Measure, TrialSet

if TYPE_CHECKING:
    from advlaw.config.study import Study


def trials_mistakes(key: str, trials: TrialSet, study: "Study", datasets: Datasets) -> Iterator[str]:
    yield from unknown(f"{key}.dataset", trials.dataset, datasets.datasets, "data sets")
    yield from _measure_mistakes(f"{key}.measure", trials.measure, study)
    data = datasets.datasets.get(trials.dataset)
    if isinstance(data, Folder):
        yield f"{key}.dataset = {trials.dataset!r}: {NO_FILES}"
        return
    for part, images in _images_measured(trials.measure).items():
        if data and images and images > data.test:
            yield f"{key}.measure.{part} = {images}: {trials.dataset} has only {data.test} test images"
    if isinstance(trials, Drawn):
        deepest = trials.draw.cnn.convolutions[1]
        if data and data.image_side >> deepest == 0:
            yield f"{key}.draw.cnn.convolutions = {deepest}: {halvings(data.image_side)}"
        yield from crop_mistakes(f"{key}.training", trials.training)
        return
    of_base = list(model_mistakes(f"{key}.base", trials.base, study, datasets))
    yield from of_base
    if not of_base:  # else every net that inherits a mistake would repeat it
        for name, net in trials.nets.items():
            yield from model_mistakes(f"{key}.nets.{name}", net, study, datasets)


def _images_measured(measure: Measure | AtEps) -> dict[str, int | None]:
    """How many test images each key of `measure` asks for."""
    if isinstance(measure, Measure):
        return {"images": measure.images}
    transfer = {"transfer.images": measure.transfer.images} if measure.transfer else {}
    return {"images": measure.images, "iterative_images": measure.iterative_images, **transfer}


def _measure_mistakes(key: str, measure: Measure | AtEps, study: "Study") -> Iterator[str]:
    yield from _measuring_attack_mistakes(f"{key}.attacks", measure.attacks, study)
    if isinstance(measure, Measure):
        yield from _reference_mistakes(key, measure, study)
    elif measure.transfer:
        yield from _measuring_attack_mistakes(f"{key}.transfer.attacks", measure.transfer.attacks, study)


def _measuring_attack_mistakes(key: str, attacks: list[str], study: "Study") -> Iterator[str]:
    yield from unknown_attacks(key, attacks, study)
    names = [attack.partition(".")[2] for attack in attacks]
    if len(set(names)) < len(names):
        yield f"{key} = {attacks}: two have the same name; rename or remove one"


def _reference_mistakes(key: str, measure: Measure, study: "Study") -> Iterator[str]:
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
