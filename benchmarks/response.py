"""Time the linear response Gamma of 10,000 images against ART's class gradients and a loop over classes.

    python benchmarks/response.py [--rounds 5] [--images 10000]

All take the same nets, images and labels to the same J^T J delta / |J delta|_2, which is compared. Peers build the
Jacobian, one gradient for each class; we differentiate twice. Medians over the rounds, ratios to ours.
"""

import warnings

import numpy as np
import torch
from rounds import N_CLASSES, SHAPE, compare, set_up, untrained
from torch import Tensor

from advlaw.attacks.gradient import input_gradient
from advlaw.attacks.norms import over_length
from advlaw.models.classifier import Classifier
from advlaw.theory.response import logit_response

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from art.estimators.classification import PyTorchClassifier

BATCH = 500
NETS = {
    "linear": {"arch": "linear"},
    "fc": {"arch": "fc", "widths": [200, 200, 200]},
    "cnn": {"arch": "cnn", "channels": [32, 64], "dropout": 0.0},
}


def ours(net: Classifier, images: Tensor, labels: Tensor) -> Tensor:
    direction = over_length(input_gradient(net, images, labels))
    return logit_response(net, images, direction)[1]


def class_by_class(net: Classifier, images: Tensor, labels: Tensor) -> Tensor:
    """One backward pass for each class."""
    pixels = images.clone().requires_grad_(True)
    logits = net(pixels)
    gradients = [torch.autograd.grad(logits[:, k].sum(), pixels, retain_graph=True)[0] for k in range(N_CLASSES)]
    return from_jacobian(torch.stack(gradients, dim=1).flatten(2), logits.detach(), labels)


def from_jacobian(jacobian: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
    """Gamma (B, K) from the Jacobian (B, K, D)."""
    delta = logits.softmax(dim=1) - torch.nn.functional.one_hot(labels, N_CLASSES)
    gradient = torch.einsum("bkd,bk->bd", jacobian, delta)
    return torch.einsum("bkd,bd->bk", jacobian, gradient / gradient.norm(dim=1, keepdim=True))


def art(classifier: PyTorchClassifier, images: Tensor, labels: Tensor) -> Tensor:
    pixels = images.cpu().numpy()
    jacobian = torch.from_numpy(np.asarray(classifier.class_gradient(pixels))).flatten(2)
    return from_jacobian(jacobian, torch.from_numpy(classifier.predict(pixels)), labels.cpu())


def in_parts(job, net, images: Tensor, labels: Tensor) -> Tensor:
    parts = zip(images.split(BATCH), labels.split(BATCH), strict=True)
    return torch.cat([job(net, some, theirs) for some, theirs in parts])


def main() -> None:
    rounds, images, device = set_up(__doc__, n_images=10_000)
    for name, spec in NETS.items():
        net = untrained(spec, images)
        labels = net(images).argmax(dim=1)
        loss = torch.nn.CrossEntropyLoss()
        peer = PyTorchClassifier(net, loss, SHAPE, N_CLASSES, device_type="gpu" if device.type == "cuda" else "cpu")
        jobs = {
            "advlaw": lambda net=net, labels=labels: in_parts(ours, net, images, labels),
            "loop over classes": lambda net=net, labels=labels: in_parts(class_by_class, net, images, labels),
            "ART class_gradient": lambda peer=peer, labels=labels: in_parts(art, peer, images, labels),
        }
        expected = jobs["advlaw"]()
        for theirs in list(jobs.values())[1:]:
            torch.testing.assert_close(theirs().to(device), expected, rtol=1e-3, atol=1e-5)
        title = f"{name}, Gamma of {len(images)} images, {device.type}; all results agree"
        compare(title, jobs, rounds, device)


if __name__ == "__main__":
    main()
