"""Sweeps: the closed form of a linear net, eps = 0, batches, clipping, and agreement with plain forwards."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import CLASSES, make_images, make_net, one_step, pgd_attack

from advlaw.attacks.iterative import perturbed
from advlaw.attacks.one_step import one_step_direction
from advlaw.evaluation.batches import in_batches
from advlaw.evaluation.each_eps import sweep_each_eps
from advlaw.evaluation.rays import Ray
from advlaw.evaluation.sweep import Randomness, grid, sweep_one_step
from advlaw.evaluation.threshold import refine
from advlaw.models.wrapped import at_once

EPS = np.geomspace(0.01, 64.0, 40)
RANDOM = Randomness(0, ("x",))


def noisy_labels(net, images):
    """The net's answers, every fifth replaced: some images are wrong when clean."""
    labels = net(images).argmax(dim=1)
    labels[::5] = (labels[::5] + 1) % CLASSES
    return labels


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("direction", ["sign", "l2"])
@pytest.mark.parametrize("target", ["true_label", "predicted_label", "least_likely"])
def test_thresholds_and_recoveries_of_a_linear_net_equal_the_closed_form(direction, target, dtype):
    net, images = make_net("linear", dtype), make_images(400, dtype)
    labels = noisy_labels(net, images)
    attack = one_step(direction, target)
    eps = grid(0.01, 64.0, 40, attack.norm, 64)
    arrays = sweep_one_step(net, images, labels, attack, eps, RANDOM)

    exact, pixels = make_net("linear", torch.float64), images.double()
    ray, _ = one_step_direction(net, images, labels, attack)
    logits, slope = exact(pixels).numpy(), exact.head.linear(ray.double()).numpy()
    rows, y = np.arange(len(labels)), labels.numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        # h_y - h_j = gap - eps * closing: a right image becomes wrong where the first gap closes,
        # a wrong one becomes right where the last overtaking class falls behind.
        gap = logits[rows, y][:, None] - logits
        closing = slope - slope[rows, y][:, None]
        crossing = gap / closing
        others = np.arange(CLASSES) != y[:, None]
        first_wrong = np.where(others & (closing > 0) & (gap > 0), crossing, np.inf).min(axis=1)
        behind = others & (gap < 0)
        falls_back = np.where(behind & (closing < 0), crossing, np.where(behind, np.inf, 0)).max(axis=1)
    was_right = (gap[others].reshape(len(y), -1) > 0).all(axis=1)
    first_wrong[first_wrong > eps[-1]] = np.inf

    np.testing.assert_array_equal(np.isnan(arrays["threshold"]), ~was_right)
    # Refined to 1e-4; in float32 logits round, which moves a crossing by that over the speed of the closing gap.
    speed = np.abs(closing[np.isfinite(crossing) & (crossing > 0)]).min() if dtype == torch.float32 else np.inf
    rounding = 4 * np.finfo(np.float32).eps * np.abs(logits).max() / max(speed, 1e-4)
    np.testing.assert_allclose(arrays["threshold"][was_right], first_wrong[was_right], rtol=1.01e-4, atol=rounding)
    recovered = ~was_right & np.isfinite(arrays["recovery"])
    assert (recovered.sum() > 5) == (target != "true_label")  # nothing that climbs the true loss repairs
    np.testing.assert_allclose(arrays["recovery"][recovered], falls_back[recovered], rtol=1.01e-4, atol=rounding)
    assert np.isnan(arrays["recovery"][was_right]).all()
    crossed = np.isfinite(arrays["threshold"])
    at_threshold = logits + arrays["threshold"][:, None] * slope
    runner_up = np.where(others, at_threshold, -np.inf).argmax(axis=1)
    np.testing.assert_array_equal(arrays["threshold_class"][crossed], runner_up[crossed])


def test_predictions_flip_between_0999_and_1001_of_the_threshold():
    net, images = make_net("cnn"), make_images(300)
    labels = net(images).argmax(dim=1)
    attack = one_step()
    arrays = sweep_one_step(net, images, labels, attack, EPS, RANDOM)
    direction, _ = one_step_direction(net, images, labels, attack)
    found = np.isfinite(arrays["threshold"])
    assert found.sum() > 50
    threshold = torch.from_numpy(np.where(found, arrays["threshold"], 1.0)).float().view(-1, 1, 1, 1)
    before = net(images + 0.999 * threshold * direction).argmax(dim=1)
    after = net(images + 1.001 * threshold * direction).argmax(dim=1)
    assert (before == labels).numpy()[found].mean() > 0.99  # a second change within 0.1 % is possible
    assert (after != labels).numpy()[found].mean() > 0.99


