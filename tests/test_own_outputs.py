"""A person's own model: all of its weights are read, what it computes with is kept, and its outputs are logits."""

import numpy as np
import pytest
import torch
from conftest import make_images
from safetensors.torch import save_file
from test_own_model import CPU, assert_is, folder, module, normalised, raw, stored  # noqa: F401, a fixture

from advlaw.foreign.taken import own_model
from advlaw.models.store import FINAL, load_model, save_model

NETS = '''
import torch
from torch import nn


class Permuted(nn.Module):
    """An index (int64), a shift (int32), a mask (bool) and a scale in float16 among its buffers."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.last = nn.Linear(64, 10)
        self.register_buffer("order", torch.arange(64))
        self.register_buffer("shift", torch.zeros(10, dtype=torch.int32))
        self.register_buffer("keep", torch.ones(10, 64, dtype=torch.bool))
        self.register_buffer("scale", torch.ones((), dtype=torch.float16))

    def forward(self, x):
        chosen = x.flatten(1)[:, self.order]
        return nn.functional.linear(chosen, self.last.weight * self.keep) * self.scale.float() + self.shift


class Lazy(nn.Module):
    def __init__(self):
        super().__init__()
        self.convolution, self.norm, self.last = nn.LazyConv2d(4, 3, padding=1), nn.LazyBatchNorm2d(), nn.LazyLinear(10)

    def forward(self, x):
        return self.last(self.norm(self.convolution(x)).relu().flatten(1))


class Fussy(Lazy):
    def forward(self, x):
        raise RuntimeError("no image of this size")


class InPlace(nn.Module):
    def __init__(self, width=12):
        super().__init__()
        import mynets
        self.net = mynets.net(width)

    def forward(self, x):
        x.mul_(2.0).sub_(1.0)
        return self.net((x + 1.0) / 2.0)


class Extra(nn.Module):
    def __init__(self):
        super().__init__()
        self.last = nn.Linear(64, 10)

    def get_extra_state(self):
        return {"version": 3}

    def set_extra_state(self, state):
        pass

    def forward(self, x):
        return self.last(x.flatten(1))


class Ending(nn.Module):
    """A linear net with something behind it."""

    def __init__(self, end="identity", gain=1.0, bias=0.0):
        super().__init__()
        torch.manual_seed(2)
        self.last = nn.Linear(64, 10)
        with torch.no_grad():
            self.last.weight.mul_(gain)
            self.last.bias.fill_(bias)
        self.end = {
            "identity": lambda z: z,
            "sigmoid": torch.sigmoid,
            "tanh": torch.tanh,
            "hardsigmoid": nn.functional.hardsigmoid,
            "softmax": lambda z: z.softmax(1),
            "log_softmax": lambda z: z.log_softmax(1),
            "cosine": lambda z: nn.functional.normalize(z, dim=1),
            "relu": torch.relu,
            "fussy": self.fussy,
            "bell": lambda z: torch.exp(-0.01 * z.square()),
        }[end]

    def fussy(self, z):
        if z.abs().max().item() > 1.0:
            raise ValueError("this is no image")
        return z

    def forward(self, x):
        return self.end(self.last(x.flatten(1)))
'''


@pytest.fixture
def nets(folder):  # noqa: F811
    (folder / "outnets.py").write_text(NETS, encoding="utf-8")
    import sys

    sys.modules.pop("outnets", None)
    return folder


def of(factory, **more):
    return module("net", module=f"outnets:{factory}", **more)


