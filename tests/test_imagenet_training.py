"""Kurakin's training on ImageNet: the nets, and the study cut to two steps on drawn photographs."""

import json
import runpy
import subprocess
from copy import deepcopy
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pytest
import torch
from pandas import read_csv
from pictures import CLASSES, draw
from repository import ROOT, environment
from ruamel.yaml import YAML

from advlaw.core.io import read_npz
from advlaw.core.section import read_yaml, validate
from advlaw.core.view import View
from advlaw.models.settings import TimmNet
from advlaw.models.store import build, load_net, packed
from advlaw.models.wrapped import classifier

CPU = torch.device("cpu")
STUDY = "studies/imagenet_training/params.yaml"
NAME = "inception_v3_adv"
SIDE, SIZES = 79, {"train": 128 + 16, "val": 16}  # two steps of two minibatches of 32; the others choose and test
NET = {
    "arch": "timm", "name": "test_resnet", "mean": [127.5] * 3, "std": [127.5] * 3,
    "input": {"size": 24, "resize": 30, "interpolation": "bilinear"},
}  # fmt: skip


def timm_net(**changes) -> TimmNet:
    return validate({**NET, **changes}, TimmNet, Path("params.yaml"))


def test_a_net_of_timm_is_made_of_its_spec_and_loads_what_was_saved(tmp_path):
    net = timm_net()
    assert net.view() == View(24, 30, "bilinear", 3)
    assert net.statistics() == ([127.5] * 3, [127.5] * 3)
    model = build(net.spec([3, 24, 24], 7))
    images = torch.rand(4, 3, 24, 24) * 255
    model.train()(images)  # so that batch norm has statistics of its own
    (tmp_path / "net.safetensors").write_bytes(packed(model.state_dict()))
    again = load_net(json.loads(json.dumps(net.spec([3, 24, 24], 7))), tmp_path / "net.safetensors", CPU)
    with torch.no_grad():
        assert again(images).shape == (4, 7)
        torch.testing.assert_close(again(images), model.eval()(images), rtol=1e-4, atol=1e-5)


def test_without_timm_a_net_is_refused(monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr("advlaw.models.settings.version", missing)
    with pytest.raises(ValueError, match="timm is not installed; install advlaw's extra 'timm'"):
        timm_net().spec([3, 24, 24], 7)


def test_the_deeper_model_has_two_more_blocks_of_their_own_weights():
    plain, deeper = (timm_net(name="inception_v3", added_blocks=blocks) for blocks in (0, 2))
    models = [build(net.spec([3, 79, 79], 5)) for net in (plain, deeper)]
    n_parameters = [sum(p.numel() for p in model.parameters()) for model in models]
    block = models[0].tail.net.Mixed_6e
    assert n_parameters[1] - n_parameters[0] == 2 * sum(p.numel() for p in block.parameters())
    first, *more = models[1].tail.net.Mixed_6e
    assert [type(each) for each in (first, *more)] == [type(block)] * 3
    weights = [each.branch1x1.conv.weight for each in (first, *more)]
    assert not torch.equal(weights[0], weights[1])
    assert all(0.05 < float(weight.detach().std()) < 0.15 for weight in weights)  # timm's own start: 0.1
    assert models[1].eval()(torch.zeros(1, 3, 79, 79)).shape == (1, 5)


def test_a_net_that_is_trained_takes_its_whole_minibatch_at_once():
    """Nine images of 299 x 299 are taken in parts elsewhere: batch norm would see each part alone."""
    norm = torch.nn.BatchNorm2d(3, momentum=1.0)
    model = classifier(torch.nn.Sequential(norm, torch.nn.Flatten()), 3, float64=True, channels_last=True)
    images = torch.randn(9, 3, 299, 299, generator=torch.Generator().manual_seed(0)) + torch.arange(9.0).view(
        9, 1, 1, 1
    )
    model.train()(images)
    torch.testing.assert_close(norm.running_mean, images.mean(dim=(0, 2, 3)))
    seen = []
    norm.register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0])))
    model.eval()(images)
    norm.train()  # as an attack has it that takes the statistics of attacked images
    model(images)
    assert seen[-1] == 9 == sum(seen[:-1])
    assert len(seen) > 2


