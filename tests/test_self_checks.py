"""Self-checks: each is broken here by the mistake that it guards against, and passes without it."""

import numpy as np
import pytest
import torch
from conftest import make_images, make_net, one_step, pgd_attack
from safetensors import safe_open
from safetensors.torch import save_file

from advlaw.attacks.iterative import perturbed
from advlaw.evaluation.each_eps import sweep_each_eps
from advlaw.evaluation.self_checks import SelfCheckError, check_clean, check_thresholds
from advlaw.evaluation.sweep import Randomness, sweep_one_step
from advlaw.models.classifier import Classifier
from advlaw.models.store import FINAL, load_model, save_model

EPS = np.geomspace(0.5, 32.0, 8)
RANDOM = Randomness(0, ("x",))
CPU = torch.device("cpu")
SPEC = {"arch": "fc", "image_shape": [1, 8, 8], "n_classes": 10, "widths": [40, 30]}


class Related(Classifier):
    """An image's logits depend on the other images of its batch."""

    def forward(self, images):
        logits = super().forward(images)
        return logits - logits.mean(dim=0)


class TwoWays(Classifier):
    """What the rays compute, tail(head(x)), is not what the net answers."""

    def forward(self, images):
        return super().forward(images).roll(1, dims=1)


def a_net(kind=Classifier):
    net = make_net("fc")
    return kind(net.head, net.tail).eval()


def swept(net):
    images = make_images(60)
    labels = Classifier(net.head, net.tail)(images).argmax(dim=1)
    return sweep_one_step(net, images, labels, one_step(), EPS, RANDOM)


def test_a_net_as_it_should_be_passes_all_of_them():
    arrays = swept(a_net())
    assert np.isfinite(arrays["threshold"]).any()


def test_batches_of_one_and_of_many_must_agree():
    with pytest.raises(SelfCheckError, match="self-check failed: batches of 1 and of n agree: logits differ by"):
        swept(a_net(Related))
    images = make_images(20)
    with pytest.raises(SelfCheckError, match="batches of 1 and of n agree"):
        sweep_each_eps(a_net(Related), images, torch.zeros(20).long(), pgd_attack(), perturbed, EPS, RANDOM)


def test_rays_must_begin_at_the_clean_predictions():
    with pytest.raises(SelfCheckError, match="self-check failed: eps = 0 reproduces the clean predictions"):
        swept(a_net(TwoWays))


def test_an_attack_of_no_size_must_move_nothing():
    def restless(model, images, labels, eps, attack, draws):
        return images + 3.0

    images = make_images(20)
    with pytest.raises(SelfCheckError, match="eps = 0 reproduces the clean predictions"):
        sweep_each_eps(a_net(), images, torch.zeros(20).long(), pgd_attack(), restless, EPS, RANDOM)


def test_thresholds_must_bracket_a_flip(monkeypatch):
    net = a_net()
    linear = net.head.linear
    monkeypatch.setattr(net.head, "linear", lambda direction: 1.5 * linear(direction))  # flips come early
    with pytest.raises(SelfCheckError, match=r"thresholds bracket a flip: \d+ of 8 decisions do not change there"):
        swept(net)


def test_what_is_no_number_and_what_never_flips_is_passed_over():
    images, direction = make_images(8), torch.ones(8, 1, 8, 8)
    nowhere = torch.full((8,), torch.inf)
    check_thresholds(a_net(), images, torch.zeros(8).long(), direction, nowhere, clip=False)
    check_clean(lambda pixels: pixels.new_full((len(pixels), 10), torch.nan), images, a_net()(images[:4]))

    def shy(pixels):
        return pixels.new_zeros(len(pixels), 10) if len(pixels) == 1 else pixels.new_full((len(pixels), 10), torch.nan)

    with pytest.raises(
        SelfCheckError, match="batches of 1 and of n agree: what is a number in one is none in the other"
    ):
        check_clean(shy, images, shy(images[:4]))
    check_clean(a_net(), images, images.new_full((4, 10), torch.nan))


def a_folder(tmp_path):
    net = make_net("fc")
    save_model(tmp_path, SPEC, {FINAL: net.state_dict()}, None)
    return net, tmp_path / "weights.safetensors"


def test_weights_loaded_are_those_saved(tmp_path):
    net, path = a_folder(tmp_path)
    again = load_model(tmp_path, CPU)
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in net.state_dict().items())
    with safe_open(path, "pt") as file:
        tensors, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    tensors["head.layer.bias"][3] += 1e-6
    save_file(tensors, path, metadata)
    with pytest.raises(ValueError, match=r"self-check failed: weights loaded are the weights saved: .*weights\.safe"):
        load_model(tmp_path, CPU)


def test_a_net_that_changes_its_weights_in_loading_is_found(tmp_path, monkeypatch):
    a_folder(tmp_path)
    load = Classifier.load_state_dict

    def rounded(self, tensors, *more):
        return load(self, {name: value.half().float() for name, value in tensors.items()}, *more)

    monkeypatch.setattr(Classifier, "load_state_dict", rounded)
    with pytest.raises(ValueError, match="self-check failed: weights loaded are the weights saved"):
        load_model(tmp_path, CPU)


@pytest.mark.parametrize("damage", [lambda content: content[:-40], lambda content: b"{}" + content])
def test_a_damaged_file_of_weights_is_named(tmp_path, damage):
    _, path = a_folder(tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=r"weights\.safetensors: cannot be loaded: "):
        load_model(tmp_path, CPU)