@pytest.mark.parametrize("arch", ["linear", "fc", "cnn"])
@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("direction", ["sign", "l2"])
def test_sweeping_along_rays_equals_plain_forwards(arch, clip, direction):
    net, images = make_net(arch, torch.float64), make_images(120, torch.float64)
    labels = noisy_labels(net, images)
    attack = one_step(direction, clip=clip)
    eps = grid(0.01, 64.0, 30, attack.norm, 64)
    arrays = sweep_one_step(net, images, labels, attack, eps, RANDOM)
    ray, _ = one_step_direction(net, images, labels, attack)
    for i, value in enumerate(eps):
        moved = images + value * ray
        plain = net(moved.clamp(0, 255) if clip else moved).argmax(dim=1)
        np.testing.assert_array_equal(arrays["prediction"][i], plain.numpy())


def test_clipping_uses_the_first_layer_once_where_that_is_exact():
    net, images = make_net("fc", torch.float64), make_images(50, torch.float64)
    direction, _ = one_step_direction(net, images, net(images).argmax(dim=1), one_step())
    ray = Ray(net, images, direction, clip=True)
    assert ray.affine_up_to == 1.0
    for eps in (0.3, 1.0, 1.5, 40.0):
        torch.testing.assert_close(ray.logits(eps), net((images + eps * direction).clamp(0, 255)))
    assert Ray(net, images + 0.25, direction, clip=True).affine_up_to == 0.0


@pytest.mark.parametrize("arch", ["linear", "fc", "cnn"])
@pytest.mark.parametrize("clip", [False, True])
def test_eps_zero_gives_exactly_zero_error(arch, clip):
    net, images = make_net(arch), make_images(200)
    labels = noisy_labels(net, images)
    nothing = np.array([0.0, 0.0])
    arrays = sweep_one_step(net, images, labels, one_step(clip=clip), nothing, RANDOM)
    assert (arrays["prediction"] == arrays["clean_prediction"]).all()
    arrays = sweep_each_eps(net, images, labels, pgd_attack(clip=clip), perturbed, nothing, RANDOM)
    assert (arrays["prediction"] == arrays["clean_prediction"]).all()


@pytest.mark.parametrize("arch", ["linear", "fc", "cnn"])
def test_results_do_not_depend_on_the_batch_size(arch):
    net, images = make_net(arch), make_images(230)
    labels = noisy_labels(net, images)
    attack = pgd_attack(random_start=True, restarts=2)
    whole = sweep_one_step(net, images, labels, one_step(), EPS, RANDOM)
    whole_pgd = sweep_each_eps(net, images, labels, attack, perturbed, EPS[::8], RANDOM)
    for size in (7, 64):
        parts = sweep_one_step(net, images, labels, one_step(), EPS, RANDOM, batch_size=size)
        for name in ("prediction", "clean_prediction", "threshold_class", "reflips"):
            np.testing.assert_array_equal(parts[name], whole[name])
        for name in ("threshold", "recovery"):
            np.testing.assert_allclose(parts[name], whole[name], rtol=3e-4)
        parts = sweep_each_eps(net, images, labels, attack, perturbed, EPS[::8], RANDOM, batch_size=size)
        np.testing.assert_array_equal(parts["prediction"], whole_pgd["prediction"])
        np.testing.assert_array_equal(parts["bracket"], whole_pgd["bracket"])


def test_brackets_hold_the_first_wrong_eps():
    net, images = make_net("fc"), make_images(150)
    labels = noisy_labels(net, images)
    arrays = sweep_each_eps(net, images, labels, pgd_attack(), perturbed, EPS, RANDOM)
    was_right = arrays["clean_prediction"] == arrays["label"]
    assert np.isnan(arrays["bracket"][~was_right]).all()
    wrong = arrays["prediction"] != arrays["label"]
    for image in np.flatnonzero(was_right):
        low, high = arrays["bracket"][image]
        assert not wrong[low >= EPS, image].any()
        assert np.isinf(high) or wrong[np.flatnonzero(high == EPS)[0], image]


def test_restarts_only_make_more_images_wrong():
    net, images = make_net("fc"), make_images(200)
    labels = net(images).argmax(dim=1)
    errors = [
        (
            sweep_each_eps(
                net, images, labels, pgd_attack(random_start=True, restarts=n), perturbed, EPS[20:30], RANDOM
            )["prediction"]
            != labels.numpy()
        )
        for n in (1, 4)
    ]
    assert (errors[1] >= errors[0]).all()


