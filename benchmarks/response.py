"""The linear response Gamma = J^T J delta / |J delta|_2 against Jacobians built class by class.

Peers build the Jacobian, one gradient for each class; we differentiate twice. The results are compared. All take as
many images at once as the pipeline does.
"""

import warnings
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from nets import ARCHITECTURES, N_CLASSES, SHAPE, attacked, trained
from rounds import Line, Setting, compare
from torch import Tensor

from advlaw.attacks.gradient import input_gradient
from advlaw.attacks.norms import over_length
from advlaw.evaluation.response import BATCH
from advlaw.models.classifier import Classifier
from advlaw.theory.response import logit_response

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from art.estimators.classification import PyTorchClassifier

IMAGES = {"linear": 4000, "FC 200-200-200": 4000, "FC 1000-1000": 2000, "CNN 32-64": 500}


def ours(net: Classifier, images: Tensor, labels: Tensor) -> Tensor:
    return logit_response(net, images, over_length(input_gradient(net, images, labels)))[1]


def class_by_class(net: Classifier, images: Tensor, labels: Tensor) -> Tensor:
    """One backward pass for each class."""
    pixels = images.clone().requires_grad_(True)
    logits = net(pixels)
    gradients = [torch.autograd.grad(logits[:, k].sum(), pixels, retain_graph=True)[0] for k in range(N_CLASSES)]
    return from_jacobian(torch.stack(gradients, dim=1).flatten(2), logits.detach(), labels)


def with_art(classifier: PyTorchClassifier, images: Tensor, labels: Tensor) -> Tensor:
    pixels = images.cpu().numpy()
    jacobian = torch.from_numpy(np.asarray(classifier.class_gradient(pixels))).flatten(2)
    return from_jacobian(jacobian, torch.from_numpy(classifier.predict(pixels)), labels.cpu())


def from_jacobian(jacobian: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
    """Gamma (B, K) from the Jacobian (B, K, D)."""
    delta = logits.softmax(dim=1) - torch.nn.functional.one_hot(labels, N_CLASSES)
    gradient = torch.einsum("bkd,bk->bd", jacobian, delta)
    return torch.einsum("bkd,bd->bk", jacobian, gradient / gradient.norm(dim=1, keepdim=True))


def in_parts(job: Callable[[Tensor, Tensor], Tensor], images: Tensor, labels: Tensor) -> Tensor:
    return torch.cat([job(some, theirs) for some, theirs in zip(images.split(BATCH), labels.split(BATCH), strict=True)])


def lines(setting: Setting) -> Iterator[Line]:
    kind = "gpu" if setting.device.type == "cuda" else "cpu"
    for name in ARCHITECTURES:
        net, (images, labels) = trained(name, setting.device), attacked(IMAGES[name], setting.device)
        loss = torch.nn.CrossEntropyLoss()
        classifier = PyTorchClassifier(net, loss, tuple(SHAPE), N_CLASSES, device_type=kind)
        own = partial(in_parts, partial(ours, net), images, labels)
        peers = {
            "loop over classes": partial(in_parts, partial(class_by_class, net), images, labels),
            "ART class_gradient": partial(in_parts, partial(with_art, classifier), images, labels),
        }
        for job in peers.values():
            torch.testing.assert_close(job().to(setting.device), own(), rtol=1e-2, atol=1e-5)
        yield from compare("Γ", name, f"{len(images):,} images", own, peers, setting)
