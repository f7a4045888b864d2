"""One attack over the whole grid of eps: which class every image is given, and where decisions change.

The arrays are those of data/<study>/sweeps/<sweep>/<attack>.npz. Outcomes are kept image by image; errors,
ranges and intervals are derived later (`advlaw.fitting`).
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from advlaw.attacks.draws import Draws, unit_ball
from advlaw.attacks.iterative import pgd
from advlaw.attacks.one_step import one_step_direction
from advlaw.config.attack import IterativeAttack, OneStepAttack
from advlaw.evaluation.batches import in_batches
from advlaw.evaluation.rays import Ray
from advlaw.evaluation.threshold import first_crossings, margin
from advlaw.models.classifier import Classifier

Arrays = dict[str, np.ndarray]
ONE_STEP_BATCH = 500  # the rays of a batch stay in the CPU's cache
ITERATIVE_BATCH = 2000  # fewer, larger steps: half the time of 500 on small nets
TOP = 5


@dataclass(frozen=True)
class Randomness:
    """What random numbers of a sweep depend on, with the image: the seed and the names of stage and attack."""

    seed: int
    names: tuple[str, ...]

    def draws(self, batch: slice, *more: str) -> Draws:
        return Draws(self.seed, (*self.names, *more), range(batch.start, batch.stop))


def grid(eps_min: float, eps_max: float, count: int, norm: str, n_pixels: int) -> np.ndarray:
    """The eps grid (E,) float64: log-spaced; for L2, times the square root of the number of pixels C*H*W."""
    eps = np.geomspace(eps_min, eps_max, count)
    return eps * np.sqrt(n_pixels) if norm == "l2" else eps


def sweep_one_step(
    model: Classifier,
    images: Tensor,
    labels: Tensor,
    attack: OneStepAttack,
    eps: np.ndarray,
    randomness: Randomness,
    batch_size: int = ONE_STEP_BATCH,
) -> Arrays:
    """images (N, C, H, W) float32 and labels (N,) on the model's device; one gradient per image, then forwards.

    The common arrays: eps (E,), label (N,), prediction (E, N), clean_prediction (N,), top5 (E, N) and clean_top5
    (N,): whether the label is among the five largest logits, clean_margin (N,): h_y minus the largest other logit,
    and zero_gradient (N,). Adds threshold (N,), NaN where wrong when clean and inf where never wrong;
    threshold_class (N,), -1 where there is none; recovery (N,), the same for images wrong when clean that become
    right; reflips (N,), further changes on the grid.
    """
    points = torch.cat([torch.zeros(1), torch.from_numpy(eps)]).double().to(images.device)

    def work(batch: slice) -> Arrays:
        here, wanted, draws = images[batch], labels[batch], randomness.draws(batch)
        direction, zero_gradient = one_step_direction(model, here, wanted, attack, draws)
        return _ray_outcomes(Ray(model, here, direction, attack.clip), wanted, points, zero_gradient)

    with torch.no_grad():
        return _joined(eps, labels, in_batches(len(images), batch_size, work, "sweep"))


def _ray_outcomes(ray: Ray, labels: Tensor, points: Tensor, zero_gradient: Tensor) -> dict[str, np.ndarray]:
    predictions, margins, top5 = [], [], []
    for point in points.tolist():
        logits = ray.logits(point)
        predictions.append(logits.argmax(dim=1))
        margins.append(margin(logits, labels))
        top5.append(in_top(logits, labels))
    right = torch.stack(margins) > 0
    crossing, new_class = first_crossings(ray, labels, points, torch.stack(margins))
    was_right = right[0]
    n_changes = (right[1:] != right[:-1]).sum(dim=0)
    nan = torch.full_like(crossing, torch.nan)
    return {
        **_answers(torch.stack(predictions), torch.stack(top5), margins[0], zero_gradient),
        "threshold": torch.where(was_right, crossing, nan).cpu().numpy(),
        "threshold_class": _int16(torch.where(was_right, new_class, -1)),
        "recovery": torch.where(was_right, nan, crossing).cpu().numpy(),
        "reflips": _int16((n_changes - 1).clamp_min(0)),
    }


def sweep_iterative(
    model: Classifier,
    images: Tensor,
    labels: Tensor,
    attack: IterativeAttack,
    eps: np.ndarray,
    randomness: Randomness,
    batch_size: int = ITERATIVE_BATCH,
) -> Arrays:
    """The same for an iterative attack, which runs anew at every eps.

    Of several restarts the worst counts: an image is wrong if any of them makes it wrong, and top5 is of that one.
    Adds to the common arrays: bracket (N, 2), the eps between which an image becomes wrong; (last, inf) where it
    never does, NaN where it is wrong when clean.
    """

    def work(batch: slice) -> Arrays:
        here, wanted = images[batch], labels[batch]
        draws = [randomness.draws(batch, str(restart)) for restart in range(attack.restarts)]
        logits = [model(here), *(_worst(model, here, wanted, float(e), attack, draws) for e in eps)]
        predictions = torch.stack([found.argmax(dim=1) for found in logits])
        top5 = torch.stack([in_top(found, wanted) for found in logits])
        right = predictions == wanted
        return {
            **_answers(
                predictions, top5, margin(logits[0], wanted), _zero_gradient(model, here, wanted, attack, draws)
            ),
            "bracket": _brackets(~right[1:], right[0], eps),
        }

    with torch.no_grad():
        return _joined(eps, labels, in_batches(len(images), batch_size, work, "sweep"))


def in_top(logits: Tensor, labels: Tensor, k: int = TOP) -> Tensor:
    """Whether fewer than k logits exceed the label's, (B, K) and (B,) -> (B,)."""
    return (logits > logits.gather(1, labels[:, None])).sum(dim=1) < k


