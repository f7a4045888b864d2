"""What is measured of every net of a set at a few eps: where the label stands among its logits, image by image."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np

from advlaw.attacks.settings import Attack
from advlaw.core.examples import read_examples
from advlaw.core.io import npz
from advlaw.core.runtime import configure
from advlaw.evaluation.ranks import NOT_FINITE, Method, clean_ranks, ranks
from advlaw.evaluation.sweep import Randomness, narrow
from advlaw.models.store import load_net
from advlaw.trials.plan import Measured, Setting, outcomes_path


@dataclass(frozen=True)
class EpsPlan:
    """How every net of a set is attacked: `attacks` by their keys, at each of `eps`.

    On the first test images, as many as `under` says of the attack's key (None: all); clean, on the first `images`.
    """

    setting: Setting
    attacks: dict[str, Attack]
    eps: tuple[float, ...]
    images: int | None
    under: dict[str, int | None]


def path_of(net: Measured, plan: EpsPlan) -> Path:
    """Where a net's outcomes are kept."""
    more = {"eps": plan.eps, "images": plan.images, "under": plan.under}
    return outcomes_path("advlaw.trials.at_eps", plan.setting, plan.attacks, [net], **more)


def measure_at_eps(plan: EpsPlan, net: Measured) -> bytes:
    """An npz file of one net: eps (E,), label (N,), clean/rank (N,), and of every attack <key>/rank and /not_finite.

    The last two as `advlaw.evaluation.ranks` has them, (E, n) and (n,) of the first n images; an image whose clean
    logits are no numbers is not finite either.
    """
    setting = plan.setting
    device = configure(1, setting.device, setting.portable)
    model = load_net(net.spec, net.path, device)
    test = read_examples(setting.dataset, "test", device).first(plan.images)
    clean = clean_ranks(model, test.images, test.labels)
    found = {"eps": np.array(plan.eps), "label": narrow(test.labels, net.spec["n_classes"]), "clean/rank": clean}
    for key, attack in plan.attacks.items():
        some = test.first(plan.under[key])
        arrays = ranks(model, some.images, some.labels, method(setting, key, attack, plan.eps))
        arrays["not_finite"] |= clean[: len(some.labels)] == NOT_FINITE
        found |= {f"{key}/{name}": values for name, values in arrays.items()}
    content = BytesIO()
    npz(content, found)
    return content.getvalue()


def method(setting: Setting, key: str, attack: Attack, eps: tuple[float, ...]) -> Method:
    """An attack as the nets of a set meet it; its random numbers are those of its key and the image."""
    return Method(key.partition(".")[0], attack, eps, Randomness(setting.seed, ("trials", key)))
