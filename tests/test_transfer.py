"""Adversarial images of one net shown to another: in closed form between linear nets, and as the source has it."""

import numpy as np
import pytest
import torch
from conftest import make_images, make_net, one_step
from test_ranks import ATTACKS, OTHERS, RANDOM, gap_and_slope, linear_net, method

from advlaw.evaluation.ranks import Method, ranks, transferred_ranks

EPS = (2.0, 10.0, 40.0)


@pytest.mark.parametrize("clip", [False, True])
def test_between_linear_nets_the_target_s_gap_moves_by_the_overlap_of_the_weights(clip):
    """FGSM moves every pixel by eps against the sign of the gap's gradient, unless it leaves [0, 255]."""
    images, labels = make_images(400), torch.arange(400) % 2
    nets = {"source": linear_net(0), "other": linear_net(1), "third": linear_net(2)}
    attack = Method("one_step", one_step(clip=clip), EPS, RANDOM)
    found = transferred_ranks(nets["source"], nets, images, labels, attack)
    _, slope = gap_and_slope(nets["source"], images, labels)
    pixels = images.flatten(1).double().numpy()
    for name, net in nets.items():
        gap, own_slope = gap_and_slope(net, images, labels)
        moves = np.stack([-eps * np.sign(slope) for eps in EPS])
        if clip:
            moves = np.clip(pixels + moves, 0.0, 255.0) - pixels
        after = gap + (moves * own_slope).sum(axis=2)
        clear = np.abs(after) > 1e-4
        assert clear.mean() > 0.99
        np.testing.assert_array_equal(found[f"{name}/rank"][clear], (after < 0)[clear])
    assert found["source/rank"][-1].mean() > 0.95
    assert 0.1 < found["other/rank"].mean() < 0.9


@pytest.mark.parametrize("name", [*ATTACKS, *OTHERS])
def test_shown_to_the_source_itself_its_images_have_the_ranks_of_its_own_attack(name):
    net, images, labels = make_net("fc", scale=3.0), make_images(120), torch.randint(10, (120,))
    shown = transferred_ranks(net, {"itself": net, "other": make_net("cnn")}, images, labels, method(name))
    np.testing.assert_array_equal(shown["itself/rank"], ranks(net, images, labels, method(name))["rank"])
    assert shown["other/rank"].shape == (4, 120)


@pytest.mark.parametrize("name", [*ATTACKS, *OTHERS])
def test_the_size_of_a_batch_changes_no_byte(name):
    nets = {"fc": make_net("fc", scale=3.0), "linear": make_net("linear")}
    images, labels = make_images(50), torch.randint(10, (50,))
    few, many = (transferred_ranks(nets["fc"], nets, images, labels, method(name), size) for size in (7, 50))
    for key in ("fc/rank", "linear/rank"):
        assert few[key].tobytes() == many[key].tobytes()
