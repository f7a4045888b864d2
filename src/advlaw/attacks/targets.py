"""Whose loss an attack changes, and whether it climbs or descends it."""

from collections.abc import Callable

from torch import Tensor

from advlaw.attacks.draws import Draws, random_classes


def true_label(logits: Tensor, labels: Tensor) -> Tensor:
    return labels


def predicted_label(logits: Tensor, labels: Tensor) -> Tensor:
    """The net's own answer on the clean image: an attack that does not know the label."""
    return logits.argmax(dim=1)


def least_likely(logits: Tensor, labels: Tensor) -> Tensor:
    """The least likely class over all K logits (B, K) -> (B,). Cubuk Eq. 2, Kurakin Sec. 2.2."""
    return logits.argmin(dim=1)


TARGETS: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], int]] = {
    "true_label": (true_label, +1),
    "predicted_label": (predicted_label, +1),
    "entropy": (predicted_label, +1),
    "least_likely": (least_likely, -1),
}


def chosen_target(name: str, logits: Tensor, labels: Tensor, draws: Draws | None = None) -> tuple[Tensor, int]:
    """The labels (B,) whose loss is followed, given clean logits (B, K), and +1 to climb it or -1 to descend.

    `random_class` (step rnd.) takes them from `draws`; `entropy` climbs the prediction's entropy, which has none.
    """
    if name == "random_class":
        assert draws is not None, "a random target needs draws"
        return random_classes(draws, logits.shape[1]).to(labels), -1
    choose, sign = TARGETS[name]
    return choose(logits, labels), sign
