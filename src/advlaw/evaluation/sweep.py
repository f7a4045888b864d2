"""One attack over the whole grid of eps: which class every image is given, and where decisions change.

The arrays are those of data/<study>/sweeps/<sweep>/<attack>.npz. Outcomes are kept image by image; errors,
ranges and intervals are derived later (`advlaw.fitting`).
"""

import numpy as np
import torch
from torch import Tensor

from advlaw.attacks.iterative import pgd, start_noise
from advlaw.attacks.one_step import one_step_direction
from advlaw.config.attack import IterativeAttack, OneStepAttack
from advlaw.evaluation.batches import in_batches
from advlaw.evaluation.rays import Ray
from advlaw.evaluation.threshold import first_crossings, margin
from advlaw.models.classifier import Classifier

Arrays = dict[str, np.ndarray]
ONE_STEP_BATCH = 500  # the rays of a batch stay in the CPU's cache
ITERATIVE_BATCH = 2000  # fewer, larger steps: half the time of 500 on small nets


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
    batch_size: int = ONE_STEP_BATCH,
) -> Arrays:
    """images (N, C, H, W) float32 and labels (N,) on the model's device; one gradient per image, then forwards.

    Adds to the common arrays: threshold (N,), NaN where wrong when clean and inf where never wrong;
    threshold_class (N,), -1 where there is none; recovery (N,), the same for images wrong when clean that become
    right; reflips (N,), further changes on the grid.
    """
    points = torch.cat([torch.zeros(1), torch.from_numpy(eps)]).double().to(images.device)

    def work(batch: slice) -> Arrays:
        direction, zero_gradient = one_step_direction(model, images[batch], labels[batch], attack)
        return _ray_outcomes(Ray(model, images[batch], direction, attack.clip), labels[batch], points, zero_gradient)

    with torch.no_grad():
        return _joined(eps, labels, in_batches(len(images), batch_size, work, "sweep"))


def _ray_outcomes(ray: Ray, labels: Tensor, points: Tensor, zero_gradient: Tensor) -> dict[str, np.ndarray]:
    predictions, margins = [], []
    for point in points.tolist():
        logits = ray.logits(point)
        predictions.append(logits.argmax(dim=1))
        margins.append(margin(logits, labels))
    right = torch.stack(margins) > 0
    crossing, new_class = first_crossings(ray, labels, points, torch.stack(margins))
    was_right = right[0]
    n_changes = (right[1:] != right[:-1]).sum(dim=0)
    nan = torch.full_like(crossing, torch.nan)
    return {
        "prediction": _int16(torch.stack(predictions[1:])),
        "clean_prediction": _int16(predictions[0]),
        "zero_gradient": zero_gradient.cpu().numpy(),
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
    seed: int,
    names: tuple[str, ...],
    batch_size: int = ITERATIVE_BATCH,
) -> Arrays:
    """The same for an iterative attack, which runs anew at every eps.

    Of several restarts the worst counts: an image is wrong if any of them makes it wrong. Adds to the common
    arrays: bracket (N, 2), the eps between which an image becomes wrong; (last, inf) where it never does, NaN
    where it is wrong when clean.
    """

    def work(batch: slice) -> Arrays:
        here, wanted = images[batch], labels[batch]
        starts = [_start(here, attack, seed, (*names, str(restart)), batch) for restart in range(attack.restarts)]
        clean = model(here).argmax(dim=1)
        predictions = [_worst(model, here, wanted, float(e), attack, starts) for e in eps]
        gradient_is_zero = _zero_gradient(model, here, wanted, attack)
        return {
            "prediction": _int16(torch.stack(predictions)),
            "clean_prediction": _int16(clean),
            "zero_gradient": gradient_is_zero.cpu().numpy(),
            "bracket": _brackets(torch.stack(predictions) != wanted, clean == wanted, eps),
        }

    with torch.no_grad():
        return _joined(eps, labels, in_batches(len(images), batch_size, work, "sweep"))


def _start(images: Tensor, attack: IterativeAttack, seed: int, names: tuple[str, ...], batch: slice) -> Tensor | None:
    if not attack.random_start:
        return None
    items = list(range(batch.start, batch.stop))
    return start_noise(tuple(images.shape[1:]), attack.norm, seed, names, items).to(images)


def _worst(
    model: Classifier,
    images: Tensor,
    labels: Tensor,
    eps: float,
    attack: IterativeAttack,
    starts: list[Tensor | None],
) -> Tensor:
    """Predictions (B,) after the first restart that makes an image wrong, else after the last."""
    predictions = model(pgd(model, images, labels, eps, attack, starts[0])).argmax(dim=1)
    for start in starts[1:]:
        again = model(pgd(model, images, labels, eps, attack, start)).argmax(dim=1)
        predictions = torch.where(predictions != labels, predictions, again)
    return predictions


def _zero_gradient(model: Classifier, images: Tensor, labels: Tensor, attack: IterativeAttack) -> Tensor:
    first_step = OneStepAttack(direction="sign", target=attack.target, clip=False, gradient=attack.gradient)
    return one_step_direction(model, images, labels, first_step)[1]


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
        name: np.concatenate([part[name] for part in parts], axis=1 if name == "prediction" else 0) for name in parts[0]
    }
    return {"eps": eps, "label": labels.cpu().numpy(), **joined}
