"""Nets of one repeated cell: operations and a whole net against what is put together by hand, and what is built."""

import math

import numpy as np
import pytest
import torch
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
from advlaw.models.cell_operations import MODULES, FactorizedReduction, convolution, projection
from advlaw.models.settings import CellNet
from advlaw.models.store import FINAL, build, digest, in_fast_layout, load_model, save_model
from advlaw.trials.train import n_parameters

SHAPE = {"image_shape": [1, 8, 8], "n_classes": 10}
CODE = "0 sep_3x3 + 1 identity, 2 conv_1x1 & 0 max_3x3"
WITHOUT_0 = "1 conv_3x3 + 1 max_3x3, 2 identity & 1 sep_3x3"
WITHOUT_1 = "0 conv_3x3 + 0 max_3x3, 2 identity & 0 sep_3x3"


def randomised(module):
    """In float64 and evaluation mode, with random statistics, so that no term is 0 or 1."""
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.weight.data.uniform_(0.5, 1.5)
            layer.bias.data.normal_(0, 0.3)
            layer.running_mean.normal_(0, 0.3)
            layer.running_var.uniform_(0.5, 2.0)
    return module.double().eval().requires_grad_(False)


def cell_net(code, filters=4, repeats=1, reductions=1, **more):
    return {
        "arch": "cell",
        "cell": code,
        "filters": filters,
        "repeats": repeats,
        "reductions": reductions,
        **more,
        **SHAPE,
    }


def normalised(x, norm):
    weight, bias, mean, var = (
        part.view(-1, 1, 1) for part in (norm.weight, norm.bias, norm.running_mean, norm.running_var)
    )
    return (x - mean) / (var + 1e-5).sqrt() * weight + bias


def windows(x, size, stride, outside):
    """Every window of a map with a border of `outside`: (B, C, size * size, S', S')."""
    half = size // 2
    around = F.pad(x, (half, half, half, half), value=outside)
    return around.unfold(2, size, stride).unfold(3, size, stride).permute(0, 1, 4, 5, 2, 3).flatten(2, 3)


def by_hand(name, x, module, stride, n_out):
    """What an operation gives, from the weights of its module in the order in which they are applied."""
    kernels = [layer.weight for layer in module.modules() if isinstance(layer, nn.Conv2d)]
    norms = [layer for layer in module.modules() if isinstance(layer, nn.BatchNorm2d)]
    kind, _, size = name.rpartition("_")
    if name == "identity" and (x.shape[1], stride) == (n_out, 1):
        assert not kernels
        return x
    if kind in ("avg", "max"):
        seen = windows(x, int(size[0]), stride, math.nan)
        pooled = seen.nanmean(dim=2) if kind == "avg" else seen.nan_to_num(-math.inf).amax(dim=2)
        if x.shape[1] == n_out:
            assert not kernels
            return pooled
        return normalised(F.conv2d(pooled, *kernels), *norms)
    x = x.relu()
    if kind == "sep":
        half = int(size[0]) // 2
        first = F.conv2d(x, kernels[0], stride=stride, padding=half, groups=x.shape[1])
        middle = normalised(F.conv2d(first, kernels[1]), norms[0]).relu()
        second = F.conv2d(middle, kernels[2], padding=half, groups=n_out)
        return normalised(F.conv2d(second, kernels[3]), norms[1])
    if name in ("conv_1x3_3x1", "conv_1x7_7x1"):  # both at once, as a product of their kernels
        row, column = kernels
        both = torch.einsum("omy,mix->oiyx", column[..., 0], row[:, :, 0])
        return normalised(F.conv2d(x, both, stride=stride, padding=both.shape[-1] // 2), *norms)
    size, rate = {"identity": (1, 1), "conv_1x1": (1, 1), "conv_3x3": (3, 1), "dilated_3x3": (3, 2)}[name]
    assert kernels[0].shape[-2:] == (size, size)
    spread = torch.zeros(*kernels[0].shape[:2], *[rate * (size - 1) + 1] * 2, dtype=x.dtype)
    spread[:, :, ::rate, ::rate] = kernels[0]
    return normalised(F.conv2d(x, spread, stride=stride, padding=spread.shape[-1] // 2), *norms)


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


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


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


def test_projections_are_normalised_convolutions_of_what_is_positive():
    torch.manual_seed(10)
    module, x = randomised(projection(3, 5)), torch.randn(2, 3, 4, 4, dtype=torch.float64)
    expected = normalised(torch.einsum("oi,bixy->boxy", module[1].weight[:, :, 0, 0], x.relu()), module[2])
    torch.testing.assert_close(module(x), expected, rtol=1e-12, atol=1e-12)
