"""The params of an audit: a study of one net, with the sections that every study has; its attacks and their defaults.

`advlaw.measure` takes the same ones.
"""

import math
from typing import Any

DATASET = "images"
ONE_STEP: dict[str, dict[str, Any]] = {
    "fgsm": {"direction": "sign", "clip": False},
    "l2": {"direction": "l2", "clip": False},
    "step_ll": {"direction": "sign", "target": "least_likely", "clip": False},
}
CLIPPED = {"direction": "sign", "clip": True}
EPS_MIN, EPS_MAX, COUNT = 0.01, 16.0, 20  # the grid of eps
STEPS = 10  # of PGD
SMALL = 3 * 32 * 32  # pixels of an image
SHARDS = 16  # of a sweep, if they are no larger than the largest:
LARGEST_SHARD = {True: 500, False: 64}  # images, by whether they are small
SMALLEST_SHARD = 10
FOLLOWED = {True: 200, False: 50}  # images, for the theory: it computes as much as the sweeps of 500, or of 250
RESIDUAL = {True: 25, False: 10}  # images whose logits are followed in double precision
MIN_ERRORS, MAX_ERROR = 5, 0.2  # a wider range than the other studies', since there are fewer images


def audit_params(
    name: str,
    model: dict[str, Any],
    grid: dict[str, Any],
    steps: int,
    shape: tuple[int, ...],
    settings: dict[str, Any],
) -> dict[str, Any]:
    """All sections of params.yaml; `model` is the entry of `pretrained_models`, `grid` the section `attack`.

    `steps` are PGD's, 0 for none; `shape`: of all images, (N, C, H, W); `settings`: seed, threads, device and portable.
    """
    n_images, is_small = shape[0], math.prod(shape[1:]) <= SMALL
    shard = max(SMALLEST_SHARD, min(LARGEST_SHARD[is_small], math.ceil(n_images / SHARDS)))
    followed = {"images": FOLLOWED[is_small]} if n_images > FOLLOWED[is_small] else {}
    families = dict.fromkeys(ONE_STEP, "one_step") | ({"pgd": "iterative"} if steps else {})
    return {
        "study": name,
        "root": ".",
        "params": "params.yaml",
        **settings,
        "datasets": [DATASET],
        "attack": grid,
        "models": {},
        "robust_models": {},
        "pretrained_models": {name: {"dataset": DATASET, **model}},
        "baselines": {},
        "attacks": {
            "one_step": {**ONE_STEP, "fgsm_clipped": CLIPPED},
            "iterative": {"pgd": pgd(steps)} if steps else {},
            "apgd": {},
            "query": {},
        },
        "sweeps": {
            attack: {"model": name, "family": family, "attacks": [attack], "shard": shard}
            for attack, family in families.items()
        },
        "fit": {
            "min_errors": MIN_ERRORS,
            "max_error": MAX_ERROR,
            "bootstrap": 1000,
            "confidence": 0.95,
            "headline": [f"{attack}/{attack}" for attack in families],
        },
        "response": {
            "rays": {
                "eps_min": 0.01,
                "eps_max": 64.0,
                "count": 20,
                "followed": 3,
                "residual": RESIDUAL[is_small],
            },
            "nets": {name: {"attacks": ["fgsm", "step_ll"], **followed}},
        },
        "theory": {"cut_offs": [0.3, 0.1, 0.03], "compared": [name]},
        "workers": {"backend": "loky", "processes": settings.get("threads", 1)},
        **_left_out(),
    }


def pgd(steps: int) -> dict[str, Any]:
    """PGD's settings: unclipped, from the image itself."""
    size = {"relative": 2.5 / steps}  # of eps: two and a half times what is needed to cross the ball
    return {"steps": steps, "step_size": size, "clip": False}


def _left_out() -> dict[str, Any]:
    """What a study may have and an audit has not: sets of many nets, searches, and defences under strong attacks."""
    return {
        "order_statistics": {"laws": ["uniform"], "classes": 10, "samples": 100_000, "cut_offs": [0.1]},
        "trials": {},
        "search": {"dataset": DATASET, "searches": {}, "enlarged": {"nets": {}}, "pictures": {}},
        "worst_case": {
            "protocol": {
                "images": 10,
                "eps": [1.0],
                "weak": "one_step.fgsm_clipped",
                "attacks": ["one_step.fgsm_clipped"],
                "transferred": ["one_step.fgsm_clipped"],
            },
            "nets": {},
        },
    }
