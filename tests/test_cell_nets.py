"""Nets of one repeated cell: a whole net against what is put together by hand, and what is built."""

import math

import numpy as np
import pytest
import torch
from cells import CODE, SHAPE, WITHOUT_0, WITHOUT_1, by_hand, cell_net, randomised
from conftest import make_images
from pydantic import ValidationError
from torch import nn
from torch.nn import functional as F

from advlaw.models.cell_graph import (
    COMBINE,
    OPERATIONS,
    canonical,
    drawn,
    from_decisions,
    loose_ends,
    parse,
    uses_input,
)
from advlaw.models.cell_operations import FactorizedReduction
from advlaw.models.settings import CellNet
from advlaw.models.store import FINAL, build, digest, in_fast_layout, load_model, save_model
from advlaw.trials.train import n_parameters


def test_a_net_is_the_one_written_out():
    """One normal cell, a reduction cell, one normal cell; the last one's input 1 is from before the reduction."""
    torch.manual_seed(4)
    net = randomised(build(cell_net(CODE, stem=1.5)))
    net.head.mean.fill_(120.0)
    net.head.std.fill_(70.0)
    images = make_images(5, torch.float64)
    cells, stem = net.tail.cells, net.tail.bn(net.head(images))
    assert stem.shape == (5, 6, 8, 8)
    outputs = [stem, stem]
    for number, filters in enumerate((4, 8, 8)):
        cell, stride = cells[str(number)], 2 if number == 1 else 1
        h0, h1 = cell.inputs["0"](outputs[-1]), cell.inputs["1"](outputs[-2])
        assert isinstance(cell.inputs["1"], FactorizedReduction) == (number == 2)
        first, second = cell.blocks
        b0 = by_hand("sep_3x3", h0, first.left, stride, filters) + by_hand("identity", h1, first.right, stride, filters)
        left, right = (
            by_hand("conv_1x1", b0, second.left, 1, filters),
            by_hand("max_3x3", h0, second.right, stride, filters),
        )
        outputs.append(torch.cat([left, right], dim=1))
        side = 8 if number == 0 else 4
        assert outputs[-1].shape == (5, 2 * filters, side, side)
    pooled = outputs[-1].relu().mean(dim=(2, 3))
    expected = pooled @ net.tail.linear.weight.T + net.tail.linear.bias
    torch.testing.assert_close(net(images), expected, rtol=1e-10, atol=1e-12)
    fast = in_fast_layout(net.float())
    torch.testing.assert_close(fast(images.float()), expected.float(), rtol=1e-4, atol=1e-4)


def test_the_first_layer_is_the_affine_head():
    torch.manual_seed(5)
    net, images = randomised(build(cell_net(CODE))), make_images(4, torch.float64)
    direction = torch.randn_like(images)
    for eps in (0.0, 0.3, 40.0):
        along = net.tail(net.head(images) + eps * net.head.linear(direction))
        torch.testing.assert_close(along, net(images + eps * direction), rtol=1e-10, atol=1e-10)


def test_a_later_operation_on_a_block_that_concatenates_sees_both_halves():
    net = build(
        cell_net("0 identity & 1 identity, 2 identity + 2 max_3x3, 2 sep_5x5 & 3 conv_3x3", repeats=1, reductions=0)
    )
    concatenating, adding, last = net.tail.cells["0"].blocks
    assert isinstance(concatenating.left, nn.Identity)
    assert [layer.weight.shape[:2] for layer in (adding.left[1], adding.right[1], last.left[1], last.left[2])] == [
        (4, 8),
        (4, 8),
        (8, 1),
        (4, 8),
    ]
    assert last.right[1].weight.shape[:2] == (4, 4)
    assert net.tail.linear.in_features == 8


def random_codes():
    rng = np.random.default_rng(7)
    return [from_decisions(drawn(rng, 7, OPERATIONS, list(COMBINE)), OPERATIONS, list(COMBINE)).code for _ in range(58)]


@pytest.mark.usefixtures("one_thread")  # which is what such small maps are fastest on
def test_every_random_cell_trains_all_that_is_built():
    """A cell without input 0 or input 1 too."""
    images, labels = make_images(4), torch.arange(4)
    torch.manual_seed(8)
    for number, code in enumerate([*random_codes(), WITHOUT_0, WITHOUT_1]):
        repeats, reductions = [(0, 2), (1, 1), (2, 0)][number % 3]
        net = in_fast_layout(build(cell_net(code, repeats=repeats, reductions=reductions)))
        parameters = list(net.parameters())
        gradients = torch.autograd.grad(F.cross_entropy(net(images), labels), parameters)  # raises for an unused one
        assert all(gradient.isfinite().all() for gradient in gradients), code
        graph = parse(code)
        multiple = sum(2 if graph.blocks[end].combine == "concat" else 1 for end in loose_ends(graph))
        assert net.tail.linear.in_features == 4 * 2**reductions * multiple
        assert {key for cell in net.tail.cells.values() for key in cell.inputs} == {
            str(which) for which in (0, 1) if uses_input(graph, which)
        }


