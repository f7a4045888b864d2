"""A net of digits and images that it has not seen, to be measured from Python."""

from functools import cache

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

N_TRAINED, N_MEASURED = 700, 1097


@cache
def all_digits() -> tuple[np.ndarray, np.ndarray]:
    """Digits (N, 1, 8, 8) uint8 and their labels."""
    found = load_digits()
    pixels = (found.images * 255 / 16).round().astype(np.uint8)[:, None]
    return pixels[: N_TRAINED + N_MEASURED], found.target[: N_TRAINED + N_MEASURED]


def unseen() -> tuple[Tensor, Tensor]:
    """Images in [0, 1] that the trained net has not seen, and their labels."""
    pixels, labels = all_digits()
    return torch.from_numpy(pixels[N_TRAINED:]) / 255, torch.from_numpy(labels[N_TRAINED:])


def trained() -> nn.Module:
    """A net of images in [0, 1], which has learned the first digits."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 100), nn.ReLU(), nn.Dropout(0.2), nn.Linear(100, 10))
    pixels, classes = all_digits()
    images, labels = torch.from_numpy(pixels[:N_TRAINED]) / 255, torch.from_numpy(classes[:N_TRAINED])
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(100):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
    return model
