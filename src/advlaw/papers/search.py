"""Cubuk's Section 4: its Table 1, how large its searches are, and which nets of a study are like its nets.

NAS Baseline is the net of a search for clean accuracy; the nets of Experiments 1 and 2 are trained on the examples of
the search that found them, step l.l. and PGD.
"""

from typing import NamedTuple

import pandas as pd

DATASET = "cifar10"
FULL_SIZE = {  # a smaller search is an analogue
    "n_fitted": 25_000,
    "n_held_out": 5_000,
    "epochs": 10,
    "children": 9_360,
    "enlarged_epochs": 100,
    "hyperparameter_sets": 12,
}
EXPERIMENTS = ("step_ll", "pgd")  # what their nets are trained on
EPS_OF_FIG_8 = 50.0


class Printed(NamedTuple):
    """A column of Table 1: the attack as `worst_case/accuracy` calls it, and accuracies; None where it has none."""

    attack: str
    ours: float
    madry: float | None


TABLE_1 = {
    "clean": Printed("clean", 0.932, 0.873),
    "white-box FGSM": Printed("one_step.fgsm_clipped", 0.636, 0.561),
    "white-box step l.l.": Printed("one_step.step_ll_clipped", 0.779, None),
    "white-box PGD": Printed("iterative.pgd_clipped", 0.501, 0.5),
    "black-box FGSM": Printed("transferred:one_step.fgsm_clipped", 0.781, 0.67),
    "black-box step l.l.": Printed("transferred:one_step.step_ll_clipped", 0.849, None),
    "black-box PGD": Printed("transferred:iterative.pgd_clipped", 0.75, 0.642),
}


def method(attacks: pd.Series) -> pd.Series:
    """`step_ll` of step_ll_clipped, `pgd` of pgd_clipped and pgd_training."""
    return attacks.str.removesuffix("_clipped").str.removesuffix("_training")


def with_sizes(settings: pd.DataFrame) -> pd.DataFrame:
    """A study's searches (search/settings.csv) with what their children are `trained_on`; nothing is clean images.

    `is_full_size`: on the paper's data, and nothing is smaller than there.
    """
    is_large = (settings[list(FULL_SIZE)].astype(float) >= pd.Series(FULL_SIZE)).all(axis=1)
    return settings.assign(
        trained_on=method(settings["attack"]),
        share_replaced=settings["n_replaced"] / settings["batch_size"],
        is_full_size=is_large & (settings["dataset"] == DATASET),
    )


def with_roles(enlarged: pd.DataFrame, settings: pd.DataFrame) -> pd.DataFrame:
    """A study's enlarged nets (search/enlarged.csv), each with the hyperparameters that were chosen, and its `role`.

    `baseline`: of a search for clean accuracy. `robust`: trained as the children of its search, which were rewarded for
    adversarial accuracy; `random`: likewise, of the random arm. `other share`: other shares of its minibatches are
    adversarial. `copy`: another seed. Empty for all others.
    """
    searches = with_sizes(settings).set_index("search")
    nets = enlarged[enlarged["is_chosen"]]
    own = searches[["dataset", "rewarded_by", "reward_eps", "is_full_size"]]
    nets = nets.merge(own, left_on="search", right_index=True)
    nets = nets.assign(trained_on=nets["trained_as"].map(searches["trained_on"]).fillna(""))
    roles = [_role(*row) for row in zip(*(nets[name] for name in _TELLING), strict=True)]
    return nets.assign(role=roles).reset_index(drop=True)


_TELLING = ("search", "trained_as", "arm", "rewarded_by", "seed", "n_replaced")


def _role(search: str, trained_as: str, arm: str, rewarded_by: str, seed: float, n_replaced: float) -> str:
    if seed > 0:
        return "copy"
    if n_replaced > 0:  # it is missing where it is that of the search
        return "other share"
    if rewarded_by == "clean":
        return "baseline" if arm == "controller" else ""
    return {"controller": "robust", "random": "random"}[arm] if trained_as == search else ""
