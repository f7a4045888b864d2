"""What is measured of every net of a set: its outcomes under each attack, image by image, and its gradients."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from torch import Tensor

from advlaw.attacks.gradient import input_gradient
from advlaw.attacks.settings import Attack, Grid
from advlaw.core.examples import read_examples
from advlaw.core.images import Images
from advlaw.core.io import Arrays, npz
from advlaw.core.runtime import configure
from advlaw.evaluation.batches import in_batches, joined
from advlaw.evaluation.sweep import Randomness
from advlaw.evaluation.swept import swept
from advlaw.models.classifier import Classifier
from advlaw.models.store import load_net
from advlaw.trials.plan import Measured, Setting, outcomes_path

BATCH = 1000


@dataclass(frozen=True)
class AttackPlan:
    """How every net of a set is attacked: `attacks` by their keys, over `grid`, on the first `images` (None: all)."""

    setting: Setting
    attacks: dict[str, Attack]
    grid: Grid
    images: int | None


def path_of(net: Measured, plan: AttackPlan) -> Path:
    """Where a net's outcomes are kept."""
    more = {"grid": plan.grid.model_dump(), "images": plan.images}
    return outcomes_path("advlaw.trials.measure", plan.setting, plan.attacks, [net], **more)


def measure(plan: AttackPlan, net: Measured) -> bytes:
    """An npz file of one net: gradient_l1 and gradient_l2 (N,), and <attack>/<array> as a sweep has them."""
    setting = plan.setting
    device = configure(1, setting.device, setting.portable)
    model = load_net(net.spec, net.path, device)
    test = read_examples(setting.dataset, "test", device).first(plan.images)
    found = gradient_norms(model, test.images, test.labels)
    for key, attack in plan.attacks.items():
        family, randomness = key.partition(".")[0], Randomness(setting.seed, ("trials", key))
        arrays = swept(model, test.images, test.labels, family, attack, plan.grid, randomness)
        found |= {f"{key}/{name}": values for name, values in arrays.items()}
    content = BytesIO()
    npz(content, found)
    return content.getvalue()


def gradient_norms(model: Classifier, images: Images | Tensor, labels: Tensor) -> Arrays:
    """The L1 and L2 norms (N,) of each image's input gradient of the loss, over 1 - p_y (logits per pixel), float32.

    The L1 norm is the rate at which FGSM closes the gap between the label's logit and the others', to first order.
    """

    def norms(batch: slice, here: Tensor) -> Arrays:
        gradient = input_gradient(model, here, labels[batch]).flatten(1)
        return {
            "gradient_l1": gradient.abs().sum(dim=1).cpu().numpy(),
            "gradient_l2": gradient.norm(dim=1).cpu().numpy(),
        }

    return joined(in_batches(images, BATCH, norms, "gradients"), len(images))
