"""FGSM over 30 eps on images of 224 x 224: a sweep with exact thresholds, recovery and top-5, against torchattacks.

    python benchmarks/photographs.py [--images 32] [--eps 30] [--rounds 3]      prints the lines alone

The net is timm's MobileNetV2 with random weights but for the last layer; images are drawn too. The peer is given it as
timm makes it, behind a layer that normalises, and attacks anew at each eps as people write it; advlaw takes it as
`advlaw.measure` does, batch norm folded. Both must make as many images wrong at each eps.
"""

import argparse
from collections.abc import Iterator
from functools import partial

import numpy as np
import timm
import torch
import torchattacks
from rounds import Line, Setting, compare
from torch import Tensor, nn

from advlaw.attacks.settings import OneStepAttack
from advlaw.core.runtime import configure
from advlaw.evaluation.sweep import Randomness, sweep_one_step
from advlaw.interface.model import taken
from advlaw.models.classifier import Classifier

NAME, SIDE = "mobilenetv2_100", 224
BATCH = 16
OWN_LOGIT = 8.0  # an image's logit of its own class, where nothing underflows
ATTACK = OneStepAttack(direction="sign", target="true_label", clip=True)


class Normalised(nn.Module):
    """The net behind (images - mean) / std of pixels in [0, 1]."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        for name in ("mean", "std"):
            self.register_buffer(name, torch.tensor(net.pretrained_cfg[name]).view(-1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        return self.net((images - self.mean) / self.std)

    def features(self, images: Tensor) -> Tensor:
        hidden = self.net.forward_features((images - self.mean) / self.std)
        return self.net.forward_head(hidden, pre_logits=True)


def photographs(count: int) -> Tensor:
    """Drawn images (N, 3, 224, 224) in whole pixels, with structure of every size, as photographs have it."""
    draws = torch.Generator().manual_seed(0)
    total = torch.zeros(count, 3, SIDE, SIDE)
    for side in (1, 4, 14, 56, SIDE):
        noise = torch.randn(count, 3, side, side, generator=draws)
        total += nn.functional.interpolate(noise, SIDE, mode="bilinear")
    return (128 + 25 * total).round().clamp(0, 255)


def peer_net(images: Tensor) -> Normalised:
    """MobileNetV2 as if trained on the images: their statistics in its norms, each a class by its features."""
    torch.manual_seed(0)
    net = Normalised(timm.create_model(NAME)).to(images.device)
    norms = [layer for layer in net.modules() if isinstance(layer, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None  # the plain mean of what is seen
        norm.bias.data.fill_(2.0)  # off the kinks of ReLU6: else rounding alone turns signs of a random net's gradient
    with torch.no_grad():
        for some in images.split(BATCH):
            net(some / 255)
        net.eval()
        features = torch.cat([net.features(some / 255) for some in images.split(BATCH)])
        own, last = features - features.mean(dim=0), net.net.classifier
        last.weight.zero_()[: len(images)] = OWN_LOGIT * own / own.square().sum(dim=1, keepdim=True)
        last.bias.copy_(-last.weight @ features.mean(dim=0))
    return net


def our_counts(model: Classifier, images: Tensor, labels: Tensor, eps: np.ndarray) -> list[int]:
    found = sweep_one_step(model, images, labels, ATTACK, eps, Randomness(0, ("benchmark",)))
    assert np.isfinite(found["threshold"]).any()
    return (found["prediction"] != found["label"]).sum(axis=1).tolist()


def their_counts(net: nn.Module, images: Tensor, labels: Tensor, eps: np.ndarray) -> list[int]:
    counts = []
    for value in eps.tolist():
        attack, wrong = torchattacks.FGSM(net, eps=value / 255), 0
        for some, wanted in zip(images.split(BATCH), labels.split(BATCH), strict=True):
            moved = attack(some / 255, wanted)
            with torch.no_grad():
                wrong += int((net(moved).argmax(dim=1) != wanted).sum())
        counts.append(wrong)
    return counts


def lines(setting: Setting, n_images: int = 32, n_eps: int = 30) -> Iterator[Line]:
    images = photographs(n_images).to(setting.device)
    net = peer_net(images)
    statistics = {name: (255 * getattr(net, name)).flatten().tolist() for name in ("mean", "std")}
    with torch.no_grad():
        labels = torch.cat([net(some / 255).argmax(dim=1) for some in images.split(BATCH)])
    labels[::8] += 1  # some are wrong when clean
    labels %= 1000
    model, _ = taken(net.net, statistics, images, 1000)
    eps = np.geomspace(0.01, 64.0, n_eps)
    ours, theirs = (
        partial(count, one, images, labels, eps) for count, one in ((our_counts, model), (their_counts, net))
    )
    found, expected = ours(), theirs()
    assert found == expected, f"photographs: counts differ: {found} {expected}"
    what = f"FGSM, {n_eps} ε, clipped, with exact thresholds"
    yield from compare(
        what, "MobileNetV2", f"{n_images} images of {SIDE} x {SIDE}", ours, {"torchattacks": theirs}, setting
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--eps", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    setting = Setting(configure(threads=1, device="cpu", portable=False), arguments.rounds)
    for line in lines(setting, arguments.images, arguments.eps):
        print(line.as_row())