def test_reflips_count_further_changes_on_the_grid():
    net, images = make_net("fc"), make_images(300)
    labels = noisy_labels(net, images)
    arrays = sweep_one_step(net, images, labels, one_step(target="least_likely"), EPS, RANDOM)
    right = np.vstack([arrays["clean_prediction"], arrays["prediction"]]) == arrays["label"]
    changes = (right[1:] != right[:-1]).sum(axis=0)
    np.testing.assert_array_equal(arrays["reflips"], np.maximum(changes - 1, 0))
    assert arrays["reflips"].max() > 0


@pytest.mark.parametrize("root", [1e-6, 0.003, 0.7, 0.99])
@pytest.mark.parametrize(
    "shape", [lambda x: x, lambda x: np.sign(x) * abs(x) ** 3, lambda x: np.sign(x) * abs(x) ** 0.1]
)
def test_root_finder_brackets_any_monotone_function_to_1e_4(root, shape):
    evaluations = []

    def value(eps, rows):
        evaluations.append(len(rows))
        return torch.from_numpy(shape(root - eps.numpy()))

    low, high = torch.zeros(1), torch.ones(1)
    at_low, at_high = value(low, [0]), value(high, [0])
    found = float(refine(value, low, high, at_low, at_high)[0])
    assert root <= found <= root * (1 + 1.1e-4)
    assert len(evaluations) < 60


def test_running_out_of_device_memory_halves_the_batch():
    sizes = []

    def work(batch, images):
        assert torch.equal(images, numbered[batch])
        if len(images) > 30:
            raise torch.OutOfMemoryError("too much")
        sizes.append(len(images))
        return list(range(batch.start, batch.stop))

    numbered = torch.arange(100.0).view(100, 1, 1, 1)
    done = in_batches(numbered, 64, work, "test")
    assert [item for part in done for item in part] == list(range(100))
    assert max(sizes) <= 30


@pytest.mark.parametrize(
    ("shape", "asked", "got"),
    [
        *[((1, 28, 28), size, size) for size in (25, 100, 500, 2000)],
        *[((3, 32, 32), size, size) for size in (25, 100, 500, 2000)],
        *[((3, 224, 224), size, 16) for size in (25, 100, 500, 2000)],
        ((3, 224, 224), 10, 10),
        ((3, 299, 299), 500, 8),
        ((3, 2000, 2000), 500, 1),
    ],
)
def test_large_images_come_in_batches_of_what_a_net_takes_at_once(shape, asked, got):
    images = torch.zeros(1, 1, 1, 1).expand(2 * asked + 1, *shape)
    sizes = list(in_batches(images, asked, lambda batch, here: len(here), "test"))
    assert sizes[0] == max(sizes) == got
    assert sum(sizes) == len(images)


def test_a_gpu_takes_as_many_as_its_memory_is_for(monkeypatch):
    gpu = torch.device("cuda")
    for memory, shape, count in [(144e9, (3, 224, 224), 239), (16e9, (3, 224, 224), 26), (1e6, (3, 299, 299), 1)]:
        monkeypatch.setattr(
            "torch.cuda.get_device_properties", lambda device, memory=memory: SimpleNamespace(total_memory=memory)
        )
        assert at_once(shape, gpu) == count


@pytest.mark.parametrize(("n_classes", "dtype"), [(2**15, np.int16), (2**15 + 40, np.int32), (70_000, np.int32)])
def test_classes_are_kept_whole_however_many_there_are(n_classes, dtype):
    """The last ten classes of a net whose others are never chosen; the label 32,767 is the last that int16 holds."""
    small, images = make_net("linear"), make_images(40)

    class Many(torch.nn.Module):
        head = small.head

        def tail(self, hidden):
            logits = small.tail(hidden)
            return torch.cat([logits.new_full((len(logits), n_classes - CLASSES), -1e4), logits], dim=1)

        def forward(self, pixels):
            return self.tail(self.head(pixels))

    labels, offset = small(images).argmax(dim=1), n_classes - CLASSES
    few = sweep_one_step(small, images, labels, one_step(), EPS[::8], RANDOM)
    many = sweep_one_step(Many(), images, labels + offset, one_step(), EPS[::8], RANDOM)
    for name in ("prediction", "clean_prediction"):
        np.testing.assert_array_equal(many[name], few[name].astype(np.int64) + offset)
        assert many[name].dtype == dtype
    np.testing.assert_array_equal(
        many["threshold_class"], np.where(few["threshold_class"] < 0, -1, few["threshold_class"].astype(int) + offset)
    )
    attack = pgd_attack(steps=3)
    few = sweep_each_eps(small, images, labels, attack, perturbed, EPS[::16], RANDOM)
    many = sweep_each_eps(Many(), images, labels + offset, attack, perturbed, EPS[::16], RANDOM)
    np.testing.assert_array_equal(many["prediction"], few["prediction"].astype(np.int64) + offset)
