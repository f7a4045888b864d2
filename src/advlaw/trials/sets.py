"""From the params of a set to its trials: every net, what it is and whose random numbers it has."""

import json
from typing import Any

from advlaw.core.rng import Numbers
from advlaw.models.sampling import net_name, sampled_architecture
from advlaw.training.settings import FixedEps, Net
from advlaw.trials.net import Trial
from advlaw.trials.settings import Drawn, TrialSet


def trials(key: str, settings: TrialSet, seed: int) -> list[Trial]:
    """All nets of a set, in order.

    Of a drawn set the i-th depends on the ranges, the seed and i alone. Those of a varied set share their random
    numbers, so that nets differ in what their entries say; `seed` of an entry gives it others.
    """
    if isinstance(settings, Drawn):
        return [_drawn(key, settings, seed, index) for index in range(settings.count)]
    return [
        Trial(name, f"{key}.nets.{name}", net, Numbers(seed, ("varied", net.seed)))
        for name, net in settings.nets.items()
    ]


def _drawn(key: str, settings: Drawn, seed: int, index: int) -> Trial:
    name = net_name(index)
    architecture = sampled_architecture(settings.draw, seed, index)
    net = Net.model_construct(architecture=architecture, training=settings.training)
    return Trial(name, f"{key}.training", net, Numbers(seed, ("drawn", name)))


def about(settings: TrialSet, name: str) -> dict[str, Any]:
    """What the table of a varied set says of a net before it is trained; of a drawn one there is nothing."""
    if isinstance(settings, Drawn):
        return {}
    net, differs = settings.nets[name], settings.differences(name)
    said = ", ".join(f"{key}={json.dumps(value)}" for key, value in differs.items())
    return {"differs": said, "seed": net.seed, "baseline": net.baseline, **_settings(net)}


def _settings(net: Net) -> dict[str, Any]:
    """By the columns of a table, defaults included: of each minibatch `n_replaced` images are attacked."""
    training, adversarial = net.training, net.adversarial
    names = ("optimizer", "learning_rate", "schedule", "batch_size", "minibatches", "weight_decay", "label_smoothing")
    found = {name: getattr(training, name) for name in names}
    found |= {name: getattr(net.architecture, name, None) for name in ("depth", "width", "activation", "dropout")}
    if adversarial is None:
        return {**found, "n_replaced": 0, **dict.fromkeys(("attack", "weight", "eps_law", "fixed_eps", "delay"))}
    eps = adversarial.eps
    fixed = eps.fixed if isinstance(eps, FixedEps) else None
    law = f"fixed {eps.fixed:g}" if isinstance(eps, FixedEps) else f"|N(0, {eps.sigma:g})| up to {eps.largest:g}"
    return {
        **found,
        "n_replaced": adversarial.images,
        "attack": adversarial.attack.partition(".")[2],
        "weight": adversarial.weight,
        "eps_law": law,
        "fixed_eps": fixed,
        "delay": adversarial.delay,
    }
