"""Whether adversarial images of one net of a set fool the others (Kurakin Sec. 4.4 and App. C)."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np

from advlaw.attacks.settings import Attack
from advlaw.core.examples import read_examples
from advlaw.core.io import npz
from advlaw.core.runtime import configure
from advlaw.evaluation.ranks import clean_ranks, transferred_ranks
from advlaw.models.store import load_net
from advlaw.trials.at_eps import method
from advlaw.trials.plan import Measured, Setting, outcomes_path


@dataclass(frozen=True)
class TransferPlan:
    """How adversarial images of each of `nets` are shown to all of them: `attacks` by their keys, at each of `eps`.

    On the first `images` test images.
    """

    setting: Setting
    attacks: dict[str, Attack]
    eps: tuple[float, ...]
    images: int
    nets: tuple[Measured, ...]


def path_of(source: Measured, plan: TransferPlan) -> Path:
    """Where the outcomes of one net's adversarial images are kept; in the file they are named after the nets."""
    names = [net.name for net in plan.nets]
    more = {"eps": plan.eps, "images": plan.images, "source": source.name, "targets": names}
    return outcomes_path("advlaw.trials.transfer", plan.setting, plan.attacks, plan.nets, **more)


def measure_transfer(plan: TransferPlan, source: Measured) -> bytes:
    """An npz file of one of the nets: eps (E,), clean/<target>/rank (n,), <attack>/<target>/rank (E, n).

    Of every net of the plan as a target, the source among them, on the source's adversarial images; ranks as
    `advlaw.evaluation.ranks` has them.
    """
    setting = plan.setting
    device = configure(1, setting.device, setting.portable)
    nets = {net.name: load_net(net.spec, net.path, device) for net in plan.nets}
    test = read_examples(setting.dataset, "test", device).first(plan.images)
    found = {"eps": np.array(plan.eps)}
    found |= {f"clean/{name}/rank": clean_ranks(net, test.images, test.labels) for name, net in nets.items()}
    for key, attack in plan.attacks.items():
        how = method(setting, key, attack, plan.eps)
        arrays = transferred_ranks(nets[source.name], nets, test.images, test.labels, how)
        found |= {f"{key}/{name}": values for name, values in arrays.items()}
    content = BytesIO()
    npz(content, found)
    return content.getvalue()
