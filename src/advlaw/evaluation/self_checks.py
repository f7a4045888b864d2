"""Cheap checks that are always on: what a sweep says must be so when it is computed in another way, on a few images.

A failure means that a number would be wrong, so it stops the stage. Each compares with the net's plain forward pass
on whole images; rounding is allowed for, as a share of the spread of the logits.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from advlaw.attacks.norms import per_image
from advlaw.evaluation.threshold import margin

FEW = 4  # images of the first batch of every sweep
ROUNDING = 1e-3  # of the spread of the logits: what differs less is the same
ASIDE = 0.01  # of a threshold: where it is looked at from both sides
LogitsFn = Callable[[Tensor], Tensor]


class SelfCheckError(ValueError):
    """A number that would be wrong: the check's name, what was found, and the next step."""


def _fail(name: str, found: str) -> None:
    raise SelfCheckError(
        f"self-check failed: {name}: {found}; no number of this net can be trusted: see whether it computes the same "
        "each time, and if it does, report this as a mistake of advlaw's"
    )


def check_clean(logits_fn: LogitsFn, images: Tensor, at_zero: Tensor) -> None:
    """The first of some images (B, C, H, W) has the same logits alone, and those of an attack at eps = 0 are theirs.

    `at_zero` (FEW or less, K): what the sweep says of the first images at eps = 0.
    """
    together, alone = logits_fn(images[: len(at_zero)]), logits_fn(images[:1])
    if not torch.equal(together[:1].isfinite(), alone.isfinite()):
        _fail("batches of 1 and of n agree", "what is a number in one is none in the other")
    if (found := _difference(together[:1], alone)) > ROUNDING:
        _fail("batches of 1 and of n agree", f"logits differ by {found:.2g} of their spread")
    if (found := _difference(together, at_zero)) > ROUNDING:
        _fail("eps = 0 reproduces the clean predictions", f"logits differ by {found:.2g} of their spread")


def check_thresholds(
    logits_fn: LogitsFn, images: Tensor, labels: Tensor, direction: Tensor, threshold: Tensor, clip: bool
) -> None:
    """A hundredth before its threshold (B,) a decision is the clean one, a hundredth after it the other.

    Looked at on the first images that flip. A decision within rounding, or one that turns back between, is passed over;
    fails where the net is clearly on the wrong side for more than one image, and more than one in four.
    """
    rows = torch.nonzero(threshold.isfinite())[: 2 * FEW, 0]
    if len(rows) == 0:
        return
    start, eps = images[rows], per_image(threshold[rows].to(images.dtype), images)
    moved = torch.cat([start + at * eps * direction[rows] for at in (0.0, 1.0 - ASIDE, 1.0 + ASIDE)])
    logits = logits_fn(moved.clamp(0.0, 255.0) if clip else moved)
    clean, before, after = margin(logits, labels[rows].repeat(3)).chunk(3)
    _, slack_before, slack_after = (ROUNDING * (logits.amax(dim=1) - logits.amin(dim=1))).chunk(3)
    sign = torch.where(clean > 0, 1.0, -1.0)
    wrong = (before * sign < -slack_before) | (after * sign > slack_after)
    if int(wrong.sum()) > max(1, len(rows) // 4):
        _fail("thresholds bracket a flip", f"{int(wrong.sum())} of {len(rows)} decisions do not change there")


def _difference(one: Tensor, other: Tensor) -> float:
    """The largest difference of logits (B, K), as a share of their spread; what is not finite is passed over."""
    known = one.isfinite().all(dim=1) & other.isfinite().all(dim=1)
    if not known.any():
        return 0.0
    one, other = one[known].double(), other[known].double()
    spread = float(one.max() - one.min()) or 1.0
    return float((one - other).abs().max()) / spread