def permuted():
    import outnets

    net, draws = outnets.Permuted(), torch.Generator().manual_seed(3)
    net.order.copy_(torch.randperm(64, generator=draws))
    net.shift.copy_(torch.arange(10) % 3)
    net.keep.copy_(torch.rand(10, 64, generator=draws) < 0.6)
    net.scale.fill_(2.5)
    return net.eval()


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_every_tensor_of_a_state_dict_is_read_whatever_its_type(nets, suffix):
    net = permuted()
    if suffix == "pt":
        torch.save(net.state_dict(), nets / "w.pt")
    else:
        save_file(net.state_dict(), nets / "w.safetensors")
    model = stored(of("Permuted", weights=f"w.{suffix}"), nets)
    assert_is(model, net)
    pixels = normalised(make_images(9, seed=4)).flatten(1)[:, net.order].numpy()
    weights = np.where(net.keep.numpy(), net.last.weight.detach().numpy(), 0.0)
    expected = 2.5 * pixels @ weights.T + np.arange(10) % 3
    np.testing.assert_allclose(model(make_images(9, seed=4)).numpy(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("keep"), r"the net has, but the file does not: keep"),
        (lambda state: state.update(more=torch.arange(3)), r"the file has, but the net does not: more"),
        (
            lambda state: state.update(keep=state["keep"].byte()),
            r"keep \(10, 64\) torch\.uint8, not \(10, 64\) torch\.b",
        ),
        (lambda state: state.update(order=state["order"].float()), r"order \(64,\), not \(64,\) torch\.int64"),
        (lambda state: state.update(shift=torch.zeros(10).to_sparse()), r"'shift' is a torch\.sparse_coo tensor"),
        (lambda state: state.update(note="mine"), r"'note' is str"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_what_cannot_be_read_is_refused_by_name(nets, change, message):
    state = dict(permuted().state_dict())
    change(state)
    torch.save(state, nets / "w.pt")
    with pytest.raises(ValueError, match=message):
        stored(of("Permuted", weights="w.pt"), nets)


def test_counters_of_batches_may_be_missing(nets):
    net = raw(width=4)
    state = {name: value for name, value in net.state_dict().items() if not name.endswith("num_batches_tracked")}
    assert len(state) < len(net.state_dict())
    save_file(state, nets / "w.safetensors")
    assert_is(stored(module("net", arguments={"width": 4}, weights="w.safetensors"), nets), net)


def test_state_that_is_no_tensor_is_refused(nets):
    with pytest.raises(ValueError, match=r"p: net: its state_dict\(\) holds '_extra_state', which is no plain tensor"):
        stored(of("Extra"), nets)


def test_lazy_layers_take_their_sizes_from_the_images(nets):
    import outnets

    net = outnets.Lazy().eval()
    with torch.no_grad():
        net(torch.zeros(1, 1, 8, 8))
        for weight in net.parameters():
            weight.normal_(std=0.3)
    torch.save(net.state_dict(), nets / "w.pt")
    assert_is(stored(of("Lazy", weights="w.pt"), nets), net)
    stored(of("Lazy"), nets)
    with pytest.raises(ValueError, match=r"its lazy layers cannot take their sizes from an image \(1, 8, 8\): Runtime"):
        stored(of("Fussy"), nets)


def test_a_net_that_changes_its_input_changes_a_copy(nets):
    """In one piece and in parts, forwards and backwards."""
    model, plain = stored(of("InPlace"), nets), raw()
    images = make_images(11)
    before = images.clone()
    assert_is(model, plain)
    pixels, same = images.clone().requires_grad_(True), images.clone().requires_grad_(True)
    model(pixels).square().sum().backward()
    plain(normalised(same)).square().sum().backward()
    torch.testing.assert_close(pixels.grad, same.grad, rtol=1e-3, atol=1e-4)
    assert torch.equal(images, before)


@pytest.mark.parametrize("gain", [0.2, 5.0])
@pytest.mark.parametrize("end", ["sigmoid", "tanh", "hardsigmoid", "softmax", "log_softmax"])
def test_outputs_behind_a_last_layer_that_squashes_are_refused(nets, end, gain):
    name = end.removeprefix("hard")
    with pytest.raises(ValueError, match=f"(loses small errors|than logits); return logits: drop the last {name}$"):
        stored(of("Ending", arguments={"end": end, "gain": gain}), nets)


@pytest.mark.parametrize(
    "arguments",
    [
        {"gain": 0.01, "bias": 0.5},  # between 0 and 1 on every image
        {"gain": 0.05},  # between -1 and 1
        {"end": "cosine"},  # never beyond 1, and never there
        {"end": "relu"},  # no entry is negative
        {"end": "bell"},  # between 0 and 1 wherever it is, and at 0 far away
        {"end": "fussy", "gain": 0.01, "bias": 0.5},  # between 0 and 1, and nothing far away is taken
    ],
)
def test_logits_that_happen_to_be_small_are_taken(nets, arguments):
    images = make_images(12)
    spec, tensors, _ = own_model("p: net", of("Ending", arguments=arguments), images, 10)
    save_model(nets / "kept", spec, {FINAL: tensors}, None)
    logits = load_model(nets / "kept", CPU)(images)
    assert arguments.get("end") or float(logits.abs().max()) <= 1.0
