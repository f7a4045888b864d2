"""The gradient of the loss with respect to the pixels, without underflow.

Cross-entropy's error at the logits is delta = p - onehot(y) (Cubuk Eq. 12). In float32 a confident net rounds p_y
to 1 and delta to 0, which looks like robustness. The attacks here use only the gradient's direction, and
delta / (1 - p_y) has the same one: it is the softmax over the *other* logits minus onehot(y), and never vanishes.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from advlaw.attacks.norms import per_image

ROUNDING = 1e-14
LogitsFn = Callable[[Tensor], Tensor]
ErrorFn = Callable[[Tensor, Tensor], Tensor]


def scale_free_error(logits: Tensor, labels: Tensor) -> Tensor:
    """delta / (1 - p_y) in float64: logits (B, K), labels (B,) -> (B, K), rows summing to 0 with -1 at y."""
    index = labels[:, None]
    others = logits.double().scatter(1, index, -torch.inf)
    return others.softmax(dim=1).scatter(1, index, -1.0)


def naive_error(logits: Tensor, labels: Tensor) -> Tensor:
    """delta = p - onehot(y) in the net's own precision: what attack libraries differentiate."""
    index = labels[:, None]
    return logits.softmax(dim=1).scatter_add(1, index, torch.full_like(logits[:, :1], -1.0))


def scale_free_entropy_error(logits: Tensor, labels: Tensor) -> Tensor:
    """dH/dh_i = -p_i (log p_i + H) of the prediction's entropy H, in float64, scaled; (B, K).

    Divided by the largest entry but that of the largest p. `labels` are not used. Computed from log p, which does not
    underflow; the largest p's entry is minus the sum of the others, since adding a constant to all logits changes
    nothing.
    """
    log_p = logits.double().log_softmax(dim=1)
    entropy = -(log_p.exp() * log_p).sum(dim=1, keepdim=True)
    gain = log_p + entropy
    gain = gain.where(gain.abs() > ROUNDING * log_p.abs(), 0.0)  # else a uniform prediction would have a direction
    log_size = log_p + gain.abs().log()
    top = logits.argmax(dim=1, keepdim=True)
    log_size = log_size.scatter(1, top, -torch.inf)
    largest = log_size.amax(dim=1, keepdim=True)
    others = -gain.sign() * (log_size - largest.where(largest.isfinite(), 0.0)).exp()
    return others.scatter(1, top, -others.scatter(1, top, 0.0).sum(dim=1, keepdim=True))


def naive_entropy_error(logits: Tensor, labels: Tensor) -> Tensor:
    """-p_i (log p_i + H) in the net's own precision."""
    log_p = logits.log_softmax(dim=1)
    p = log_p.exp()
    return -p * (log_p - (p * log_p).sum(dim=1, keepdim=True))


def runner_up(logits: Tensor, labels: Tensor) -> Tensor:
    """The class of the largest logit but the label's, (B, K) and (B,) -> (B,)."""
    return logits.scatter(1, labels[:, None], -torch.inf).argmax(dim=1)


def logit_gap(logits: Tensor, upper: Tensor, lower: Tensor) -> Tensor:
    """h_upper - h_lower in float64, for a class of every image (B,)."""
    exact = logits.double()
    return (exact.gather(1, upper[:, None]) - exact.gather(1, lower[:, None]))[:, 0]


def margin_error(logits: Tensor, labels: Tensor) -> Tensor:
    """onehot(j) - onehot(y) in float64, j the runner-up: the gradient of max over j != y of h_j - h_y; (B, K)."""
    n_classes = logits.shape[1]
    return (one_hot(runner_up(logits, labels), n_classes) - one_hot(labels, n_classes)).double()


def log_odds(logits: Tensor, labels: Tensor) -> Tensor:
    """log((1 - p_y) / p_y) in float64 (B,): cross-entropy is its softplus, so both rise together.

    It never underflows, and `scale_free_error` is its gradient.
    """
    index, exact = labels[:, None], logits.double()
    return exact.scatter(1, index, -torch.inf).logsumexp(dim=1) - exact.gather(1, index)[:, 0]


def logits_ratio(logits: Tensor, labels: Tensor) -> Tensor:
    """The DLR loss max over j != y of (h_j - h_y) / (h_(1) - h_(3)) in float64 (B,), h_(k) the k-th largest logit.

    Croce and Hein (2020). Where the three largest tie, the denominator is taken as 1.
    """
    first, _, third = _three_largest(logits)
    gain = logit_gap(logits, runner_up(logits, labels), labels)
    spread = logit_gap(logits, first, third)
    return gain / spread.where(spread > 0, 1.0)


def dlr_error(logits: Tensor, labels: Tensor) -> Tensor:
    """The gradient of `logits_ratio` times h_(1) - h_(3), which is free of the logits' scale; float64 (B, K)."""
    first, _, third = _three_largest(logits)
    n_classes = logits.shape[1]
    ratio = logits_ratio(logits, labels)[:, None]
    return margin_error(logits, labels) - ratio * (one_hot(first, n_classes) - one_hot(third, n_classes))


def _three_largest(logits: Tensor) -> tuple[Tensor, ...]:
    """The classes of the three largest logits, (B,) each."""
    if logits.shape[1] < 3:
        raise ValueError(f"the DLR loss needs at least 3 classes, not {logits.shape[1]}; use loss: cross_entropy")
    return logits.topk(3, dim=1).indices.unbind(dim=1)


ERRORS: dict[str, ErrorFn] = {"scale_free": scale_free_error, "naive": naive_error, "margin": margin_error}
ENTROPY_ERRORS: dict[str, ErrorFn] = {"scale_free": scale_free_entropy_error, "naive": naive_entropy_error}


def error_at_logits(target: str, gradient: str) -> ErrorFn:
    """The error whose vector-Jacobian product an attack follows: of cross-entropy, the margin, or the entropy."""
    return (ENTROPY_ERRORS if target == "entropy" else ERRORS)[gradient]


def input_gradient(logits_fn: LogitsFn, images: Tensor, labels: Tensor, error: ErrorFn = scale_free_error) -> Tensor:
    """J delta (B, C, H, W): one vector-Jacobian product, image by image (Cubuk Eq. 12).

    With the default error this is the cross-entropy gradient divided by 1 - p_y of each image.
    """
    return logits_and_gradient(logits_fn, images, labels, error)[1]


def logits_and_gradient(
    logits_fn: LogitsFn, images: Tensor, labels: Tensor, error: ErrorFn = scale_free_error
) -> tuple[Tensor, Tensor]:
    """The logits (B, K) and `input_gradient` (B, C, H, W), of the same pass through the net.

    Where an entry of an image's gradient or logits is not finite, all of its gradient is NaN, so that no attack takes
    what is no number for a small one: it ends in pixels that are NaN, which are counted wherever outcomes are.
    """
    pixels = images.detach().requires_grad_(True)
    with torch.enable_grad():
        logits = logits_fn(pixels)
        weights = error(logits.detach(), labels).to(logits.dtype)
        (gradient,) = torch.autograd.grad(logits, pixels, grad_outputs=weights)
    is_number = gradient.flatten(1).isfinite().all(dim=1) & logits.detach().isfinite().all(dim=1)
    if not gradient.is_cuda and is_number.all():  # a GPU would wait for the answer
        return logits.detach(), gradient
    return logits.detach(), gradient.where(per_image(is_number, gradient), torch.nan)