def _answers(predictions: Tensor, top5: Tensor, clean_margin: Tensor, zero_gradient: Tensor) -> Arrays:
    """The arrays every attack has, of predictions and top-5 outcomes (1 + E, B) that begin with the clean images."""
    return {
        "prediction": _int16(predictions[1:]),
        "clean_prediction": _int16(predictions[0]),
        "top5": top5[1:].cpu().numpy(),
        "clean_top5": top5[0].cpu().numpy(),
        "clean_margin": clean_margin.float().cpu().numpy(),
        "zero_gradient": zero_gradient.cpu().numpy(),
    }


def _worst(
    model: Classifier,
    images: Tensor,
    labels: Tensor,
    eps: float,
    attack: IterativeAttack,
    draws: list[Draws],
) -> Tensor:
    """Logits (B, K) after the first restart that makes an image wrong, else after the last."""

    def attacked(restart: Draws) -> Tensor:
        shape = tuple(images.shape[1:])
        start = unit_ball(restart, shape, attack.norm).to(images) if attack.random_start else None
        return model(pgd(model, images, labels, eps, attack, start, restart))

    logits = attacked(draws[0])
    for restart in draws[1:]:
        is_wrong = logits.argmax(dim=1) != labels
        logits = torch.where(is_wrong[:, None], logits, attacked(restart))
    return logits


def _zero_gradient(
    model: Classifier, images: Tensor, labels: Tensor, attack: IterativeAttack, draws: list[Draws]
) -> Tensor:
    first_step = OneStepAttack(direction="sign", target=attack.target, clip=False, gradient=attack.gradient)
    return one_step_direction(model, images, labels, first_step, draws[0])[1]


def _brackets(wrong: Tensor, was_right: Tensor, eps: np.ndarray) -> np.ndarray:
    """wrong (E, B) -> the grid interval (B, 2) in which each image first becomes wrong."""
    edges = np.concatenate([[0.0], eps, [np.inf]])
    found = wrong.cpu().numpy()
    first = np.where(found.any(axis=0), found.argmax(axis=0), len(eps))
    bracket = np.stack([edges[first], edges[first + 1]], axis=1)
    bracket[~was_right.cpu().numpy()] = np.nan
    return bracket


def _int16(values: Tensor) -> np.ndarray:
    return values.cpu().numpy().astype(np.int16)


def _joined(eps: np.ndarray, labels: Tensor, parts: list[Arrays]) -> Arrays:
    joined = {
        name: np.concatenate([part[name] for part in parts], axis=1 if name in ("prediction", "top5") else 0)
        for name in parts[0]
    }
    return {"eps": eps, "label": labels.cpu().numpy(), **joined}
