"""Adversarial training: Kurakin's Algorithm 1, the law of eps, the entropy penalty, batch normalisation, the probe."""

import numpy as np
import pytest
import torch
from conftest import make_images, make_net, one_step
from scipy.stats import kstest, truncnorm
from test_training import learnable

from advlaw.attacks.draws import Draws, truncated_normal
from advlaw.attacks.one_step import one_step_direction
from advlaw.attacks.settings import AbsoluteStep, IterativeAttack, OneStepAttack, RelativeStep
from advlaw.core.rng import Numbers
from advlaw.models.store import build
from advlaw.training.adversarial import AdversarialMinibatches, attacked_mode, drawn_eps
from advlaw.training.augment import crop_and_flip, drawn_crops
from advlaw.training.loop import train
from advlaw.training.objective import entropy, minibatch_loss
from advlaw.training.optimizer import Optimizer
from advlaw.training.overfitting import overfitted_at
from advlaw.training.schedule import learning_rate
from advlaw.training.settings import Adversarial, FixedEps, RandomEps, Training
from advlaw.trials.defence import adversarial_defence, perturbation

KURAKIN = RandomEps(sigma=8.0, largest=16.0)
NUMBERS = Numbers(3, ("net",))
STEP_LL = one_step(target="least_likely", clip=True)


def adversarial(**changes):
    values = {"attack": "one_step.x", "images": 16, "weight": 0.3, "eps": KURAKIN, "probe_eps": 8.0}
    return Adversarial(**{**values, **changes})


def training(**changes):
    values = {"dataset": "x", "epochs": 3, "learning_rate": 0.003, "batch_size": 32}
    return Training(**{**values, **changes})


def replace(size=32, attack=STEP_LL, **changes):
    """What is done to minibatches of so many images, with the draws of one epoch of 100 images."""
    settings = adversarial(**changes)
    eps = drawn_eps(settings.eps, NUMBERS.generator("eps", 1), 100)
    return AdversarialMinibatches(settings, size, perturbation(attack, NUMBERS, "attack", 1), eps)


def small_resnet():
    torch.manual_seed(5)
    net = build({"arch": "resnet", "depth": 8, "image_shape": [1, 8, 8], "n_classes": 10})
    net.head.mean.fill_(120.0)
    net.head.std.fill_(70.0)
    return net


def test_the_paper_s_numbers_give_a_divisor_of_20_8_and_an_adversarial_share_of_23_1_percent():
    net, images, labels = make_net("fc"), make_images(32), torch.arange(32) % 10
    made, weights = replace()(net, images, labels, np.arange(32), 0.5)
    assert float(weights.sum()) == pytest.approx(20.8)
    assert float(weights[:16].sum() / weights.sum()) == pytest.approx(0.2308, abs=5e-5)
    assert torch.equal(made[16:], images[16:])
    moved = (made[:16] - images[:16]).abs().flatten(1).amax(dim=1)
    assert (moved > 0).all()
    assert (moved <= 16).all()
    losses = torch.nn.functional.cross_entropy(net(made), labels, reduction="none").double()
    by_hand = (losses[16:].sum() + 0.3 * losses[:16].sum()) / 20.8
    assert float(minibatch_loss(net(made), labels, training(), weights=weights)) == pytest.approx(float(by_hand))


def test_a_smaller_last_minibatch_has_the_same_share_replaced():
    net, images, labels = make_net("fc"), make_images(12), torch.arange(12) % 10
    _, weights = replace()(net, images, labels, np.arange(12), 0.5)
    assert (weights < 1).tolist() == [True] * 6 + [False] * 6


def test_before_the_delay_images_are_left_alone():
    net, images, labels = make_net("fc"), make_images(32), torch.arange(32) % 10
    late = replace(delay=0.25)
    assert late(net, images, labels, np.arange(32), 0.249) == (images, None)
    assert late(net, images, labels, np.arange(32), 0.25)[1] is not None


def test_replaced_images_are_those_of_the_attack_at_their_own_eps():
    net, images, labels = make_net("fc"), make_images(16), torch.arange(16) % 10
    eps = torch.linspace(0.0, 16.0, 16)
    direction, _ = one_step_direction(net, images, labels, STEP_LL)
    expected = (images + eps.view(-1, 1, 1, 1) * direction).clamp(0, 255)
    assert torch.equal(perturbation(STEP_LL, NUMBERS, "attack")(net, images, labels, eps, np.arange(16)), expected)


