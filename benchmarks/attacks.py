"""FGSM over 30 eps, PGD over 5, and thresholds, against torchattacks, Foolbox, ART and cleverhans.

Peers take the same nets and images in batches of the same size. How many images each eps makes wrong is compared:
equal with clipping; without it to 0.1 %, since our first layer is computed once for all eps and rounds differently;
to 1 % under PGD, whose steps amplify rounding. Peers follow the ordinary float32 gradient, which these nets have.
"""

import warnings
from collections.abc import Callable, Iterator
from functools import partial

import foolbox
import numpy as np
import torch
import torchattacks
from cleverhans.torch.attacks.fast_gradient_method import fast_gradient_method
from foolbox.attacks import LinfFastGradientAttack, LinfProjectedGradientDescentAttack
from nets import ARCHITECTURES, N_CLASSES, SHAPE, as_shipped, attacked, trained
from rounds import Line, Setting, compare
from torch import Tensor, nn

from advlaw.attacks.iterative import perturbed
from advlaw.attacks.one_step import one_step_direction
from advlaw.attacks.settings import IterativeAttack, OneStepAttack, RelativeStep
from advlaw.evaluation.each_eps import sweep_each_eps
from advlaw.evaluation.rays import Ray
from advlaw.evaluation.sweep import Randomness, sweep_one_step
from advlaw.models.classifier import Classifier

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from art.attacks.evasion import FastGradientMethod
    from art.estimators.classification import PyTorchClassifier

EPS = np.geomspace(0.01, 64.0, 30)
FEW = EPS[4::6]
IMAGES = {"linear": 4000, "FC 200-200-200": 2000, "FC 1000-1000": 500, "CNN 32-64": 150}
BATCH = 500
RANDOM = Randomness(0, ("benchmark",))
PGD = IterativeAttack(norm="linf", steps=20, step_size=RelativeStep(relative=0.125), target="true_label", clip=True)
TOLERANCE = 1e-4
BRACKETS = np.geomspace(1.0, 64.0, 4)  # where a change of sign is looked for first
FAR = 1e4  # pixels: bounds that nothing meets
Attacked = Callable[[Tensor, Tensor, float], Tensor]  # images, labels, eps -> perturbed images


class FromUnit(nn.Module):
    """The net for peers that want pixels in [0, 1]."""

    def __init__(self, net: Classifier) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        return self.net(images * 255)


def error_counts(net: Classifier, images: Tensor, labels: Tensor, attack: Attacked, eps: np.ndarray) -> list[int]:
    """How many images an attack makes wrong at each eps, in batches, attacking anew at each."""
    counts = []
    for value in eps.tolist():
        wrong = 0
        for some, wanted in zip(images.split(BATCH), labels.split(BATCH), strict=True):
            with torch.enable_grad():
                found = attack(some, wanted, value)
            with torch.no_grad():
                wrong += int((net(found).argmax(dim=1) != wanted).sum())
        counts.append(wrong)
    return counts


def our_counts(net: Classifier, images: Tensor, labels: Tensor, attack: OneStepAttack) -> list[int]:
    """The same from one direction for each image."""
    counts = torch.zeros(len(EPS), dtype=torch.int64)
    for some, wanted in zip(images.split(BATCH), labels.split(BATCH), strict=True):
        direction, _ = one_step_direction(net, some, wanted, attack)
        with torch.no_grad():
            ray = Ray(net, some, direction, attack.clip)
            counts += torch.stack([(ray.logits(e).argmax(dim=1) != wanted).sum() for e in EPS.tolist()]).cpu()
    return counts.tolist()


def fgsm_peers(net: Classifier, device: torch.device, clip: bool) -> dict[str, Attacked]:
    """FGSM of each library; torchattacks always clips."""
    bounds = (0.0, 255.0) if clip else (-FAR, FAR)
    unit = FromUnit(net).eval()
    model = foolbox.PyTorchModel(net, bounds=bounds, device=device)
    attack = LinfFastGradientAttack(random_start=False)
    kind = "gpu" if device.type == "cuda" else "cpu"
    estimator = PyTorchClassifier(
        net, nn.CrossEntropyLoss(), tuple(SHAPE), N_CLASSES, clip_values=bounds if clip else None, device_type=kind
    )

    def with_torchattacks(images: Tensor, labels: Tensor, eps: float) -> Tensor:
        return torchattacks.FGSM(unit, eps=eps / 255)(images / 255, labels) * 255

    def with_art(images: Tensor, labels: Tensor, eps: float) -> Tensor:
        method = FastGradientMethod(estimator, eps=eps, batch_size=BATCH)
        return torch.from_numpy(method.generate(images.cpu().numpy(), y=labels.cpu().numpy())).to(device)

    def with_cleverhans(images: Tensor, labels: Tensor, eps: float) -> Tensor:
        ends = {"clip_min": bounds[0], "clip_max": bounds[1]} if clip else {}
        return fast_gradient_method(net, images, eps, np.inf, y=labels, sanity_checks=False, **ends)

    peers: dict[str, Attacked] = {
        "Foolbox": lambda images, labels, eps: attack.run(
            model, images, foolbox.criteria.Misclassification(labels), epsilon=eps
        ),
        "cleverhans": with_cleverhans,
        "ART": with_art,
    }
    return {"torchattacks": with_torchattacks, **peers} if clip else peers


