"""One step of training: some minibatches are learnt, the weights move once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from advlaw.core.images import Images
from advlaw.training.augment import crop_and_flip
from advlaw.training.minibatches import Minibatch
from advlaw.training.objective import minibatch_loss, summed_loss
from advlaw.training.optimizer import Optimizer
from advlaw.training.parallel import ALONE, Processes
from advlaw.training.schedule import learning_rate
from advlaw.training.settings import Training


class Step(Protocol):
    """How a step is computed."""

    def __call__(self, minibatches: Sequence[Minibatch], made: float) -> Tensor:
        """Learn a step's minibatches after a share `made` of all steps; returns the sum () of their images' losses."""


@dataclass
class EagerStep:
    """One operation after another, on any device; `images` are those that are fitted, in pixel units.

    The loss of a step is sum(D_r L_r) / sum(D_r) over its minibatches r, with D_r the sum of the weights of one's
    images. Each is played for itself, as on a machine of its own (Kurakin Sec. 4): its own first images are replaced,
    and batch normalisation takes the statistics of its images alone. All start from the same running statistics, which
    become the mean of what each makes of them.
    """

    model: nn.Module
    images: Images | Tensor
    settings: Training
    optimizer: Optimizer
    processes: Processes = ALONE

    def __post_init__(self) -> None:
        norms = [module for module in self.model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
        buffers = [buffer for norm in norms for buffer in norm.buffers()]
        self.statistics = [buffer for buffer in buffers if buffer.is_floating_point()]
        self.counts = [buffer for buffer in buffers if not buffer.is_floating_point()]

    def __call__(self, minibatches: Sequence[Minibatch], made: float) -> Tensor:
        rate = learning_rate(self.settings, made)
        n_images = sum(len(minibatch.index) for minibatch in minibatches)
        if self.settings.minibatches == 1:
            (minibatch,) = minibatches
            return self.learn(*self.given(minibatch, made), made, rate) * n_images
        gradients, loss = self._together(minibatches, made)
        self.optimizer.step(gradients, rate)
        return loss * n_images

    def read(self, minibatch: Minibatch) -> Tensor:
        """The pixels (m, C, H, W) uint8 of a minibatch of images that are read or decoded, cropped if they are."""
        assert isinstance(self.images, Images)
        if self.settings.augment == "resized_crop":
            assert minibatch.crops is not None
            return self.images.read_cropped(minibatch.items, minibatch.crops)
        return self.images.read(minibatch.items)

    def taken(self, index: Tensor, crops: Tensor | None, pixels: Tensor | None = None) -> Tensor:
        """Images (m, C, H, W) float32 at these places, or those whose `pixels` have been read; cropped."""
        if pixels is None:
            images = self.images[index]
        else:
            assert isinstance(self.images, Images)
            images = self.images.as_float(pixels)
        return images if crops is None else crop_and_flip(images, crops)

    def given(self, minibatch: Minibatch, made: float) -> tuple[Tensor, Tensor, Tensor | None]:
        """What is learnt: images (m, C, H, W), labels (m,), and weights (m,) or None; dropout is seeded for it."""
        is_cut = self.settings.augment == "resized_crop"  # when it is read
        pixels = self.read(minibatch) if is_cut and minibatch.pixels is None else minibatch.pixels
        images, weights = self.taken(minibatch.index, None if is_cut else minibatch.crops, pixels), None
        if minibatch.replace is not None:
            images, weights = minibatch.replace(self.model, images, minibatch.labels, minibatch.items, made)
        if minibatch.dropout_seed is not None:
            torch.manual_seed(minibatch.dropout_seed)
        return images, minibatch.labels, weights

    def learn(
        self, images: Tensor, labels: Tensor, weights: Tensor | None, made: float, rate: float | Tensor
    ) -> Tensor:
        """Move the weights by one minibatch; returns its loss ()."""
        loss = minibatch_loss(self._logits(images), labels, self.settings, made, weights)
        self.optimizer.step(torch.autograd.grad(loss, self.optimizer.parameters), rate)
        return loss.detach()

    def _logits(self, images: Tensor) -> Tensor:
        is_half = self.settings.precision == "bfloat16"
        if is_half and images.is_cuda:  # the layout that tensor cores take
            images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast(images.device.type, torch.bfloat16, enabled=is_half):
            return self.model(images).float()

    def _together(self, minibatches: Sequence[Minibatch], made: float) -> tuple[list[Tensor], Tensor]:
        """The gradients and the loss of several minibatches, whose running statistics are averaged."""
        parameters, statistics = self.optimizer.parameters, self.statistics
        before = [buffer.clone() for buffer in (*statistics, *self.counts)]
        mine = self.processes.share(minibatches, self.settings.minibatches)
        shapes = [*parameters, *statistics, torch.empty(2)]
        sizes = [tensor.numel() for tensor in shapes]
        total = self.processes.summed(
            self._rows(mine, made, before), sum(sizes), len(minibatches), self.settings.minibatches
        )
        *parts, (loss, divisor) = total.split(sizes)
        gradients = [part.view(p.shape) / divisor for part, p in zip(parts, parameters, strict=False)]
        for buffer, part in zip(statistics, parts[len(parameters) :], strict=True):
            buffer.copy_(part.view(buffer.shape) / len(minibatches))
        for count, start in zip(self.counts, before[len(statistics) :], strict=True):
            count.copy_(start + 1)
        return gradients, loss / divisor

    def _rows(self, minibatches: Sequence[Minibatch], made: float, before: Sequence[Tensor]) -> Iterator[Tensor]:
        """What each minibatch adds to the step, in one row: D grad L, its running statistics, D L and D."""
        for minibatch in minibatches:
            for buffer, start in zip((*self.statistics, *self.counts), before, strict=True):
                buffer.copy_(start)
            images, labels, weights = self.given(minibatch, made)
            loss, divisor = summed_loss(self._logits(images), labels, self.settings, made, weights)
            gradients = torch.autograd.grad(loss, self.optimizer.parameters)
            row = (*gradients, *self.statistics, loss.detach(), divisor)
            yield torch.cat([part.reshape(-1) for part in row])
