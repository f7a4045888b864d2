"""How attacks and training are set, read from the params (Cubuk Sec. 4, Kurakin Sec. 2.2 and 3)."""

import pandas as pd

from advlaw.attacks.settings import IterativeAttack
from advlaw.claims.registry import view
from advlaw.claims.study import Evidence
from advlaw.core.io import Cells
from advlaw.training.settings import RandomEps


@view()
def iterative_attacks(study: Evidence) -> pd.DataFrame:
    """Every iterative attack: its step at eps = 8, and how many it takes at several eps."""
    return pd.DataFrame(
        {"attack": name, "is_from_eps": attack.steps == "from_eps", "step_size": float(attack.step(8.0))}
        | {f"steps_at_{eps}": attack.n_steps(eps) for eps in (2, 4, 8, 16)}
        for name, attack in study.attacks.iterative.items()
    )


@view()
def adversarial_training(study: Evidence) -> pd.DataFrame:
    """Every net that is trained on adversarial examples: its attack at its largest eps, and Kurakin's loss (Sec. 3)."""
    found: list[Cells] = []
    for name, net in study.robust_nets.items():
        ours, eps, size = net.adversarial, net.adversarial.eps, net.training.batch_size
        sigma, largest = (eps.sigma, eps.largest) if isinstance(eps, RandomEps) else (0.0, eps.fixed)
        share = ours.weight * ours.images / (size - ours.images + ours.weight * ours.images)
        row: Cells = {"net": name, "family": ours.family, "weight": ours.weight, "batch_size": size, "share": share}
        row |= {"sigma": sigma, "largest_eps": largest}
        attack = study.attacks.by_key(ours.attack)
        if isinstance(attack, IterativeAttack):
            row |= {"steps": attack.n_steps(largest), "step_size": float(attack.step(largest))}
            row |= {"random_start": float(attack.random_start), "clip": float(attack.clip)}
        found.append(row)
    return pd.DataFrame(found)


@view()
def papers_minibatch(study: Evidence) -> pd.DataFrame:
    """The divisor of Kurakin's loss, m - k + lambda k, beside nets that are trained on one-step examples (Sec. 3)."""
    has_nets = any(net.adversarial.family == "one_step" for net in study.robust_nets.values())
    return pd.DataFrame({"divisor": [32 - 16 + 0.3 * 16] if has_nets else []})
