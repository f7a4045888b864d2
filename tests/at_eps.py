"""Outcome files of nets at a few eps, written by hand: a digit for each image's rank."""

from pathlib import Path

import numpy as np

from advlaw.attacks.settings import Attacks
from advlaw.core.io import Cells, write_npz
from advlaw.tables.at_eps.ranks import NOT_FINITE, Ranks, read_ranks

FGSM, PREDICTED, STEP_LL = "one_step.fgsm", "one_step.fgsm_pred", "one_step.step_ll"
SIGN = {"direction": "sign", "clip": True}
STEPS = {"steps": 3, "step_size": {"absolute": 1.0}, "clip": True}
ATTACKS = Attacks.model_validate(
    {
        "one_step": {
            "fgsm": SIGN,
            "fgsm_pred": {**SIGN, "target": "predicted_label"},
            "step_ll": {**SIGN, "target": "least_likely"},
            "step_rnd": {**SIGN, "target": "random_class"},
            "unclipped": {**SIGN, "target": "predicted_label", "clip": False},
            "l2": {**SIGN, "direction": "l2"},
        },
        "iterative": {"iter_basic": STEPS},
        "apgd": {},
        "query": {},
    }
)
SPEC = {"arch": "fc", "widths": [100, 50], "activation": "tanh", "image_shape": [1, 8, 8], "n_classes": 10}


def ranks_of(right: str) -> list[int]:
    """Ranks of labels: a digit, 0 if right; x where a logit is not finite."""
    return [NOT_FINITE if image == "x" else int(image) for image in right]


def outcomes(path: Path, clean: str, attacks: dict[str, list[str]], not_finite: str = "") -> Ranks:
    """A net's file of outcomes, read: ranks when clean, and under each attack at eps 4, 8 and so on."""
    n, sizes = len(clean), [4.0 * 2**i for i in range(max(map(len, attacks.values()), default=0))]
    arrays = {"eps": np.array(sizes), "label": np.arange(n, dtype=np.int16) % 10}
    arrays["clean/rank"] = np.array(ranks_of(clean), np.uint8)
    for key, at_eps in attacks.items():
        arrays[f"{key}/rank"] = np.array([ranks_of(each) for each in at_eps], np.uint8)
        lost = not_finite[: len(at_eps[0])].ljust(len(at_eps[0]), ".")
        arrays[f"{key}/not_finite"] = np.array([image == "x" for image in lost])
    write_npz(path, arrays)
    return read_ranks(path, list(attacks))


def net(name: str, differs: str = "", seed: int = 0, baseline: str | None = None, **more: object) -> Cells:
    """A row of nets.json; its training is on clean images if it differs in that."""
    row = {"net": name, "spec": SPEC, "n_parameters": 1, "flops": 2, "diverged": False, "differs": differs}
    attack = None if differs.startswith("adversarial=null") else "step_ll"
    return {**row, "seed": seed, "baseline": baseline, "attack": attack, **more}


def accuracies(folder: Path, name: str, clean: int, attacked: int, n: int = 1000) -> Ranks:
    """A net with so many right images; which they are does not depend on the net."""
    texts = ["0" * right + "1" * (n - right) for right in (clean, attacked)]
    return outcomes(folder / f"{name}.npz", texts[0], {STEP_LL: texts[1:]})
