"""enlarged.csv and settings.csv: nets of the best cells, with every set of hyperparameters; how a study searches."""

from collections.abc import Mapping
from typing import Any

from advlaw.core.io import Cells
from advlaw.search.settings import Searches
from advlaw.tables.search.children import ACCURACIES, SHAPE, shape
from advlaw.training.settings import Adversarial, FixedEps

ENLARGED_COLUMNS = (
    "net",
    "search",
    "arm",
    "trained_as",
    "seed",
    "n_replaced",
    "cell",
    *SHAPE,
    "hyperparameters",
    *ACCURACIES,
    "diverged",
    "is_chosen",
)
SETTINGS_COLUMNS = (
    "search",
    "dataset",
    "blocks",
    "n_operations",
    "n_fitted",
    "n_held_out",
    "epochs",
    "batch_size",
    "n_replaced",
    "attack",
    "weight",
    "eps_law",
    "rewarded_by",
    "reward_attack",
    "reward_eps",
    "children",
    "random",
    "seeds",
    "enlarged_epochs",
    "hyperparameter_sets",
)


def enlarged_rows(found: Mapping[str, Mapping[str, Any]]) -> list[Cells]:
    """A row for every set of hyperparameters of every enlarged net; accuracies are on validation images.

    `n_replaced` of a minibatch are adversarial, where a net has others than its search.
    """
    rows = []
    for net, about in found.items():
        for tried in about["sets"]:
            values = ", ".join(f"{key}={value}" for key, value in tried["values"].items())
            row = {"net": net, **about, "trained_as": about["adversarial"], "n_replaced": about["images"]}
            row |= shape(about["cell"])
            rows.append({**row, **tried, "hyperparameters": values})
    return rows


def settings_rows(settings: Searches) -> list[Cells]:
    """A row for every search, with what is the same for all."""
    if not settings.searches:
        return []
    child, measured, space, enlarged = settings.child, settings.measured, settings.space, settings.enlarged
    assert child is not None and measured is not None and space is not None
    of_all = {
        "dataset": settings.dataset,
        "blocks": space.blocks,
        "n_operations": len(space.operations),
        "n_fitted": settings.images,
        "n_held_out": settings.held_out,
        "epochs": child.training.epochs,
        "batch_size": child.training.batch_size,
        "reward_attack": measured.attack,
        "reward_eps": measured.eps,
        "enlarged_epochs": enlarged.net.training.epochs if enlarged.net else None,
        "hyperparameter_sets": len(enlarged.sets()) if enlarged.nets else None,
    }
    return [
        {
            **of_all,
            **_defence(search.adversarial),
            "search": name,
            "rewarded_by": search.reward,
            "children": search.children,
            "random": search.random,
            "seeds": search.seeds,
        }
        for name, search in settings.searches.items()
    ]


def _defence(adversarial: Adversarial | None) -> Cells:
    if adversarial is None:
        return {"n_replaced": 0, "attack": None, "weight": None, "eps_law": None}
    eps = adversarial.eps
    law = f"fixed {eps.fixed:g}" if isinstance(eps, FixedEps) else f"|N(0, {eps.sigma:g})| up to {eps.largest:g}"
    attack = adversarial.attack.partition(".")[2]
    return {"n_replaced": adversarial.images, "attack": attack, "weight": adversarial.weight, "eps_law": law}
