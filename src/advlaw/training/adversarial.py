"""Adversarial training: k of the m images of a minibatch are replaced by adversarial ones (Kurakin Algorithm 1).

With all images replaced and PGD as the attack this is the training of Madry et al. (2017); with half of them, that of
Cubuk Sec. 4.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from advlaw.training.settings import Adversarial, FixedEps, RandomEps

Perturb = Callable[[nn.Module, Tensor, Tensor, Tensor, np.ndarray], Tensor]
"""net, images, labels, eps (B,), the images' places in their split (B,) -> adversarial images"""


@dataclass(frozen=True)
class AdversarialMinibatches:
    """What is done to the minibatches of one epoch, of `batch_size` images each.

    `perturb` is the attack with its random numbers of this epoch, `eps` (N,) what is drawn for every fitted image.
    `is_fixed`: the attack draws nothing on the host, so that the same operations make it for every minibatch.
    """

    settings: Adversarial
    batch_size: int
    perturb: Perturb
    eps: Tensor
    is_fixed: bool = False

    def __call__(
        self, model: nn.Module, images: Tensor, labels: Tensor, items: np.ndarray, made: float
    ) -> tuple[Tensor, Tensor | None]:
        """The minibatch B' (m, C, H, W) and the weight (m,) of each image's loss, after a share `made` of all steps.

        `items` (m,) are the images' places in the fitted split. The first k images are replaced, k in proportion where
        the last minibatch of an epoch is smaller; their weight is lambda. Before `delay` the minibatch is left as it
        is.
        """
        k = self.replaced(len(images), made)
        if k == 0:
            return images, None
        return self.replace(model, images, labels, self.eps[items[:k]].to(images.device), items)

    def replaced(self, n_images: int, made: float) -> int:
        """k of a minibatch of so many images."""
        return 0 if made < self.settings.delay else self.settings.images * n_images // self.batch_size

    def replace(
        self, model: nn.Module, images: Tensor, labels: Tensor, eps: Tensor, items: np.ndarray
    ) -> tuple[Tensor, Tensor]:
        """The minibatch and its weights with the first k images replaced, `eps` (k,) being theirs."""
        k = len(eps)
        with attacked_mode(model, self.settings.batch_norm):
            adversarial = self.perturb(model, images[:k], labels[:k], eps, items[:k])
        weights = torch.ones(len(images), device=images.device)
        weights[:k] = self.settings.weight
        return torch.cat([adversarial.detach(), images[k:]]), weights


def drawn_eps(law: RandomEps | FixedEps, rng: np.random.Generator, n_images: int) -> Tensor:
    """eps (N,) of every image.

    `RandomEps`: the absolute value of a normal of mean 0 truncated to [-largest, largest], by the inverse of its
    distribution function; Kurakin has sigma = 8 and largest = 16, two standard deviations.
    """
    if isinstance(law, FixedEps):
        return torch.full((n_images,), law.fixed)
    bound = torch.special.ndtr(torch.tensor(law.largest / law.sigma, dtype=torch.float64))
    share = torch.from_numpy(rng.uniform(size=n_images))
    eps = law.sigma * torch.special.ndtri(0.5 + share * (bound - 0.5))
    return eps.clamp(0.0, law.largest).float()


@contextmanager
def attacked_mode(model: nn.Module, batch_norm: str) -> Iterator[None]:
    """The net as an attack sees it: without dropout, its batch normalisation in a named mode, all statistics untouched.

    `eval` normalises by the running statistics, as at test time; `train` by those of the attacked images.
    """
    was_training = {module: module.training for module in model.modules()}
    model.eval()
    norms = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    if batch_norm == "train":
        for norm in norms:
            norm.train()
            norm.track_running_stats = False  # the batch's own statistics are used, the running ones left alone
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
        for module, training in was_training.items():
            module.training = training
