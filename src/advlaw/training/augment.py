"""Random crops and flips of whole minibatches, on the device they are on (He et al. 2015, Sec. 4.2)."""

import torch
from torch import Tensor

PADDING = 4


def crop_and_flip(images: Tensor) -> Tensor:
    """Each image (B, C, H, W) shifted by up to 4 pixels into black, and mirrored or not, by torch's own generator."""
    n_images, _, height, width = images.shape
    device = images.device
    padded = torch.nn.functional.pad(images, (PADDING,) * 4)
    top, left = torch.randint(0, 2 * PADDING + 1, (2, n_images, 1), device=device)
    is_mirrored = torch.rand(n_images, 1, device=device) < 0.5
    across = torch.arange(width, device=device).expand(n_images, width)
    rows = top + torch.arange(height, device=device)
    columns = left + torch.where(is_mirrored, width - 1 - across, across)
    which = torch.arange(n_images, device=device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[which, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