@pytest.mark.parametrize("steps", [5, "from_eps"])
def test_pgd_at_an_eps_for_each_image_is_pgd_on_each_alone(steps):
    from advlaw.attacks.iterative import pgd

    size = AbsoluteStep(absolute=1.0) if steps == "from_eps" else RelativeStep(relative=0.25)
    attack = IterativeAttack(norm="linf", steps=steps, step_size=size, target="true_label", clip=True)
    net, images, labels = make_net("fc"), make_images(8), torch.arange(8)
    eps = torch.tensor([0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 16.0])
    together = pgd(net, images, labels, eps, attack)
    for i in range(8):
        alone = pgd(net, images[i : i + 1], labels[i : i + 1], float(eps[i]), attack)
        torch.testing.assert_close(together[i : i + 1], alone, rtol=0, atol=1e-4)


def test_eps_follows_kurakin_s_law():
    """Rejected wrongly once in 10,000 seeds."""
    eps = drawn_eps(KURAKIN, NUMBERS.generator("eps", 1), 100_000).numpy()
    assert eps.min() >= 0
    assert eps.max() <= 16
    law = truncnorm(-2.0, 2.0, scale=8.0)
    assert kstest(eps, lambda x: law.cdf(x) - law.cdf(-x)).pvalue > 1e-4
    assert torch.equal(drawn_eps(FixedEps(fixed=4.0), NUMBERS.generator("eps", 1), 3), torch.full((3,), 4.0))


def test_the_entropy_term_and_its_gradient_are_those_in_float64():
    generator = np.random.default_rng(0)
    raw = generator.normal(size=(20, 10)) * 6
    logits = torch.from_numpy(raw).float().requires_grad_(True)
    labels = torch.arange(20) % 10
    p = np.exp(raw - np.logaddexp.reduce(raw, axis=1, keepdims=True))
    h = -(p * np.log(p)).sum(axis=1)
    np.testing.assert_allclose(entropy(logits).detach().numpy(), h, rtol=1e-5)
    with_penalty = minibatch_loss(logits, labels, training(entropy_weight=4.5))
    difference = with_penalty - minibatch_loss(logits, labels, training())
    assert float(difference.detach()) == pytest.approx(4.5 * h.mean(), rel=1e-5)
    (gradient,) = torch.autograd.grad(difference, logits)
    np.testing.assert_allclose(gradient.numpy(), -4.5 / 20 * p * (np.log(p) + h[:, None]), rtol=1e-3, atol=1e-7)


def test_the_entropy_is_not_weighted_and_begins_after_its_delay():
    logits, labels = torch.randn(8, 10), torch.arange(8)
    weights = torch.tensor([0.3] * 4 + [1.0] * 4)
    plain = minibatch_loss(logits, labels, training(), weights=weights)
    late = training(entropy_weight=2.0, entropy_delay=0.5)
    assert minibatch_loss(logits, labels, late, 0.49, weights) == plain
    torch.testing.assert_close(minibatch_loss(logits, labels, late, 0.5, weights), plain + 2.0 * entropy(logits).mean())