def fgsm(setting: Setting, clip: bool) -> Iterator[Line]:
    attack = OneStepAttack(direction="sign", target="true_label", clip=clip)
    for name in ARCHITECTURES:
        net, (images, labels) = trained(name, setting.device), attacked(IMAGES[name], setting.device)
        ours = partial(our_counts, net, images, labels, attack)
        for layout, given in layouts(name, net).items():
            peers = {
                peer: partial(error_counts, given, images, labels, method, EPS)
                for peer, method in fgsm_peers(given, setting.device, clip).items()
            }
            for peer, job in peers.items():
                require_equal(ours(), job(), f"FGSM, {name}, {peer}", len(images), allowed=0.0 if clip else 0.001)
            what = f"FGSM, 30 ε, {'clipped' if clip else 'not clipped'}"
            yield from compare(what, name + layout, f"{len(images):,} images", ours, peers, setting)


def layouts(name: str, net: Classifier) -> dict[str, Classifier]:
    """What peers are given: of a convolutional net both memory layouts, ours being the faster."""
    if not name.startswith("CNN"):
        return {"": net}
    return {", peers as shipped": as_shipped(net), ", all channels-last": net}


def pgd(setting: Setting) -> Iterator[Line]:
    for name in ("FC 1000-1000", "CNN 32-64"):
        net, (images, labels) = trained(name, setting.device), attacked(IMAGES[name] // 2, setting.device)
        given = as_shipped(net)
        unit = FromUnit(given).eval()
        model = foolbox.PyTorchModel(given, bounds=(0, 255), device=setting.device)
        attack = LinfProjectedGradientDescentAttack(rel_stepsize=0.125, steps=20, random_start=False)

        def with_torchattacks(images: Tensor, labels: Tensor, eps: float, unit=unit) -> Tensor:
            size = eps / 255
            attack = torchattacks.PGD(unit, eps=size, alpha=0.125 * size, steps=20, random_start=False)
            return attack(images / 255, labels) * 255

        def with_foolbox(images: Tensor, labels: Tensor, eps: float, model=model, attack=attack) -> Tensor:
            return attack.run(model, images, foolbox.criteria.Misclassification(labels), epsilon=eps)

        def ours(net=net, images=images, labels=labels) -> list[int]:
            found = sweep_each_eps(net, images, labels, PGD, perturbed, FEW, RANDOM, BATCH)
            return (found["prediction"] != found["label"]).sum(axis=1).tolist()

        peers = {
            peer: partial(error_counts, given, images, labels, method, FEW)
            for peer, method in {"torchattacks": with_torchattacks, "Foolbox": with_foolbox}.items()
        }
        for peer, job in peers.items():
            require_equal(ours(), job(), f"PGD, {name}, {peer}", len(images), allowed=0.01)
        yield from compare(f"PGD, 20 steps, {len(FEW)} ε", name, f"{len(images):,} images", ours, peers, setting)


def thresholds(setting: Setting) -> Iterator[Line]:
    """The eps at which each image is first wrong: ours, from four brackets, against bisection with Foolbox's FGSM.

    Neither sees an image that flips twice between two of its points.
    """
    attack = OneStepAttack(direction="sign", target="true_label", clip=False)
    for name in ARCHITECTURES:
        net, (images, labels) = trained(name, setting.device), attacked(IMAGES[name], setting.device)
        model = foolbox.PyTorchModel(as_shipped(net), bounds=(-FAR, FAR), device=setting.device)
        right = net(images).argmax(dim=1) == labels
        images, labels = images[right], labels[right]

        def ours(net=net, images=images, labels=labels) -> np.ndarray:
            return sweep_one_step(net, images, labels, attack, BRACKETS, RANDOM, BATCH)["threshold"]

        bisection = partial(bisected, model, images, labels)
        expected, found = ours(), bisection()
        finite = np.isfinite(expected) & (found < EPS[-1]) & (expected > 2 * EPS[0])
        agree = np.isclose(found[finite], expected[finite], rtol=3 * TOLERANCE).mean()
        assert agree > 0.99, f"thresholds, {name}: {1 - agree:.1%} differ"  # where an image flips more than once
        peers = {"bisection, Foolbox at each step": bisection}
        yield from compare("thresholds to 1e-4", name, f"{len(images):,} images", ours, peers, setting)


def bisected(model: foolbox.PyTorchModel, images: Tensor, labels: Tensor) -> np.ndarray:
    """Bisection of ln(eps) for every image at once: as many attacks as the tolerance takes."""
    attack = LinfFastGradientAttack(random_start=False)
    found = []
    for some, wanted in zip(images.split(BATCH), labels.split(BATCH), strict=True):
        criterion = foolbox.criteria.Misclassification(wanted)
        low = torch.full((len(some), 1, 1, 1), float(np.log(EPS[0])), device=some.device)
        high = torch.full_like(low, float(np.log(EPS[-1])))
        while float((high - low).max()) > TOLERANCE:
            middle = 0.5 * (low + high)
            direction = attack.run(model, some, criterion, epsilon=1.0) - some
            wrong = model(some + middle.exp() * direction).argmax(dim=1) != wanted
            low, high = (torch.where(wrong.view(-1, 1, 1, 1), a, b) for a, b in ((low, middle), (middle, high)))
        found.append(high.exp().flatten())
    return torch.cat(found).cpu().double().numpy()


def require_equal(ours: list[int], theirs: list[int], what: str, n_images: int, allowed: float = 0.0) -> None:
    """Counts must be equal, or differ by at most a share of the images."""
    worst = max(abs(a - b) for a, b in zip(ours, theirs, strict=True))
    assert worst <= allowed * n_images, f"{what}: counts differ by {worst}: {ours} {theirs}"