@pytest.fixture
def cut_study(tmp_path, monkeypatch):
    """The study with small images of four classes, one epoch of two steps and three eps, and 160 photographs."""
    params, data = (deepcopy(read_yaml(ROOT / file)) for file in (STUDY, "datasets/params.yaml"))
    for section, nets in (("models", []), ("robust_models", [NAME])):
        params[section] = {name: params[section][name] for name in nets}
    net = params["robust_models"][NAME]
    small = {"size": SIDE, "resize": SIDE + 8, "interpolation": "bilinear"}
    params["robust_models"][NAME] = {**net, "input": small, "epochs": 1, "minibatches": 2, "watched": 16}
    params["sweeps"] = {name: sweep for name, sweep in params["sweeps"].items() if sweep["model"] == NAME}
    params |= {"device": "cpu", "attack": {**params["attack"], "count": 3}, "baselines": {}}
    params["workers"]["processes"] = 1
    entry = data["datasets"]["imagenet_2012"] | {"holds": "images", "validation": 16, "classes": "classes.txt"}
    (tmp_path / STUDY).parent.mkdir(parents=True)
    (tmp_path / "datasets").mkdir()
    YAML(typ="safe").dump(params, tmp_path / STUDY)
    YAML(typ="safe").dump({**data, "datasets": {"imagenet_2012": entry}}, tmp_path / "datasets/params.yaml")
    (tmp_path / "classes.txt").write_text("\n".join([*CLASSES, "dog"]), encoding="utf-8")
    for part, count in SIZES.items():
        for number in range(count):
            name = [*CLASSES, "dog"][number % 4]
            size = (90 + number % 40, 130 - number % 30)
            draw(tmp_path / f"photographs/{part}/{name}/{number}.jpg", seed=len(part) * 1000 + number, size=size)
    monkeypatch.setenv("ADVLAW_IMAGENET_2012", str(tmp_path / "photographs"))
    monkeypatch.chdir(tmp_path)
    return params


def stage(monkeypatch, name: str, *arguments: str) -> None:
    monkeypatch.setattr("sys.argv", [f"{name}.py", *arguments])
    runpy.run_path(str(ROOT / f"stages/{name}.py"), run_name="__main__")


def trained(*starter: str) -> dict[str, bytes]:
    """What a training leaves behind, and is then moved away."""
    command = [*starter, str(ROOT / "stages/train_robust.py"), NAME, "--params", STUDY]
    kept = {**environment(warm=False), "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, env=kept, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return {path.name: path.read_bytes() for path in Path(f"models/imagenet_training/{NAME}").iterdir()}


@pytest.mark.slow
def test_kurakins_training_runs_on_several_processes_and_its_net_is_attacked(cut_study, monkeypatch):
    stage(monkeypatch, "check", "--params", STUDY)
    stage(monkeypatch, "dataset", "imagenet_2012")
    alone = trained("python")
    assert trained("torchrun", "--nproc_per_node", "2") == alone
    assert {"weights.safetensors", "spec.json", "row.json"} <= alone.keys()
    row = json.loads(alone["row.json"])
    assert row["view"] == {"size": SIDE, "resize": SIDE + 8, "interpolation": "bilinear", "channels": 3}
    assert (row["defence"], row["adversarial_images"], row["epochs"]) == ("step_ll_clipped", 0.5, 1)
    for name, sweep in cut_study["sweeps"].items():
        stage(monkeypatch, "sweep", name, "--params", STUDY)
        for attack in sweep["attacks"]:
            found = read_npz(Path(f"data/imagenet_training/sweeps/{name}/{attack}.npz"))
            assert found["prediction"].shape == (3, 16)
            assert np.isclose((found["clean_prediction"] == found["label"]).mean(), row["test_accuracy"])
    stage(monkeypatch, "fit", "--params", STUDY)
    curves = read_csv(Path("plots/imagenet_training/curves.csv"))
    assert sorted(curves["attack"]) == sorted(cut_study["attacks"]["one_step"] | cut_study["attacks"]["iterative"])
    assert set(curves["n_images"]) == {16}
