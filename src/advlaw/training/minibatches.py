"""The minibatches of every epoch, with all that is drawn for them.

Nothing drawn for an image depends on the minibatch that it is in, nor anything on the process that plays it: order,
crops and what an attack draws follow from (seed, names, epoch, the image's place in the fitted split), dropout from
(seed, names, epoch, number of the minibatch).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from advlaw.core.rng import Numbers
from advlaw.training.adversarial import AdversarialMinibatches
from advlaw.training.augment import drawn_crops
from advlaw.training.settings import Training

ReplaceOfEpoch = Callable[[Numbers, int, int], AdversarialMinibatches]


@dataclass(frozen=True)
class Minibatch:
    """Some images, by their places (m,) in the fitted split, and their labels (m,).

    The places are `items` on the host and `index` on the device.
    `crops` (m, 3) are for `crop_and_flip`, or (m, 5) on the host for `core.pictures.resized_crop`; `dropout_seed` is
    for torch's own generator; `replace` gives the images that are learnt in their stead and the weight of each one's
    loss; `pixels` (m, C, H, W) uint8 are the images where they have been read ahead.
    """

    items: np.ndarray
    index: Tensor
    labels: Tensor
    crops: Tensor | None = None
    dropout_seed: int | None = None
    replace: AdversarialMinibatches | None = None
    pixels: Tensor | None = None


@dataclass(frozen=True)
class Minibatches:
    """Those of a training on fitted images with these labels (N,); `replace_of(numbers, epoch, N)` gives `replace`."""

    settings: Training
    numbers: Numbers
    labels: Tensor
    has_dropout: bool
    replace_of: ReplaceOfEpoch | None = None

    def steps(self, epoch: int) -> list[list[Minibatch]]:
        """All of an epoch, those of a step together: `settings.minibatches` of them, the last time perhaps fewer."""
        every = self._of(epoch)
        per_step = self.settings.minibatches
        return [every[first : first + per_step] for first in range(0, len(every), per_step)]

    def _of(self, epoch: int) -> list[Minibatch]:
        settings, numbers, n_images, device = self.settings, self.numbers, len(self.labels), self.labels.device
        order = numbers.generator("order", epoch).permutation(n_images)
        index = torch.from_numpy(order).to(device)
        labels = self.labels[index]
        crops = self._crops(epoch, order)
        made = self.replace_of(numbers, epoch, n_images) if self.replace_of else None
        if made is not None:
            made = replace(made, eps=made.eps.to(device))
        found = []
        for number, first in enumerate(range(0, n_images, settings.batch_size)):
            some = slice(first, first + settings.batch_size)
            seed = numbers.seed_of("dropout", epoch, number) if self.has_dropout else None
            some_crops = None if crops is None else crops[some]
            found.append(Minibatch(order[some], index[some], labels[some], some_crops, seed, made))
        return found

    def _crops(self, epoch: int, order: np.ndarray) -> Tensor | None:
        """How each image is cropped, in the epoch's order."""
        rng = self.numbers.generator("crops", epoch)
        if self.settings.augment == "crop_flip":
            return drawn_crops(rng, len(order))[torch.from_numpy(order)].to(self.labels.device)
        if self.settings.augment == "resized_crop":
            return torch.from_numpy(rng.random((len(order), 5))[order])
        return None


def has_dropout(model: nn.Module) -> bool:
    """Whether the net draws random numbers while it is fitted."""
    return any(isinstance(layer, nn.modules.dropout._DropoutNd) and layer.p > 0 for layer in model.modules())