def test_draws_of_an_image_far_into_its_split_are_its_own():
    items = [2**63 - 1, 0, 2**62]
    whole = truncated_normal(Draws(0, ("a", 1), items), (1, 8, 8))
    for item, own in zip(items, whole, strict=True):
        assert torch.equal(truncated_normal(Draws(0, ("a", 1), np.array([item])), (1, 8, 8))[0], own)
    assert len(set(whole.flatten().tolist())) == whole.numel()


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_attacking_leaves_batch_statistics_and_modes_as_they_are(mode):
    net, images, labels = small_resnet().train(), make_images(16), torch.arange(16) % 10
    before = {key: value.clone() for key, value in net.state_dict().items()}
    modes = [module.training for module in net.modules()]
    replace(16, images=8, batch_norm=mode)(net, images, labels, np.arange(16), 0.5)
    for key, value in net.state_dict().items():
        assert torch.equal(value, before[key]), key
    assert [module.training for module in net.modules()] == modes
    norms = [module for module in net.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert all(norm.track_running_stats for norm in norms)


def test_the_mode_of_batch_normalisation_decides_what_the_attack_sees():
    net, images = small_resnet().train(), make_images(16)
    with attacked_mode(net, "train"):
        of_the_batch = net(images)
    with attacked_mode(net, "eval"):
        running = net(images)
    torch.testing.assert_close(running, small_resnet().eval()(images))
    assert not torch.allclose(of_the_batch, running)
    torch.testing.assert_close(of_the_batch, small_resnet().train()(images))


def trained(settings, chosen, attack, fitted):
    torch.manual_seed(1)
    net = build({"arch": "fc", "widths": [64], "image_shape": [1, 8, 8], "n_classes": 10})
    net.head.set_statistics(fitted.images)
    validation = learnable(500, seed=1)
    defence = adversarial_defence(chosen, attack, settings.batch_size, validation)
    return net, train("robust_models.net", net, fitted, validation, settings, NUMBERS, None, defence)


def test_pgd_training_resists_pgd_where_plain_training_does_not():
    """By 5 points of 500 images at least, more than two standard errors of the difference."""
    fitted, settings = learnable(1000), training(epochs=20)
    size = RelativeStep(relative=0.25)
    attack = IterativeAttack(norm="linf", steps=7, step_size=size, target="true_label", clip=True, random_start=True)
    madry = adversarial(images=32, weight=1.0, eps=FixedEps(fixed=8.0), probe_eps=8.0)
    _, robust = trained(settings, madry, attack, fitted)
    unchanged = adversarial(images=1, weight=1e-9, eps=FixedEps(fixed=1e-3), probe_eps=8.0)
    _, plain = trained(settings, unchanged, attack, fitted)
    assert robust.rows[-1]["pgd_accuracy"] > plain.rows[-1]["pgd_accuracy"] + 0.05


def test_adversarial_training_gives_the_same_bytes_again():
    chosen = adversarial()
    nets = [trained(training(), chosen, STEP_LL, learnable())[0] for _ in range(2)]
    for first, second in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        assert torch.equal(first, second)


def test_the_probe_is_the_same_again_whatever_torch_has_drawn_before():
    noise = OneStepAttack(direction="random_sign", clip=True)
    probe = adversarial_defence(adversarial(), noise, 32, learnable(100)).probe
    found = probe(make_net("fc"))
    torch.rand(1)
    assert probe(make_net("fc")) == found
    assert found.keys() == {"attacked_accuracy", "pgd_accuracy"}


def test_without_watched_images_the_probe_is_of_the_last_epoch():
    every = trained(training(), adversarial(), STEP_LL, learnable())[1].rows
    rows = trained(training(watched=0), adversarial(), STEP_LL, learnable())[1].rows
    assert [list(row) for row in rows] == [list(row) for row in every]
    for name in ("attacked_accuracy", "pgd_accuracy"):
        assert [row[name] for row in rows] == [None, None, every[-1][name]]
    assert overfitted_at(rows) is None


@pytest.mark.parametrize(
    ("attacked", "pgd", "expected"),
    [
        ([0.5, 0.7, 0.8, 0.9], [0.3, 0.4, 0.1, 0.0], 3),  # resists what it is trained on, and nothing else
        ([0.5, 0.7, 0.8, 0.9], [0.3, 0.4, 0.3, 0.3], None),  # falls by less than half
        ([0.5, 0.7, 0.1, 0.1], [0.3, 0.4, 0.1, 0.1], None),  # resists neither: no overfitting to the attack
        ([0.9, 0.9, 0.9, 0.9], [0.02, 0.03, 0.01, 0.0], None),  # never resisted PGD
    ],
)
def test_catastrophic_overfitting_is_seen(attacked, pgd, expected):
    rows = [
        {"epoch": i + 1, "attacked_accuracy": a, "pgd_accuracy": b}
        for i, (a, b) in enumerate(zip(attacked, pgd, strict=True))
    ]
    assert overfitted_at(rows) == expected


def test_schedules():
    at = {
        schedule: [
            learning_rate(training(epochs=10, learning_rate=1.0, schedule=schedule), made) for made in (0, 0.5, 0.8)
        ]
        for schedule in ("steps", "exponential", "constant")
    }
    assert at["steps"] == pytest.approx([1, 0.1, 0.01])
    assert at["exponential"] == pytest.approx([1, 0.94**2, 0.94**4])
    assert at["constant"] == [1, 1, 1]


def test_rmsprop_is_torch_s():
    torch.manual_seed(0)
    ours, theirs = torch.randn(5, 4), torch.nn.Parameter(torch.zeros(5, 4))
    theirs.data.copy_(ours)
    own = Optimizer("rmsprop", [ours], 0.01)
    peer = torch.optim.RMSprop([theirs], lr=0.045, alpha=0.9, eps=1.0, momentum=0.9, weight_decay=0.01)
    for _ in range(5):
        gradient = torch.randn(5, 4)
        own.step([gradient], 0.045)
        theirs.grad = gradient.clone()
        peer.step()
    torch.testing.assert_close(ours, theirs.data)


def test_crops_and_flips_are_shifts_into_black_and_mirrors():
    torch.manual_seed(0)
    images = torch.randint(1, 256, (300, 3, 8, 8)).float()
    made = crop_and_flip(images, drawn_crops(NUMBERS.generator("crops", 1), 300))
    padded = torch.nn.functional.pad(images, (4,) * 4)
    seen = set()
    for image, source in zip(made, padded, strict=True):
        windows = {(top, left): source[:, top : top + 8, left : left + 8] for top in range(9) for left in range(9)}
        found = [
            (*place, is_mirrored)
            for place, window in windows.items()
            for is_mirrored in (False, True)
            if torch.equal(image, window.flip(2) if is_mirrored else window)
        ]
        assert len(found) == 1
        seen |= set(found)
    assert {top for top, _, _ in seen} == {left for _, left, _ in seen} == set(range(9))
    assert {is_mirrored for _, _, is_mirrored in seen} == {False, True}
