"""Weights that others published: their entry, verification of their contents, names, and what is refused."""

import hashlib
import io
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save
from test_resnet import CLASSES, SHAPE, random_net

from advlaw.core.section import ParamsError, validate
from advlaw.foreign.settings import PretrainedModel, Published
from advlaw.foreign.weights import digest, our_name, pretrained, read_tensors

RESNET32 = {
    "dataset": "cifar10",
    "arch": "resnet",
    "depth": 32,
    "weights": {
        "file": "cifar10-resnet/resnet32.safetensors",
        "url": "https://github.com/akamaster/pytorch_resnet_cifar10/raw/d5489e8995e81e91ce6b1d69dcc98ad579b0b153/"
        "pretrained_models/resnet32-d509ac18.th",
        "sha256": "e45b670a1d88afe3879fe82d3f393280ca46c8dd0023bbb021b3431db34543d2",  # of the tensors
        "keys": {"conv1": "head.layer"},
        "other_keys": "tail",
    },
    "mean": [123.675, 116.28, 103.53],
    "std": [58.395, 57.12, 57.375],
}


def entry(weights=(), **changes) -> Published:
    """The entry of ResNet-32 with other values; `weights` are those of its section."""
    values = {**RESNET32, **changes, "weights": {**RESNET32["weights"], **dict(weights)}}
    return validate(values, PretrainedModel, Path("params.yaml"))


def make_spec(settings, n_classes=CLASSES):
    return settings.architecture.spec(list(SHAPE), n_classes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depth": 33}, r"depth = 33: must be 6n \+ 2, as 20"),
        ({"arch": "wide_resnet", "depth": 20, "width": 4}, r"depth = 20: must be 6n \+ 4, as 16"),
        ({"widths": [4]}, "unknown key 'widths'; .*allowed: .*depth"),
        ({"arch": "vgg"}, "arch = 'vgg': should be one of 'linear', 'fc', 'cnn', 'resnet'"),
        ({"std": [58.0]}, "mean has 3 channels, std has 1; give both"),
        ({"weights": {"file": "../x"}}, r"weights\.file = '\.\./x': must be a path from the mirror's folder"),
        ({"weights": {"url": "ftp://a/b"}}, r"weights\.url = 'ftp://a/b': must be the whole address of a file"),
        ({"weights": {"sha256": "abc"}}, r"weights\.sha256 = 'abc': String should match pattern"),
        ({"weights": {"keys": {}}}, r"weights\.keys: Dictionary should have at least 1 item"),
    ],
)
def test_mistakes_in_an_entry_are_named(changes, message):
    with pytest.raises(ParamsError, match=message):
        entry(**changes)


def published(seed=1):
    """Tensors of a ResNet-8 under the names that others use, and their counters of batches."""
    state = random_net(seed, arch="resnet", depth=8).float().state_dict()
    names = {name: name.replace("head.layer", "conv1").removeprefix("tail.") for name in state}
    return {names[name]: value for name, value in state.items() if name not in ("head.mean", "head.std")}


def torch_file(content, **options):
    with io.BytesIO() as buffer:
        torch.save(content, buffer, **options)
        return buffer.getvalue()


def parallel(tensors):
    return {"state_dict": {f"module.{name}": value for name, value in tensors.items()}, "best_prec1": 92.6}


