"""The operations of a cell against what is put together by hand."""

import math

import pytest
import torch
from cells import by_hand, cell_net, normalised, randomised
from conftest import make_images
from torch import nn

from advlaw.models.cell_graph import (
    OPERATIONS,
)
from advlaw.models.cell_operations import MODULES, FactorizedReduction, convolution, projection
from advlaw.models.store import build, in_fast_layout


def test_every_operation_of_the_space_has_a_module():
    assert tuple(MODULES) == OPERATIONS
    assert len(OPERATIONS) == 13


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_are_those_written_out(name):
    torch.manual_seed(1)
    for n_in, stride, side in ((4, 1, 6), (8, 1, 5), (4, 2, 8), (4, 2, 7), (8, 2, 5), (4, 2, 1)):
        module = randomised(MODULES[name](n_in, 4, stride))
        x = torch.randn(3, n_in, side, side, dtype=torch.float64)
        before = x.clone()
        found = module(x)
        assert found.shape == (3, 4, math.ceil(side / stride), math.ceil(side / stride))
        assert torch.equal(x, before)  # other operations take the same input
        torch.testing.assert_close(found, by_hand(name, x, module, stride, 4), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("side", [8, 7, 2, 1])
def test_a_factorized_reduction_sees_every_second_pixel_and_those_diagonally_behind(side):
    torch.manual_seed(2)
    module = randomised(FactorizedReduction(3, 6))
    x = torch.randn(2, 3, side, side, dtype=torch.float64)
    half = math.ceil(side / 2)
    expected = torch.zeros(2, 6, half, half, dtype=torch.float64)
    for i in range(half):
        for j in range(half):
            expected[:, :3, i, j] = x[:, :, 2 * i, 2 * j].relu() @ module.even[1].weight[:, :, 0, 0].T
            if 2 * i + 1 < side and 2 * j + 1 < side:
                expected[:, 3:, i, j] = x[:, :, 2 * i + 1, 2 * j + 1].relu() @ module.odd[1].weight[:, :, 0, 0].T
    torch.testing.assert_close(module(x), normalised(expected, module.bn), rtol=1e-12, atol=1e-12)


def test_no_pointwise_convolution_is_strided():
    """Where there are few channels, its gradient would overwrite memory."""
    net = build(cell_net("0 identity & 1 conv_1x1, 2 sep_3x3 + 1 max_3x3", reductions=2))
    layers = [layer for layer in net.modules() if isinstance(layer, nn.Conv2d)]
    assert {layer.stride for layer in layers if layer.kernel_size == (1, 1)} == {(1, 1)}


@pytest.mark.usefixtures("one_thread")
def test_gradients_are_the_same_in_the_fast_layout():
    torch.manual_seed(11)
    spec = cell_net("0 identity & 1 conv_1x1, 2 sep_3x3 + 1 max_3x3", filters=2, reductions=2)
    net, images = build(spec).eval(), make_images(4)
    expected = torch.autograd.grad(net(images).square().sum(), list(net.parameters()))
    found = torch.autograd.grad(in_fast_layout(net)(images).square().sum(), list(net.parameters()))
    for first, second in zip(found, expected, strict=True):
        torch.testing.assert_close(first, second, rtol=1e-3, atol=1e-4 * second.abs().max().item())


def test_a_factorized_reduction_needs_an_even_number_of_filters():
    with pytest.raises(ValueError, match="filters = 5: must be even"):
        FactorizedReduction(4, 5)


def test_weights_begin_as_he_et_al_say():
    """The deviation is sqrt(2 / fan): of 3,200 or more normal weights, to five standard errors."""
    torch.manual_seed(3)
    for layer, fan in (
        (convolution(40, 80, 1), 80),
        (convolution(20, 30, 3), 9 * 30),
        (convolution(40, 40, (1, 7)), 7 * 40),
        (convolution(400, 400, 3, groups=400), 9),
    ):
        assert layer.bias is None
        error = 5 / math.sqrt(2 * layer.weight.numel())
        assert layer.weight.std().item() == pytest.approx(math.sqrt(2 / fan), rel=error)


def test_projections_are_normalised_convolutions_of_what_is_positive():
    torch.manual_seed(10)
    module, x = randomised(projection(3, 5)), torch.randn(2, 3, 4, 4, dtype=torch.float64)
    expected = normalised(torch.einsum("oi,bixy->boxy", module[1].weight[:, :, 0, 0], x.relu()), module[2])
    torch.testing.assert_close(module(x), expected, rtol=1e-12, atol=1e-12)
