"""Steps of several minibatches, played by one process or shared by several: always the same bytes."""

import copy

import numpy as np
import pytest
import torch
from parallel_cases import CASES, KEY, N_IMAGES, NUMBERS, SIZE, examples, fresh, of_processes, play, training
from torch import nn

from advlaw.attacks.settings import OneStepAttack
from advlaw.training.adversarial import AdversarialMinibatches, attacked_mode, drawn_eps
from advlaw.training.augment import crop_and_flip, drawn_crops
from advlaw.training.minibatches import Minibatches
from advlaw.training.objective import entropy
from advlaw.training.optimizer import Optimizer
from advlaw.training.parallel import ALONE, Processes
from advlaw.training.schedule import learning_rate
from advlaw.trials.defence import perturbation


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name


def reference(name, together):
    """The training of a case as on `together` machines, each with a net of its own, one after another."""
    _, _, adversarial, attack = CASES[name]
    net, settings, fitted = fresh(name), training(name, together), examples(N_IMAGES, 0)
    optimizer = Optimizer(settings.optimizer, list(net.parameters()), settings.weight_decay)
    starts = range(0, N_IMAGES, SIZE)
    steps = range(0, len(starts), together)
    for epoch in range(1, settings.epochs + 1):
        order = NUMBERS.generator("order", epoch).permutation(N_IMAGES)
        for number, first in enumerate(steps):
            made = (epoch - 1 + number / len(steps)) / settings.epochs
            summed, divisor, machines = None, 0.0, []
            for which in range(first, min(first + together, len(starts))):
                machine = copy.deepcopy(net).train()
                items = order[starts[which] : starts[which] + SIZE]
                images, labels, weights = fitted.images[items], fitted.labels[items], torch.ones(len(items))
                if settings.augment == "crop_flip":
                    images = crop_and_flip(images, drawn_crops(NUMBERS.generator("crops", epoch), N_IMAGES)[items])
                if adversarial and made >= adversarial.delay:
                    k = adversarial.images * len(items) // SIZE
                    eps = drawn_eps(adversarial.eps, NUMBERS.generator("eps", epoch), N_IMAGES)[items[:k]]
                    attacked = perturbation(attack, NUMBERS, "attack", epoch)
                    with attacked_mode(machine, "eval"):
                        replaced = attacked(machine, images[:k], labels[:k], eps, items[:k])
                    images, weights[:k] = torch.cat([replaced, images[k:]]), adversarial.weight
                torch.manual_seed(NUMBERS.seed_of("dropout", epoch, which))
                logits, smoothing = machine(images), settings.label_smoothing
                losses = nn.functional.cross_entropy(logits, labels, reduction="none", label_smoothing=smoothing)
                loss = (weights * losses).sum()
                if settings.entropy_weight:
                    loss = loss + weights.sum() * settings.entropy_weight * entropy(logits).mean()
                gradients = torch.autograd.grad(loss, list(machine.parameters()))
                summed = gradients if summed is None else [a + b for a, b in zip(summed, gradients, strict=True)]
                divisor = divisor + weights.sum()
                machines.append(machine)
            optimizer.step([gradient / divisor for gradient in summed], learning_rate(settings, made))
            average_statistics(net, machines)
    return net.state_dict()


def average_statistics(net, machines):
    """The running statistics of batch normalisation: the mean of the machines' ones; a step counts once."""
    theirs = [dict(machine.named_buffers()) for machine in machines]
    for name, buffer in net.named_buffers():
        if name.endswith("num_batches_tracked"):
            buffer += 1
        elif "running" in name:
            buffer.copy_(sum(buffers[name] for buffers in theirs) / len(theirs))


@pytest.mark.parametrize("together", [2, 4])
@pytest.mark.parametrize("name", CASES)
def test_a_step_of_several_minibatches_is_that_of_as_many_machines(name, together):
    found, _ = play(name, together)
    assert_same(found, reference(name, together))


@pytest.mark.slow
@pytest.mark.parametrize(("size", "steps"), [(2, [4]), (4, [4])])
def test_processes_give_the_bytes_of_one(size, steps, tmp_path):
    """Of several minibatches each, or of one; two of one are what torchrun starts in tests/test_pipeline.py."""
    alone = {(name, minibatches): play(name, minibatches) for name in CASES for minibatches in steps}
    alone["resumed", 4] = play("dropout", 4, epochs=3)
    for found in of_processes(size, steps, tmp_path):
        for case, (weights, rows) in alone.items():
            assert_same(found[case][0], weights)
            assert found[case][1] == rows, case


def test_one_minibatch_a_step_is_the_mean_of_its_images():
    """As in a step of several, but for rounding: a mean's gradient instead of a sum's, divided."""
    direct, _ = play("kurakin", 1)
    for name, tensor in reference("kurakin", 1).items():
        torch.testing.assert_close(direct[name], tensor, rtol=0, atol=1e-5)


def test_processes_that_cannot_share_a_step_are_refused():
    with pytest.raises(ValueError, match=r"models\.net\.minibatches = 3: 2 processes .* must be a multiple of 2"):
        Processes(0, 2).check(KEY, 3)
    ALONE.check(KEY, 1)


def drawn(name, size, together):
    """Order, crops and dropout's seeds of an epoch, by the images' places, and how many minibatches a step has."""
    settings = training(name, together, batch_size=size)
    steps = Minibatches(settings, NUMBERS, examples(N_IMAGES, 0).labels, has_dropout=True).steps(3)
    every = [minibatch for step in steps for minibatch in step]
    order = np.concatenate([minibatch.items for minibatch in every])
    assert torch.equal(torch.from_numpy(order), torch.cat([minibatch.index for minibatch in every]))
    return order, torch.cat([minibatch.crops for minibatch in every]), [m.dropout_seed for m in every], steps


def test_what_is_drawn_for_an_image_does_not_depend_on_its_minibatch():
    order, crops, seeds, _ = drawn("batch norm", SIZE, 1)
    for size, together in ((SIZE, 4), (10, 1), (10, 3)):
        other_order, other_crops, other_seeds, steps = drawn("batch norm", size, together)
        np.testing.assert_array_equal(other_order, order)
        assert torch.equal(other_crops, crops)
        assert other_seeds[: len(seeds)] == seeds[: len(other_seeds)]
        assert {len(step) for step in steps[:-1]} <= {together}
    assert len(set(seeds)) == len(seeds)


@pytest.mark.parametrize("direction", ["random_sign", "truncated_normal"])
def test_an_image_s_adversarial_example_does_not_depend_on_its_minibatch(direction):
    _, _, kurakin, _ = CASES["kurakin"]
    noise, fitted = OneStepAttack(direction=direction, clip=True), examples(N_IMAGES, 0)
    eps = drawn_eps(kurakin.eps, NUMBERS.generator("eps", 1), N_IMAGES)
    settings = kurakin.model_copy(update={"images": SIZE})
    replace = AdversarialMinibatches(settings, SIZE, perturbation(noise, NUMBERS, "attack", 1), eps)

    def made(items):
        return replace(fresh("kurakin"), fitted.images[items], fitted.labels[items], items, 0.5)[0]

    items = np.random.default_rng(0).permutation(N_IMAGES)[:SIZE]
    assert torch.equal(made(items)[4:7], made(items[4:7]))
    assert torch.equal(made(items).flip(0), made(items[::-1].copy()))
