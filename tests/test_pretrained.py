"""The stage that takes weights which others published."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from raw_csv import read_csv
from safetensors.torch import save
from test_download import Server
from test_foreign import FORMATS, entry, published
from test_resnet import CLASSES, SHAPE

from advlaw.core.dataset import Dataset, read_dataset, write_dataset
from advlaw.core.io import write_json
from advlaw.foreign.weights import digest, read_tensors
from advlaw.models.store import load_model

ROOT = Path(__file__).parents[1]


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A folder with a data set of 40 random images and an entry `net`, whose weights a server has as a torch file."""
    server = Server()
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (40, *SHAPE), dtype=np.uint8), np.arange(40) % CLASSES
    splits = {"train": np.arange(10), "validation": np.arange(10, 20), "test": np.arange(20, 40)}
    write_dataset(tmp_path / "data/datasets/cifar10.npz", Dataset(images, labels, splits))
    server.files["/x.th"] = FORMATS["x.th"](published())
    sha256 = digest(read_tensors(server.files["/x.th"], Path("x.th")))
    settings = entry({"file": "set/x.safetensors", "url": server.url + "x.th", "sha256": sha256}, depth=8)
    values = {
        "study": "small",
        "threads": 2,
        "device": "cpu",
        "portable": True,
        "pretrained_models": {
            "net": {**settings.architecture.model_dump(), **settings.model_dump(exclude={"architecture"})}
        },
    }
    write_json(tmp_path / "params.yaml", values)  # JSON is YAML
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["pretrained.py", "net"])
    monkeypatch.delenv("ADVLAW_MIRROR", raising=False)
    yield server
    server.close()


def write_bytes(path, content):
    path.parent.mkdir()
    path.write_bytes(content)


def run_stage():
    runpy.run_path(str(ROOT / "stages" / "pretrained.py"), run_name="__main__")


def test_the_stage_takes_weights_from_a_mirror_or_the_official_place(study, tmp_path, monkeypatch):
    run_stage()
    folder = tmp_path / "models/small/net"
    row = json.loads((folder / "row.json").read_text("utf-8"))
    assert (row["weights"]["source"], row["n_parameters"], row["epochs"]) == ("official", 75_290, None)
    net, written = load_model(folder, torch.device("cpu")), (folder / "weights.safetensors").read_bytes()
    images, labels = read_dataset(tmp_path / "data/datasets/cifar10.npz").split("test")
    assert row["test_accuracy"] == (net(torch.from_numpy(images).float()).argmax(dim=1).numpy() == labels).mean()
    assert {path.name for path in folder.iterdir()} == {"row.json", "spec.json", "weights.safetensors"}
    held = save(published())
    write_bytes(tmp_path / "set/x.safetensors", held)
    for place, remote in ((str(tmp_path), {}), (study.url, {"/set/x.safetensors": held})):
        study.files = remote
        monkeypatch.setenv("ADVLAW_MIRROR", place)
        run_stage()
        assert (folder / "weights.safetensors").read_bytes() == written
        assert json.loads((folder / "row.json").read_text("utf-8"))["weights"]["source"] == "mirror"
        assert not (tmp_path / "data/downloads/pretrained_models/small/net").exists()


def test_the_stage_keeps_nothing_of_what_fails(study, tmp_path, monkeypatch):
    good = study.files["/x.th"]
    study.files["/x.th"] = FORMATS["x.th"](published(seed=2))
    with pytest.raises(SystemExit, match=r"error: data/.*/x\.th: other weights than the entry's"):
        run_stage()
    study.files = {}
    monkeypatch.setenv("ADVLAW_MIRROR", ".")
    with pytest.raises(
        SystemExit, match=r"set/x\.safetensors could not be downloaded:\n  ADVLAW_MIRROR .*\n  http.*404"
    ):
        run_stage()
    assert not [path for path in (tmp_path / "data/downloads").rglob("*") if path.is_file()]
    write_bytes(tmp_path / "set/x.safetensors", save(published(seed=2)))
    with pytest.raises(SystemExit, match=r"error: set/x\.safetensors: other weights than the entry's"):
        run_stage()
    assert not (tmp_path / "models").exists()
    (tmp_path / "set/x.safetensors").unlink()  # a person's own file, which is left alone
    study.files["/x.th"] = good
    run_stage()
    assert (tmp_path / "models/small/net/row.json").exists()


def test_the_published_resnet32_got_its_test_images_right_in_the_committed_study(committed):
    (row,) = (row for row in read_csv(committed / "plots/cifar10/models.csv") if row["model"] == "resnet32")
    assert (row["n_parameters"], row["epochs"]) == ("464154", "")
    assert abs(10_000 * float(row["test_accuracy"]) - 9263) <= 2  # README of the weights: error 7.37 %
