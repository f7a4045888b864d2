"""FGSM on a ResNet-32 over 40 eps with thresholds, 10,000 images of CIFAR-10's shape, against torchattacks.

torchattacks attacks anew at each eps and finds no thresholds. The net is trained for an epoch on images that are
lighter or darker by class; how many images each eps makes wrong is compared first.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
import torchattacks
from attacks import FromUnit, error_counts
from rounds import Line, Setting, compare
from torch import nn
from training import net, pixels, settings

from advlaw.attacks.settings import OneStepAttack
from advlaw.core.images import Examples, Images
from advlaw.core.rng import Numbers
from advlaw.evaluation.sweep import Randomness, sweep_one_step
from advlaw.models.store import in_fast_layout
from advlaw.training.loop import train

EPS = np.geomspace(0.05, 64.0, 40)
N_IMAGES = {"cpu": 100, "cuda": 10_000}
N_FITTED = {"cpu": 640, "cuda": 20_000}
FGSM = OneStepAttack(direction="sign", target="true_label", clip=True)
ALLOWED = 0.002  # of the images: sums of a batch of another size round differently


def trained(device: torch.device, images: np.ndarray, labels: np.ndarray) -> nn.Module:
    model = in_fast_layout(net("ResNet-32", device))
    fitted = Examples(Images(images, device), torch.from_numpy(labels).to(device))
    train("benchmark", model, fitted, fitted.first(1), settings("float32"), Numbers(0, ()), None)
    return model.eval().requires_grad_(False)


def lines(setting: Setting) -> Iterator[Line]:
    device = setting.device
    images, labels = (array[: N_FITTED[device.type]] for array in pixels())
    images = images.transpose(0, 3, 1, 2).copy()
    model = trained(device, images, labels)
    count = N_IMAGES[device.type]
    attacked, wanted = torch.from_numpy(images[:count]).to(device).float(), torch.from_numpy(labels[:count]).to(device)
    own = partial(sweep_one_step, model, attacked, wanted, FGSM, EPS, Randomness(0, ("benchmark",)))
    unit = FromUnit(model).eval()

    def with_torchattacks(some: torch.Tensor, of: torch.Tensor, eps: float) -> torch.Tensor:
        return torchattacks.FGSM(unit, eps=eps / 255)(some / 255, of) * 255

    peer = partial(error_counts, model, attacked, wanted, with_torchattacks, EPS)
    ours = (own()["prediction"] != labels[:count]).sum(axis=1)
    assert np.abs(ours - np.array(peer())).max() <= ALLOWED * count, "the same images are made wrong"
    yield from compare(
        "FGSM, 40 ε, with thresholds", "ResNet-32, float32", f"{count:,} images", own, {"torchattacks": peer}, setting
    )
