"""Adversarial images to look at: of every class one that fools a net, and one that does not (Cubuk Fig. 8 and 15)."""

import base64

import numpy as np
import torch
from torch import Tensor

from advlaw.core.images import Examples
from advlaw.core.io import Cells
from advlaw.evaluation.ranks import Method
from advlaw.models.classifier import Classifier

BATCH = 250
COLUMNS = ("class_number", "role", "image", "prediction_number", "n_channels", "height", "width", "pixels")


def pictures(
    net: Classifier, baseline: Classifier, test: Examples, method: Method, rng: np.random.Generator
) -> list[Cells]:
    """Up to three rows a class; `method` has one eps, and images are drawn from those that the net gets right clean.

    `fooled`: an image that the attack on the net makes wrong. `withstood`: one that it does not. `baseline`: the same
    image as the attack on the baseline makes it, and what the baseline says of it. `pixels`: base64 of (C, H, W) uint8,
    rounded. A class without such an image has no such row.
    """
    moved, said, clean = _attacked(net, test, method)
    others, answers, _ = _attacked(baseline, test, method)
    labels = test.labels.cpu().numpy()
    rows: list[Cells] = []
    for label in np.unique(labels):
        right = (labels == label) & (clean == label)
        fooled, withstood = (np.flatnonzero(right & wanted) for wanted in (said != label, said == label))
        if len(fooled):
            rows.append(_row(int(label), "fooled", int(rng.choice(fooled)), moved, said))
        if len(withstood):
            chosen = int(rng.choice(withstood))
            rows.append(_row(int(label), "withstood", chosen, moved, said))
            rows.append(_row(int(label), "baseline", chosen, others, answers))
    return rows


def _attacked(net: Classifier, test: Examples, method: Method) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Adversarial images (N, C, H, W) uint8, what the net says of them (N,), and what of the images themselves (N,)."""
    moved, said, clean = [], [], []
    with torch.no_grad():
        for start in range(0, len(test.labels), BATCH):
            batch = slice(start, min(start + BATCH, len(test.labels)))
            here, wanted = test.images[batch], test.labels[batch]
            (attacked,) = method.images(net, here, wanted, batch)
            moved.append(attacked.round().clamp(0, 255).to(torch.uint8).cpu().numpy())
            said.append(_answer(net, attacked))
            clean.append(_answer(net, here))
    return np.concatenate(moved), np.concatenate(said), np.concatenate(clean)


def _answer(net: Classifier, images: Tensor) -> np.ndarray:
    return net(images).argmax(dim=1).cpu().numpy()


def _row(label: int, role: str, image: int, pixels: np.ndarray, said: np.ndarray) -> Cells:
    channels, height, width = pixels[image].shape
    text = base64.b64encode(pixels[image].tobytes()).decode()
    numbers = (label, role, image, int(said[image]), channels, height, width, text)
    return dict(zip(COLUMNS, numbers, strict=True))
