"""Nets of timm: what is recorded of them, how they are taken, and what is refused."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from pictures import CLASSES, class_folders
from repository import ROOT
from ruamel.yaml import YAML
from safetensors.torch import load_file, save_file

from advlaw.core.dataset import write_dataset
from advlaw.core.examples import examples_of
from advlaw.core.section import read_yaml, validate
from advlaw.data.folder import folder_dataset
from advlaw.data.settings import Folder
from advlaw.foreign.settings import PretrainedModel
from advlaw.foreign.timm_record import filled
from advlaw.foreign.weights import read_tensors
from advlaw.models.store import build, digest, load_model
from advlaw.papers.imagenet import CUBUK

CPU = torch.device("cpu")
TINY = "test_resnet.r160_in1k"  # timm's own net for tests: 0.5 million parameters
STUDY = {"study": "mine", "seed": 0, "threads": 2, "device": "cpu", "portable": True}


def entry(**changes) -> object:
    given = {"dataset": "things", "arch": "timm", "name": TINY, "weights": {"file": "nets/tiny.safetensors"}, **changes}
    return validate(given, PretrainedModel, Path("p"), "net")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A mirror with pictures and with weights of timm's tiny net, and the data set made of the pictures."""
    class_folders(tmp_path / "mirror/things", n_each=8)
    (tmp_path / "classes.txt").write_text("\n".join([*CLASSES, *map(str, range(997))]), encoding="utf-8")
    monkeypatch.setenv("ADVLAW_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    weights = tmp_path / "mirror/nets/tiny.safetensors"
    weights.parent.mkdir()
    save_file(timm.create_model(TINY, pretrained=False).state_dict(), weights)
    section = {"source": "folder", "holds": "images", "place": "things", "classes": "classes.txt"}
    dataset, _ = folder_dataset(validate(section, Folder, Path("p")), 0)
    write_dataset(tmp_path / "data/datasets/things.npz", dataset)
    return tmp_path


@pytest.fixture
def take(place, monkeypatch):
    """Runs the stage that takes the net of an entry, and gives its folder."""

    def run(**changes) -> Path:
        net = entry(**changes).model_dump(exclude_defaults=True)
        YAML().dump({**STUDY, "pretrained_models": {"net": net}}, place / "params.yaml")
        monkeypatch.setattr("sys.argv", ["pretrained.py", "net", "--params", "params.yaml"])
        runpy.run_path(str(ROOT / "stages/pretrained.py"), run_name="__main__")
        return place / "models/mine/net"

    return run


def test_a_net_is_taken_as_timm_records_it_and_answers_as_timms_does(take, place, capsys):
    folder = take(published_accuracy=0.5, defence="adversarial", stands_for="a larger net")
    row = json.loads((folder / "row.json").read_text("utf-8"))
    record = timm.get_pretrained_cfg(TINY)
    assert row["view"] == {"size": 160, "resize": 168, "interpolation": "bilinear", "channels": 3}
    assert (row["network"], row["holds"], row["published_accuracy"]) == (TINY, "images", 0.5)
    assert (row["defence"], row["stands_for"]) == ("adversarial", "a larger net")
    assert 0 <= row["test_accuracy"] <= row["test_top5_accuracy"] <= 1
    assert f"sha256 {row['weights']['sha256']}; put it into the entry" in capsys.readouterr().out

    net = timm.create_model(TINY, pretrained=False).eval()
    net.load_state_dict(load_file(place / "mirror/nets/tiny.safetensors"))
    model, images = load_model(folder, CPU), examples_of(folder, "test", CPU).images[:4]
    mean, std = (255 * torch.tensor(values).view(3, 1, 1) for values in (record.mean, record.std))
    with torch.no_grad():
        torch.testing.assert_close(model(images), net((images - mean) / std), rtol=1e-3, atol=1e-4)
    assert not [layer for layer in model.modules() if isinstance(layer, torch.nn.BatchNorm2d)]  # all are folded


def test_what_an_entry_says_goes_before_the_record(take):
    folder = take(input={"size": 64, "resize": 64, "interpolation": "bilinear"}, mean=[1.0] * 3, std=[2.0] * 3)
    row = json.loads((folder / "row.json").read_text("utf-8"))
    assert row["view"]["size"] == 64
    assert load_model(folder, CPU).head.std.flatten().tolist() == [2.0] * 3


def test_pinned_weights_are_verified(take, place):
    file = place / "mirror/nets/tiny.safetensors"
    found = digest(read_tensors(file.read_bytes(), file))
    small = {"size": 64, "resize": 64, "interpolation": "bilinear"}
    take(weights={"file": "nets/tiny.safetensors", "sha256": found}, input=small)
    with pytest.raises(SystemExit, match=f"other weights than the entry's: sha256 .* {'0' * 64}, found {found}"):
        take(weights={"file": "nets/tiny.safetensors", "sha256": "0" * 64}, input=small)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "resnet51"}, r"net\.name = 'resnet51': timm .* has no such net; did you mean 'resnet5"),
        ({"weights": {"file": "nets/none.safetensors"}}, r"has no nets/none\.safetensors"),
        ({"weights": "none.safetensors"}, r"net\.weights = 'none\.safetensors': no such file"),
        ({"arguments": {"depth": "deep"}}, r"timm\.create_model failed: TypeError"),
        ({"arguments": {"num_classes": 7}}, r"these weights are not of this net"),
    ],
)
def test_an_entry_that_cannot_be_taken_is_refused(take, changes, message):
    with pytest.raises(SystemExit, match=message):
        take(**changes)


def test_a_net_is_not_used_with_another_version_of_timm(take, monkeypatch):
    folder = take(input={"size": 64, "resize": 64, "interpolation": "bilinear"})
    monkeypatch.setattr(timm, "__version__", "0.0")
    with pytest.raises(ValueError, match=r"was taken with timm .*, and timm 0\.0 is installed"):
        load_model(folder, CPU)


NETS = read_yaml(ROOT / "studies/imagenet/params.yaml")["pretrained_models"]


@pytest.mark.parametrize("name", NETS)
def test_every_net_of_the_study_of_imagenet_builds_and_has_a_record(name):
    """On torch's device `meta`, where a net has shapes and no numbers."""
    settings = filled(name, validate(NETS[name], PretrainedModel, Path("p"), name))
    assert settings.input.size <= settings.input.resize
    assert all(50 < value < 200 for value in (*settings.mean, *settings.std))
    size = settings.input.size
    with torch.device("meta"):
        spec = {"arch": "timm", "name": settings.name, "arguments": {}, "version": timm.__version__}
        net = build({**spec, "image_shape": (3, size, size), "n_classes": 1000}).eval()
        assert net(torch.zeros(2, 3, size, size)).shape == (2, 1000)
    assert (settings.name in CUBUK) == (settings.stands_for is None)
    assert (settings.defence is None) == ("adv" not in settings.name)
    assert settings.weights.url == f"https://huggingface.co/timm/{settings.name}/resolve/main/model.safetensors"


def test_the_record_of_a_net_is_in_pixel_units():
    settings = filled("net", entry(name="inception_v3.tf_in1k"))
    assert (settings.mean, settings.std) == ([127.5] * 3, [127.5] * 3)
    assert (settings.input.size, settings.input.resize) == (299, int(np.floor(299 / 0.875)))
