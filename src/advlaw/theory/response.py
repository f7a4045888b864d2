"""The linear response of logits to a perturbation (Cubuk Sec. 3.1 and App. 6.2.1)."""

import torch
from torch import Tensor

from advlaw.attacks.gradient import LogitsFn


def logit_response(logits_fn: LogitsFn, images: Tensor, direction: Tensor) -> tuple[Tensor, Tensor]:
    """Logits h (B, K) and their response Gamma (B, K) per unit of eps along `direction` (B, C, H, W).

    h(x + eps d) = h(x) + eps Gamma + O(eps^2) with Gamma = J^T d (Cubuk Eq. 4). With the L2 attack's direction,
    d = J delta / |J delta|_2, it is the paper's J^T J delta / |J delta|_2; with its sign, the response to FGSM. The
    Jacobian is never formed: J v is one vector-Jacobian product, which is linear in v, and its derivative along d is
    the Jacobian-vector product J^T d. Differentiating twice in reverse needs no forward-mode rules of the net.
    """
    pixels = images.detach().requires_grad_(True)
    with torch.enable_grad():
        logits = logits_fn(pixels)
        v = torch.zeros_like(logits, requires_grad=True)
        (gradient,) = torch.autograd.grad(logits, pixels, v, create_graph=True)
        (gamma,) = torch.autograd.grad(gradient, v, direction)
    return logits.detach(), gamma


def residuals(logits_fn: LogitsFn, images: Tensor, direction: Tensor, eps: list[float]) -> Tensor:
    """|h(x + eps d) - h(x) - eps Gamma|_2 (E, B): what the linear response leaves out, O(eps^2) for a smooth net."""
    logits, gamma = logit_response(logits_fn, images, direction)
    with torch.no_grad():
        return torch.stack([(logits_fn(images + e * direction) - logits - e * gamma).norm(dim=1) for e in eps])