FORMATS = {
    "x.safetensors": lambda tensors: save(dict(sorted(tensors.items(), reverse=True))),
    "x.th": lambda tensors: torch_file(parallel(tensors), _use_new_zipfile_serialization=False),  # as of 2018
    "x.pt": lambda tensors: torch_file(parallel(tensors)),
    "x.pth": lambda tensors: torch_file({name: torch.nn.Parameter(value, False) for name, value in tensors.items()}),
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_net_does_not_depend_on_the_format_it_comes_in(name, tmp_path):
    tensors = published()
    path = tmp_path / name
    path.write_bytes(FORMATS[name](tensors))
    settings = entry({"sha256": digest(read_tensors(save(tensors), path))}, depth=8)
    net = pretrained(make_spec(settings), settings, path).double().eval()
    expected = random_net(1, arch="resnet", depth=8)
    expected.head.mean.copy_(torch.tensor(settings.mean).view(-1, 1, 1))
    expected.head.std.copy_(torch.tensor(settings.std).view(-1, 1, 1))
    state = net.state_dict()
    for key, value in expected.state_dict().items():
        assert torch.equal(state[key], value), key


def test_the_digest_is_of_names_types_shapes_and_values():
    rows = torch.arange(6.0).view(2, 3)
    tensors = {"a": rows, "b": torch.tensor(2.5)}
    contents = b'[["a", "float32", [2, 3]], ["b", "float32", []]]' + struct.pack("<7f", 0, 1, 2, 3, 4, 5, 2.5)
    assert digest(tensors) == hashlib.sha256(contents).hexdigest()
    assert digest({"b": torch.tensor(2.5), "a": rows.T.contiguous().T}) == digest(tensors)  # order, strides
    others = [{"a": rows.view(3, 2)}, {"a": rows.double()}, {"c": rows}, {"a": rows + torch.eye(2, 3) * 1e-6}, {}]
    assert len({digest({"b": tensors["b"], **other}) for other in [tensors, *others]}) == 6


def test_the_longest_prefix_that_ends_at_a_dot_counts():
    weights = entry({"keys": {"conv1": "head.layer", "a.b": "tail.x", "a": "tail.y"}}).weights
    names = ["conv1.weight", "conv10.weight", "a.b.c", "a.c", "a.b"]
    expected = ["head.layer.weight", "tail.conv10.weight", "tail.x.c", "tail.y.c", "tail.x"]
    assert [our_name(name, weights) for name in names] == expected
    assert our_name("linear.bias", entry({"other_keys": None}).weights) is None


def load(tensors, folder, weights=(), n_classes=CLASSES, **changes):
    """The net of an entry of depth 8 for these tensors, with their digest."""
    path = folder / "x.safetensors"
    path.write_bytes(save(tensors))
    settings = entry({"sha256": digest(read_tensors(save(tensors), path)), **dict(weights)}, depth=8, **changes)
    return pretrained(make_spec(settings, n_classes), settings, path)


def test_other_weights_than_the_entrys_are_refused(tmp_path):
    tensors = published()
    sha256 = digest(read_tensors(save(tensors), tmp_path))
    tensors["linear.bias"][3] += 1e-6
    found = digest(read_tensors(save(tensors), tmp_path))
    with pytest.raises(ValueError, match=rf"x\.safetensors: other weights .* expected {sha256}, found {found}; get"):
        load(tensors, tmp_path, {"sha256": sha256})


def test_weights_of_another_net_are_refused_with_what_differs(tmp_path):
    tensors = published()
    bias = tensors.pop("layer2.0.bn1.bias")
    with pytest.raises(ValueError, match=r"the net has, but the file does not: tail\.layer2\.0\.bn1\.bias\n  Next"):
        load(tensors, tmp_path)
    with pytest.raises(ValueError, match=r"the file has, but the net does not: fc\.bias -> tail\.fc\.bias\n  Next"):
        load({**tensors, "layer2.0.bn1.bias": bias, "fc.bias": bias.clone()}, tmp_path)
    tensors["layer2.0.bn1.bias"] = bias
    with pytest.raises(ValueError, match=r"linear\.weight \(10, 64\) -> tail\.linear\.weight \(7, 64\), linear\.bias"):
        load(tensors, tmp_path, n_classes=7)
    with pytest.raises(ValueError, match="not of this net") as refused:
        load(tensors, tmp_path, {"other_keys": None})
    assert str(refused.value).splitlines() == [
        f"{tmp_path / 'x.safetensors'}: these weights are not of this net:",
        "  the net has, but the file does not: tail.bn1.weight, tail.bn1.bias, tail.bn1.running_mean and 33 more",
        "  the file has, but the net does not: bn1.bias (in no key), bn1.running_mean (in no key), bn1.running_var "
        "(in no key) and 33 more",
        "  Next: compare arch, its sizes, dataset, keys and other_keys with where the file comes from",
    ]


def test_two_tensors_with_one_place_are_refused(tmp_path):
    tensors = published()
    tensors["stem.weight"] = tensors["conv1.weight"].clone()
    with pytest.raises(ValueError, match=r"but the net does not: conv1\.weight -> head\.layer\.weight\n"):
        load(tensors, tmp_path, {"keys": {"conv1": "head.layer", "stem": "head.layer"}})


def test_statistics_of_other_images_are_refused(tmp_path):
    with pytest.raises(ValueError, match="mean, std: 1 values each; images of cifar10 have 3 channels"):
        load(published(), tmp_path, mean=[120.0], std=[60.0])


class Code:
    """Unpickling this writes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.write_text, (self.path, "run")


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_pickle_with_code_is_refused_and_runs_nothing(tmp_path, is_zip):
    trap = tmp_path / "trap"
    content = torch_file({**published(), "code": Code(trap)}, _use_new_zipfile_serialization=is_zip)
    with pytest.raises(ValueError, match=r"x\.th: neither .* torch file of nothing but tensors \(UnpicklingError\)"):
        read_tensors(content, Path("x.th"))
    assert not trap.exists()
    torch.load(io.BytesIO(content), weights_only=False)
    assert trap.read_text("utf-8") == "run"  # as it would have


def digest_or_message(content, name):
    try:
        return digest(read_tensors(content, Path(name)))
    except ValueError as error:
        return str(error)


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_files_are_refused_or_have_another_digest(name):
    content, rng = FORMATS[name](published()), np.random.default_rng(0)
    sha256 = digest_or_message(content, name)
    for at in [0, 1, 7, 8, 9, *(int(at) for at in rng.integers(len(content), size=40))]:
        assert digest_or_message(content[:at], name) != sha256
        for damaged in (content[:at] + b"\xff" + content[at + 1 :], content[:at] + bytes(200) + content[at + 200 :]):
            answer = digest_or_message(damaged, name)
            assert len(answer) == len(sha256) or answer.startswith(f"{name}: "), answer


@pytest.mark.parametrize("held", [[1, 2], {"epoch": 3}, {"state_dict": {"a": "b"}}, {1: torch.ones(2)}, None])
def test_files_of_other_things_are_refused(held):
    with pytest.raises(ValueError, match=r"x\.th: holds no mapping of names to tensors.*; save the net's state_dict"):
        read_tensors(torch_file(held), Path("x.th"))
