"""The audit of a net of the library timm, by its name there and a file of its weights."""

import json
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from audits import command
from PIL import Image
from safetensors.torch import save_file

from advlaw.audit.model import Given
from advlaw.audit.shown import Look, image_shape, shown
from advlaw.core.dataset import Dataset
from advlaw.core.pictures import Files, View, decoded

NAME, CLASSES = "test_resnet.r160_in1k", 3
MODEL = {"arch": "timm", "name": NAME, "arguments": {}, "weights": "/w.safetensors"}
RECORD = timm.get_pretrained_cfg(NAME)
SIZE, RESIZE = 32, 34  # as RECORD cuts 160 of 168


def look(**given) -> Look:
    nothing = dict.fromkeys(("mean", "std", "size", "resize", "interpolation"))
    return Look(**{**nothing, "channels": 3, **given})


def files(folder: Path) -> Dataset:
    paths = np.array([path.name for path in folder.glob("*.png")])
    return Dataset(Files(str(folder), paths, np.zeros((len(paths), 32), np.uint8)), np.arange(len(paths)), {})


@pytest.fixture
def pictures(tmp_path):
    """Large blots in folders by the class that a net of random weights sees in them, and those weights."""
    torch.manual_seed(0)
    net = timm.create_model(NAME, num_classes=CLASSES).eval()
    rng = np.random.default_rng(0)
    contents = []
    for number in range(60):
        blots = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
        blots.resize((50, 40), Image.Resampling.NEAREST).save(tmp_path / f"{number:02}.png")
        contents.append((tmp_path / f"{number:02}.png").read_bytes())
    view = View(SIZE, RESIZE, RECORD.interpolation)
    images = torch.from_numpy(np.stack([decoded(content, tmp_path, view) for content in contents])).float()
    mean, std = (255 * torch.tensor(values).view(-1, 1, 1) for values in (RECORD.mean, RECORD.std))
    with torch.no_grad():
        net.get_classifier().bias -= net((images - mean) / std).median(dim=0).values
        answers = net((images - mean) / std).argmax(dim=1)
    for number, answer in enumerate(answers.tolist()):
        (tmp_path / f"d/c{answer}").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"{number:02}.png").rename(tmp_path / f"d/c{answer}/{number:02}.png")
    assert len(list((tmp_path / "d").iterdir())) == CLASSES
    save_file(net.state_dict(), tmp_path / "random.safetensors")
    return tmp_path


@pytest.mark.slow
def test_a_net_of_timm_is_audited_by_its_name_and_weights(pictures):
    given = ("--timm", NAME, "--arguments", json.dumps({"num_classes": CLASSES}), "--weights", "random.safetensors")
    output = command(pictures, "audit", *given, "--data", "d", "--size", str(SIZE), "--count", "4", "--steps", "0")
    (folder,) = (pictures / "audit").iterdir()
    assert folder.name.startswith("test_resnet_r160_in1k_")
    assert f"{folder.name}: clean accuracy 1.0000" in output  # its own answers: all is shown as timm would
    assert "theory, of all 60 images" in output
    row = json.loads((folder / "models" / folder.name / folder.name / "row.json").read_text("utf-8"))
    assert row["view"] == {"size": SIZE, "resize": RESIZE, "interpolation": "bilinear", "channels": 3}
    assert (row["network"], row["weights"]["file"]) == (NAME, str(pictures / "random.safetensors"))
    assert list(folder.glob("plots/*/figures/own.svg"))  # of the person's own, and none of ImageNet's
    assert not list(folder.glob("plots/*/figures/figure_1a.svg"))


def test_weights_are_not_downloaded_and_it_is_said_where_they_are(tmp_path):
    output = command(tmp_path, "audit", "--timm", NAME, "--data", "d", fails=True)
    assert (
        f"error: --timm {NAME}: its weights are not downloaded here; get https://huggingface.co/timm/{NAME}/" in output
    )
    assert "/resolve/main/model.safetensors and give the file as --weights" in output
    (tmp_path / "w.safetensors").touch()
    assert Given(None, NAME, {}, tmp_path / "w.safetensors").entry()["weights"] == str(tmp_path / "w.safetensors")


def test_a_net_of_timm_is_shown_what_timm_records_but_for_what_is_given(tmp_path):
    Image.new("RGB", (9, 9)).save(tmp_path / "x.png")
    assert shown(look(), MODEL, files(tmp_path)) == {"mean": None, "std": None, "input": None}
    for given, wanted in (
        ({"size": SIZE}, (SIZE, RESIZE, "bilinear")),
        ({"resize": 200}, (160, 200, "bilinear")),
        ({"size": 64, "resize": 70, "interpolation": "bicubic"}, (64, 70, "bicubic")),
        ({"interpolation": "bicubic"}, (160, 168, "bicubic")),
    ):
        entry = shown(look(**given), MODEL, files(tmp_path))
        assert tuple(entry["input"].values()) == wanted
        assert image_shape(entry, files(tmp_path)) == (3, wanted[0], wanted[0])
    with pytest.raises(ValueError, match=r"--timm.*: timm .* has no such net; did you mean 'test_resnet"):
        shown(look(size=32), {**MODEL, "name": "test_resnt"}, files(tmp_path))