@pytest.mark.parametrize(
    ("code", "alive"),
    [(CODE, ["0", "1", "2", "3", "4"]), (WITHOUT_1, ["0", "1", "2", "3", "4"]), (WITHOUT_0, ["0", "2", "4"])],
)
def test_cells_that_nothing_depends_on_are_not_built(code, alive):
    assert list(build(cell_net(code, repeats=1, reductions=2)).tail.cells) == alive


def test_an_input_from_before_the_reduction_is_halved_even_if_the_other_is_unused():
    cells = build(cell_net(WITHOUT_0, repeats=0, reductions=3)).tail.cells
    assert [type(cell.inputs["1"]) for cell in cells.values()] == [nn.Sequential, FactorizedReduction]
    assert list(cells) == ["0", "2"]


def test_parameters_are_as_many_as_by_hand():
    def projected(n_in, n_out):
        return n_in * n_out + 2 * n_out

    def separable(n):
        return 2 * (9 * n + n * n + 2 * n)

    head, linear = 9 * 6 + 2 * 6, 16 * 10 + 10
    normal = 2 * projected(6, 4) + separable(4) + projected(4, 4)
    reduction = projected(8, 8) + projected(6, 8) + separable(8) + projected(8, 8) + projected(8, 8)
    last = projected(16, 8) + projected(8, 8) + separable(8) + projected(8, 8)
    assert n_parameters(cell_net(CODE, stem=1.5)) == head + normal + reduction + last + linear


@pytest.mark.parametrize(("side", "reductions"), [(8, 3), (7, 2), (5, 2), (3, 2)])
def test_images_of_any_side_are_halved_rounded_up(side, reductions):
    net = build({**cell_net(CODE, repeats=0, reductions=reductions), "image_shape": [3, side, side]}).eval()
    sides = []
    for cell in net.tail.cells.values():
        cell.register_forward_hook(lambda _, __, output: sides.append(output.shape[-1]))
    assert net(torch.rand(2, 3, side, side)).shape == (2, 10)
    assert sides == [math.ceil(side / 2**n) for n in range(1, reductions + 1)]


def test_a_saved_net_is_the_same_when_loaded(tmp_path):
    spec = CellNet(arch="cell", cell=CODE, filters=4, repeats=1, reductions=1, dropout=0.2).spec([1, 8, 8], 10)
    torch.manual_seed(9)
    net = build(spec)
    save_model(tmp_path, spec, {FINAL: net.state_dict()}, None)
    loaded = load_model(tmp_path, torch.device("cpu"))
    assert digest(loaded.state_dict()) == digest(net.state_dict())
    images = make_images(3)
    torch.testing.assert_close(loaded(images), net.eval()(images), rtol=1e-4, atol=1e-5)


def test_all_codings_of_a_cell_are_one_entry():
    sizes = {"filters": 4, "repeats": 0, "reductions": 2}
    nets = [
        CellNet(arch="cell", cell=code, **sizes)
        for code in (CODE, "1 identity + 0 sep_3x3, 0 max_3x3 & 2 conv_1x1", f" {CODE} ")
    ]
    assert nets[0] == nets[1] == nets[2]
    assert nets[0].cell == canonical(parse(CODE)).code
    assert nets[0].spec([1, 8, 8], 10) == {"arch": "cell", "cell": nets[0].cell, **sizes, **SHAPE}


@pytest.mark.parametrize(
    ("changed", "mistake"),
    [
        ({"cell": "0 identity + 2 identity"}, "input 2: must be one of 0, 1"),
        ({"repeats": 0, "reductions": 0}, "repeats = 0 and reductions = 0: one of them must be at least 1"),
        ({"repeats": -1}, "greater than or equal to 0"),
        ({"filters": 0}, "greater than or equal to 1"),
        ({"stem": 0.0}, "greater than 0"),
    ],
)
def test_entries_that_are_no_net_are_refused(changed, mistake):
    with pytest.raises(ValidationError, match=mistake):
        CellNet(**{"arch": "cell", "cell": CODE, "filters": 4, "repeats": 1, "reductions": 1, **changed})


def test_a_net_without_cells_is_not_built():
    with pytest.raises(ValueError, match="repeats = 0 and reductions = 0"):
        build(cell_net(CODE, repeats=0, reductions=0))


def test_images_that_cannot_be_halved_so_often_are_refused():
    net = CellNet(arch="cell", cell=CODE, filters=4, repeats=0, reductions=3)
    assert net.mistake(8) is None
    assert net.mistake(7) == "reductions = 3: each halves the image, and 7x7 images can be halved 2 times"
