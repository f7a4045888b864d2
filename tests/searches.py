"""Params of two small searches, which tests share."""

from pathlib import Path

from advlaw.attacks.settings import Attacks
from advlaw.core.section import validate
from advlaw.search.settings import Searches

ATTACKS = Attacks.model_validate(
    {
        "one_step": {
            "fgsm": {"direction": "sign", "clip": True},
            "step_ll": {"direction": "sign", "target": "least_likely", "clip": True},
        },
        "iterative": {},
        "apgd": {},
        "query": {},
    }
)
ADVERSARIAL = {
    "attack": "one_step.step_ll",
    "images": 10,
    "weight": 0.5,
    "eps": {"fixed": 8.0},
    "batch_norm": "train",
    "probe_eps": 8.0,
}
VALUES = {
    "dataset": "patterns",
    "images": 60,
    "held_out": 50,
    "space": {"blocks": 2},
    "child": {
        "filters": 2, "repeats": 0, "reductions": 1, "stem": 1,
        "epochs": 1, "learning_rate": 0.01, "batch_size": 20, "watched": 0,
    },
    "measured": {"attack": "one_step.fgsm", "eps": 8.0},
    "controller": {
        "units": 8, "learning_rate": 0.05, "entropy_weight": 0.0, "baseline_decay": 0.9,
        "clip": 0.2, "passes": 2, "batch": 2, "scale_advantage": True,
    },
    "repeated": {"best": 1, "random": 2, "seeds": 2},
    "searches": {
        "step_ll": {"adversarial": ADVERSARIAL, "reward": "adversarial", "children": 4, "random": 3},
        "clean": {"reward": "clean", "children": 3, "random": 0},
    },
    "enlarged": {
        "net": {"filters": 4},
        "grid": {"learning_rate": [0.003, 0.03]},
        "nets": {
            "clean": {"search": "clean"},
            "robust": {"search": "step_ll", "adversarial": "step_ll"},
            "copy": {"search": "step_ll", "adversarial": "step_ll", "seed": 1},
            "whole": {"search": "step_ll", "adversarial": "step_ll", "arm": "random", "images": 20},
        },
    },
    "pictures": {},
}  # fmt: skip


def settings(**change) -> Searches:
    return validate({**VALUES, **change}, Searches, Path("params.yaml"), "search")
