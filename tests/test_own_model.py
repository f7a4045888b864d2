"""A person's own model: taken as it is, or refused with the reason and the next step."""

import json
import runpy
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import SHAPE, make_images
from ruamel.yaml import YAML
from safetensors.torch import save_file

from advlaw.attacks.settings import OneStepAttack
from advlaw.core import images as core_images
from advlaw.core.dataset import Dataset, write_dataset
from advlaw.core.io import read_npz, write_json
from advlaw.core.section import ParamsError, validate
from advlaw.evaluation.response import measure_response
from advlaw.evaluation.sweep import Randomness
from advlaw.foreign.checks import optimises
from advlaw.foreign.settings import OwnFile, OwnModule, PretrainedModel
from advlaw.foreign.taken import own_model
from advlaw.models.store import FINAL, load_model, save_model

ROOT = Path(__file__).parents[1]
CPU = torch.device("cpu")
STATISTICS = {"dataset": "mine", "mean": [100.0], "std": [60.0]}
CODE = Path(__file__).with_name("mynets.py").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder like a repository's root, with a person's code and a small data set `mine`."""
    (tmp_path / "mynets.py").write_text(CODE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "mynets", raising=False)
    pixels = make_images(60).numpy().astype(np.uint8)
    splits = {"train": np.arange(0), "validation": np.arange(0), "test": np.arange(60)}
    write_dataset(tmp_path / "data/datasets/mine.npz", Dataset(pixels, np.arange(60) % 10, splits))
    return tmp_path


def module(factory: str, **more) -> OwnModule:
    return validate(
        {"arch": "own_module", "module": f"mynets:{factory}", **STATISTICS, **more}, PretrainedModel, Path("p")
    )


def file(path: str, **more) -> OwnFile:
    return validate({"arch": "own_file", "file": path, **STATISTICS, **more}, PretrainedModel, Path("p"))


def raw(name: str = "net", **arguments) -> torch.nn.Module:
    import mynets

    return getattr(mynets, name)(**arguments).eval()


def normalised(images):
    return (images - 100.0) / 60.0


def stored(settings, folder, n_labels: int = 10):
    """The model after a way through the store, as every attack meets it."""
    spec, tensors, _ = own_model("p: net", settings, make_images(12), n_labels)
    save_model(folder / "kept", spec, {FINAL: tensors}, None)
    return load_model(folder / "kept", CPU)


def jit(net, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        torch.jit.save(torch.jit.trace(net, make_images(3)), path)


def export(net, path, batch=True):
    dynamic = ({0: torch.export.Dim("batch")},) if batch else None
    torch.export.save(torch.export.export(net, (make_images(3),), dynamic_shapes=dynamic), path)


def assert_is(model, net):
    images = make_images(9, seed=4)
    with torch.no_grad():
        torch.testing.assert_close(model(images), net(normalised(images)), rtol=1e-4, atol=1e-4)


def test_a_module_answers_through_the_store_as_it_does_alone(folder):
    model = stored(module("net", arguments={"width": 5}), folder)
    assert_is(model, raw(width=5))
    assert not any(weight.requires_grad for weight in model.parameters())
    images, direction = make_images(4), torch.randn(4, *SHAPE)
    moved = model.tail(model.head(images) + 3.0 * model.head.linear(direction))
    torch.testing.assert_close(moved, model(images + 3.0 * direction), rtol=1e-4, atol=1e-4)
    spec = json.loads((folder / "kept/spec.json").read_text("utf-8"))
    assert (spec["float64"], spec["channels_last"]) == (True, False)  # view() does not take the other layout
    assert spec["folded"] == [["convolution", "norm"]]
    assert not any(isinstance(layer, torch.nn.BatchNorm2d) for layer in model.modules())
    assert model.double()(images.double()).dtype == torch.float64


@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
def test_weights_are_read_from_a_file(folder, suffix):
    torch.manual_seed(9)
    net = raw(width=4)
    for weight in net.parameters():
        weight.data.normal_(std=0.3)
    if suffix == "pt":
        torch.save({"state_dict": net.state_dict()}, folder / "weights.pt")
    else:
        save_file(net.state_dict(), folder / "weights.safetensors")
    assert_is(stored(module("net", arguments={"width": 4}, weights=f"weights.{suffix}"), folder), net)
    with pytest.raises(
        ValueError, match=r"these weights are not of this net:\n  of another shape or type in the file: conv"
    ):
        stored(module("net", weights=f"weights.{suffix}"), folder)


@pytest.mark.parametrize(("name", "save"), [("net.pt", jit), ("net.pt2", export)])
def test_a_program_answers_through_the_store_as_it_does_alone(folder, name, save):
    net = raw()
    save(net, folder / name)
    model = stored(file(name), folder)
    assert_is(model, net)
    assert sum(weight.numel() for weight in model.parameters()) == sum(weight.numel() for weight in net.parameters())
    assert_has_a_response(model)
    (folder / name).write_bytes((folder / name).read_bytes() + b"x")
    with pytest.raises(
        ValueError, match=r"net\.pt2?: has changed since the model was taken .* run the pretrained stage"
    ):
        load_model(folder / "kept", CPU)


def assert_has_a_response(model):
    """What the theory needs: logits differentiated twice."""
    attack = OneStepAttack(direction="sign", target="true_label", clip=False)
    found = measure_response(
        model, make_images(5), torch.arange(5), attack, np.geomspace(1, 30, 4), Randomness(0, ("x",))
    )
    assert np.isfinite(found["gamma"]).all()
    assert (found["gamma"] != 0).any()


@pytest.mark.parametrize("name", ["attention", "single"])
def test_models_that_need_care_are_taken(folder, name):
    model = stored(module(name), folder)
    assert_has_a_response(model)
    assert model.double()(make_images(2).double()).dtype == torch.float64


def test_many_images_are_taken_in_parts_with_the_same_gradients(folder, monkeypatch):
    model, images = stored(module("net"), folder), make_images(11)

    def gradient():
        pixels = images.clone().requires_grad_(True)
        (found,) = torch.autograd.grad(model(pixels).square().sum(), pixels)
        return found

    whole = gradient()
    with torch.no_grad():
        logits = model(images)
    monkeypatch.setattr(core_images, "VALUES_AT_ONCE", 4 * 64)
    with torch.no_grad():
        torch.testing.assert_close(model(images), logits, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(gradient(), whole, rtol=1e-4, atol=1e-5)
    assert_has_a_response(model)


@pytest.mark.parametrize(("name", "found"), [("net", False), ("attention", False), ("purifying", True)])
def test_a_model_that_optimises_when_it_is_tested_is_told(folder, name, found):
    assert optimises(stored(module(name), folder), make_images(9)) == found


@pytest.mark.parametrize("save", [jit, export])
def test_a_saved_program_does_not_optimise(folder, save):
    save(raw(), folder / "net.pt2")
    assert not optimises(stored(file("net.pt2"), folder), make_images(9))


BAD = {
    "softmax": r"gives probabilities .* drop the last softmax",
    "broken": r"calling it with no arguments failed: RuntimeError: no net \(.*mynets\.py, line \d+\)",
    "few": r"gives 4 logits; the data set has 10 classes",
    "flat": r"returns shape \(6,\) of images \(6, 1, 8, 8\); return logits \(B, K\)",
    "pair": r"returns tuple; return the tensor of logits",
    "array": r"returns ndarray; return the tensor of logits",
    "double": r"returns torch\.float64 of float32 pixels",
    "infinite": r"logits of clean images are not finite",
    "detached": r"its logits have no gradient; take out detach",
    "rounded": r"do not change with the pixels to first order",
    "random": r"different logits the second time, although eval\(\) was called",
    "related": r"depend on the other images of its batch",
    "AlwaysTraining": r"depend on the other images of its batch|different logits",
    "Forgetful": r"made anew with the same weights it gives other logits; .*register_buffer",
    "failing": r"calling it with no arguments failed: TypeError: .*see `arguments`",
    "no_module": r"returned int, not a torch\.nn\.Module",
    "a_number": r"calling it with no arguments failed: TypeError",
    "absent": r"mynets has no 'absent'",
}


@pytest.mark.parametrize("name", BAD)
def test_a_model_that_cannot_be_measured_is_refused(folder, name):
    with pytest.raises(ValueError, match=BAD[name]):
        stored(module(name), folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"module": "nowhere.nets:net"}, r"nowhere\.nets: no module 'nowhere' is installed"),
        ({"weights": "none.pt"}, r"p: net\.weights = 'none\.pt': no such file from"),
        ({"classes": 4}, r"p: net\.classes = 4: mine has labels up to 9"),
        ({"mean": [1.0, 2.0], "std": [1.0, 2.0]}, r"p: net\.mean, std: 2 values each; images of mine have 1 channels"),
    ],
)
def test_an_entry_that_does_not_fit_is_refused(folder, changes, message):
    with pytest.raises(ValueError, match=message):
        stored(module("net", **changes), folder)


def test_a_model_of_more_classes_than_the_data_is_taken_where_it_is_said(folder):
    with pytest.raises(ValueError, match=r"gives 10 logits; the data set has 7 classes; .* say classes: 10"):
        stored(module("net"), folder, n_labels=7)
    stored(module("net", classes=10), folder, n_labels=7)


def test_a_model_of_other_images_is_refused(folder):
    spec = module("net", mean=[1.0] * 3, std=[1.0] * 3)
    with pytest.raises(
        ValueError, match=r"does not take images \(B, C, H, W\) = \(6, 3, 8, 8\): RuntimeError: .*channels"
    ):
        own_model("p: net", spec, make_images(12).repeat(1, 3, 1, 1), 10)


def test_files_that_are_no_such_program_are_refused(folder):
    export(raw(), folder / "fixed.pt2", batch=False)
    with pytest.raises(
        ValueError, match=r"does not take images .* = \(6, .*export it with a dynamic batch: torch\.exp"
    ):
        stored(file("fixed.pt2"), folder)
    torch.save(raw().state_dict(), folder / "weights.pt")
    (folder / "text.pt").write_text("none", encoding="utf-8")
    for name in ("weights.pt", "text.pt"):
        with pytest.raises(ValueError, match=rf"{name}: neither a TorchScript file nor .* use arch: own_module"):
            stored(file(name), folder)
    with zipfile.ZipFile(folder / "broken.pt2", "w") as archive:
        archive.writestr("x/models/model.json", "{}")
    with pytest.raises(ValueError, match=r"broken\.pt2: torch .* cannot load it: .*; save it anew"):
        stored(file("broken.pt2"), folder)
    with pytest.raises(ValueError, match=r"absent\.pt: no such file from"):
        stored(file("absent.pt"), folder)


def test_changed_code_is_noticed(folder):
    stored(module("net"), folder)
    (folder / "mynets.py").write_text(CODE + "# changed\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"mynets:net: its code has changed since the model was taken"):
        load_model(folder / "kept", CPU)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"module": "mynets"}, r"p: module = 'mynets': must be package\.module:factory"),
        ({"file": "x.pt"}, r"unknown key 'file'"),
        ({"arch": "own"}, r"arch = 'own': should be one of .*'own_module', 'own_file'"),
    ],
)
def test_a_mistake_in_an_entry_is_named(entry, message):
    with pytest.raises(ParamsError, match=message):
        validate({"arch": "own_module", "module": "a:b", **STATISTICS, **entry}, PretrainedModel, Path("p"))


def test_the_stages_take_and_attack_it(folder, monkeypatch, capsys):
    study = YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text("utf-8"))
    study |= {"device": "cpu", "attack": {"eps_min": 0.5, "eps_max": 32.0, "count": 4}}
    study["pretrained_models"] = {"net": module("net").model_dump()}
    study["sweeps"] = {"net": {"model": "net", "family": "one_step", "attacks": ["fgsm", "l2"]}}
    write_json(folder / "params.yaml", study)  # JSON is YAML
    for stage, key in (("pretrained", "net"), ("sweep", "net")):
        monkeypatch.setattr(sys, "argv", [f"{stage}.py", key])
        runpy.run_path(str(ROOT / "stages" / f"{stage}.py"), run_name="__main__")
    row = json.loads((folder / "models/digits/net/row.json").read_text("utf-8"))
    with torch.no_grad():
        answers = raw()(normalised(make_images(60))).argmax(dim=1).numpy()
    assert row["test_accuracy"] == (answers == np.arange(60) % 10).mean()
    assert row["weights"] | {"sha256": ""} == {"source": "own", "module": "mynets:net", "file": None, "sha256": ""}
    assert (read_npz(folder / "data/digits/sweeps/net/fgsm.npz")["clean_prediction"] == answers).all()
    assert row["defence"] is None
    study["pretrained_models"]["net"] = module("purifying").model_dump()
    write_json(folder / "params.yaml", study)
    monkeypatch.setattr(sys, "argv", ["pretrained.py", "net"])
    runpy.run_path(str(ROOT / "stages/pretrained.py"), run_name="__main__")
    assert json.loads((folder / "models/digits/net/row.json").read_text("utf-8"))["defence"] == "optimises when tested"
    assert "pretrained_models.net: takes gradients to give its answers" in capsys.readouterr().out
    study["pretrained_models"]["net"] = module("softmax").model_dump()
    write_json(folder / "params.yaml", study)
    monkeypatch.setattr(sys, "argv", ["pretrained.py", "net"])
    with pytest.raises(SystemExit, match=r"error: params\.yaml: pretrained_models\.net: gives probabilities"):
        runpy.run_path(str(ROOT / "stages/pretrained.py"), run_name="__main__")
