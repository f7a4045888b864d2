"""Whether a person's own model can be measured: what it answers, how its answers behave, and what they are."""

import torch
from torch import Tensor

from advlaw.models.classifier import Classifier
from advlaw.models.wrapped import Whole, said

CHECKED = 6  # images that the model is tried on
RANGED = 256  # images whose outputs are looked at for what they are
FAR = 100.0  # how far beyond [0, 255], in its widths, images are moved to see whether outputs are bounded
SAME = 1e-3  # of the spread of the logits: answers that differ less are the same but for rounding
LOST = "in which float32 loses small errors"
DYNAMIC = "torch.export.export(net, (images,), dynamic_shapes=({0: torch.export.Dim('batch')},))"


def check(key: str, model: Classifier, images: Tensor, n_classes: int) -> None:
    """Whether the model gives logits (B, n_classes) that attacks can be measured on, tried on images (B, C, H, W)."""
    many, images = images[:RANGED], images[:CHECKED]
    logits = _answer(key, model, images)
    if logits.shape[1] != n_classes:
        raise ValueError(
            f"{key}: gives {logits.shape[1]} logits; the data set has {n_classes} classes; use a model of these, or, "
            f"if it has more classes, of which labels are the numbers, say classes: {logits.shape[1]}"
        )
    if not logits.isfinite().all():
        raise ValueError(f"{key}: logits of clean images are not finite; see its weights, and that mean and std fit it")
    if not agree(logits, _answer(key, model, images)):
        raise ValueError(
            f"{key}: gives the same images different logits the second time, although eval() was called; take out what "
            "is random, as dropout with training=True is, or export it after eval()"
        )
    alone = torch.cat([_answer(key, model, image[None]) for image in images])
    if not agree(logits, alone):
        raise ValueError(
            f"{key}: an image's logits depend on the other images of its batch; normalise with fixed statistics, as "
            "batch normalisation does after eval(), or export it after eval()"
        )
    _check_gradient(key, model, images)
    _check_are_logits(key, model, many)


def optimises(model: Classifier, images: Tensor) -> bool:
    """Whether the model, which answers for these images, takes gradients to do so.

    As defences do that optimise their input or their weights when they are tested. Inference mode forbids it.
    """
    try:
        with torch.inference_mode():
            whole(model).net(model.head(images[:CHECKED]))
    except RuntimeError as error:
        return "grad" in str(error)
    return False


def _answer(key: str, model: Classifier, images: Tensor) -> Tensor:
    """Logits (B, K) float32, or a ValueError."""
    shape = tuple(images.shape)
    try:
        with torch.no_grad():
            logits: object = whole(model).net(model.head(images))
    except Exception as error:  # whatever the person's code raises
        raise ValueError(
            f"{key}: does not take images (B, C, H, W) = {shape}: {said(error)}; give it the data it is made for, and "
            f"if it was exported for a fixed number of images, export it with a dynamic batch: {DYNAMIC}"
        ) from error
    if not isinstance(logits, Tensor):
        raise ValueError(f"{key}: returns {type(logits).__name__}; return the tensor of logits (B, K) alone")
    if logits.dtype != torch.float32:
        raise ValueError(f"{key}: returns {logits.dtype} of float32 pixels; return float32: call .float() on the model")
    if logits.ndim != 2 or len(logits) != len(images):
        raise ValueError(
            f"{key}: returns shape {tuple(logits.shape)} of images {shape}; return logits (B, K), a row for each image"
        )
    return logits


def _check_gradient(key: str, model: Classifier, images: Tensor) -> None:
    pixels = images.clone().requires_grad_(True)
    with torch.enable_grad():
        logits = model(pixels)
    if not logits.requires_grad:
        raise ValueError(
            f"{key}: its logits have no gradient; take out detach(), no_grad(), inference_mode() and NumPy from forward"
        )
    top = logits.max(dim=1).values - logits.mean(dim=1)
    (gradient,) = torch.autograd.grad(top.sum(), pixels, allow_unused=True)
    if gradient is None or not bool((gradient != 0).any()):
        raise ValueError(
            f"{key}: its logits do not change with the pixels to first order, in any of {len(images)} images; take out "
            "what rounds, quantises or detaches, since attacks follow the gradient"
        )
    if not bool(gradient.isfinite().all()):
        raise ValueError(f"{key}: its gradient is not finite; see what divides by or takes a root of zero in forward")


def _check_are_logits(key: str, model: Classifier, images: Tensor) -> None:
    """Refuse outputs behind a softmax, log-softmax, sigmoid or tanh, told by their ranges.

    Looked at on images and far from any image, where logits leave every range and what is squashed cannot: rounding to
    its ends is what makes such a net look robust. Where it takes nothing but images, the last two cannot be told.
    """
    near = torch.cat([_answer(key, model, part) for part in images.split(CHECKED)])
    near, far = (rows[rows.isfinite().all(dim=1)].double() for rows in (near, _far_outputs(model, images[:CHECKED])))
    found = torch.cat([near, far])
    low, high = float(found.min()), float(found.max())
    layer = None
    if high <= 1.0 and bool((found.logsumexp(dim=1).abs() < SAME).all()):
        layer, what = (
            "log_softmax",
            "logarithms of probabilities, which respond to an attack in another way than logits",
        )
    elif low >= 0.0 and bool(((found.sum(dim=1) - 1).abs() < SAME).all()):
        layer, what = "softmax", f"probabilities (no entry is negative, rows sum to 1), {LOST}"
    elif low >= 0.0 and high <= 1.0 and _stops_at(far, 0.0, 1.0):
        layer, what = "sigmoid", f"numbers between 0 and 1, on images and far from any image, {LOST}"
    elif low >= -1.0 and high <= 1.0 and _stops_at(far, -1.0, 1.0):
        layer, what = "tanh", f"numbers between -1 and 1 that stop there, on images and far from any image, {LOST}"
    if layer is not None:
        raise ValueError(f"{key}: gives {what}; return logits: drop the last {layer}")


def _stops_at(outputs: Tensor, low: float, high: float) -> bool:
    """Whether most outputs (n, K) are at an end of a range, and both ends are met: not so where they are just small."""
    at_low, at_high = (outputs - low).abs() < SAME, (outputs - high).abs() < SAME
    return bool(at_low.any() and at_high.any() and (at_low | at_high).double().mean() > 0.5)


@torch.no_grad()
def _far_outputs(model: Classifier, images: Tensor) -> Tensor:
    """Outputs for images moved far beyond [0, 255], (n, K); none where the model does not take such."""
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0)).to(images)
    try:
        return torch.cat([model(images + side * 255.0 * noise) for side in (FAR, -FAR)])
    except Exception:  # whatever the person's code raises of what is no image
        return images.new_zeros(0, model(images[:1]).shape[1])


def agree(one: Tensor, other: Tensor) -> bool:
    """Whether logits (B, K) are the same but for rounding."""
    spread = float(one.max() - one.min()) or 1.0
    return float((one - other).abs().max()) <= SAME * spread


def whole(model: Classifier) -> Whole:
    assert isinstance(model.tail, Whole)
    return model.tail
