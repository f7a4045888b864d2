"""Studies: their params are valid; each net of one that was never run trains for an epoch, and is attacked."""

import runpy
import shutil

import numpy as np
import pytest
import timm
import torch
from pandas import read_csv
from pictures import CLASSES, class_folders
from repository import ROOT
from ruamel.yaml import YAML
from safetensors.torch import save_file

from advlaw.core.dataset import Dataset, write_dataset
from advlaw.core.io import read_npz, read_text
from advlaw.core.section import read_yaml

SHAPES = {
    "cifar10": (3, 32, 32),
    "cifar10_16": (3, 16, 16),
    "digits": (1, 8, 8),
    "fashion_mnist": (1, 28, 28),
    "mnist": (1, 28, 28),
    "clusters": (1, 8, 8),
    "clusters_large": (1, 28, 28),
}
SMALLEST = {"resnet": {"depth": 8}, "wide_resnet": {"depth": 10, "width": 1}}
SIZES = {"train": 32, "validation": 16, "test": 16}
STUDIES = [path.parent.name for path in sorted(ROOT.glob("studies/*/dvc.yaml"))]
FOLDERS = {
    name: entry
    for name, entry in read_yaml(ROOT / "datasets/params.yaml")["datasets"].items()
    if entry["source"] == "folder"
}
ON_FOLDERS = [
    study for study in STUDIES if FOLDERS.keys() & set(read_yaml(ROOT / f"studies/{study}/params.yaml")["datasets"])
]
OF_PUBLISHED = [study for study in ON_FOLDERS if study != "imagenet_training"]  # has tests of its own
NEVER_RUN = [
    study for study in STUDIES if study not in ON_FOLDERS and not (ROOT / f"studies/{study}/dvc.lock").exists()
]

PARAMS = ["params.yaml", *(f"studies/{study}/params.yaml" for study in STUDIES)]


def tiny(params: dict) -> dict:
    """The same study on a CPU, with one epoch, the smallest residual nets and three eps."""
    for entry in (*params["models"].values(), *params["robust_models"].values()):
        entry["epochs"] = 1
        entry["snapshot_epochs"] = [epoch for epoch in entry.get("snapshot_epochs", ()) if epoch == 1]
        entry |= {key: size for key, size in SMALLEST.get(entry["arch"], {}).items() if key in entry}
    params["attack"]["count"] = 3
    if params["search"]["searches"]:
        params["search"] = tiny_searches(params["search"])
    params["trials"] = {name: tiny_set(trials) for name, trials in params["trials"].items()}
    return {**params, "device": "cpu", "workers": {"backend": "loky", "processes": 1}}


def tiny_set(trials: dict) -> dict:
    """The same set of two nets: the first that are drawn, or the first two that vary, without transfer to others."""
    if "draw" in trials:
        return {**trials, "count": 2, "training": {**trials["training"], "epochs": 1}}
    base = {**trials["base"], **SMALLEST.get(trials["base"]["arch"], {}), "epochs": 1}
    nets = dict([*trials["nets"].items()][:2])
    assert not any("baseline" in net for net in nets.values()), "a baseline that is left out"
    measure = {key: value for key, value in trials["measure"].items() if key != "transfer"} | {"images": 16}
    return {
        **trials,
        "base": base,
        "nets": nets,
        "measure": measure | ({"iterative_images": 16} if "eps" in measure else {}),
    }


def tiny_searches(search: dict) -> dict:
    """The same searches with two children of few filters and blocks, and one set of hyperparameters."""
    few = {"epochs": 1, "filters": 4, "repeats": 0}
    enlarged = search["enlarged"]
    return {
        **search,
        **{"images": 24, "held_out": 16, "space": {"blocks": 2}, "child": {**search["child"], **few}},
        "repeated": {"best": 0, "random": 1, "seeds": 1},
        "searches": {name: {**each, "children": 1, "random": 1} for name, each in search["searches"].items()},
        "enlarged": {
            **enlarged,
            "net": {**enlarged["net"], **few},
            "grid": {key: values[:1] for key, values in enlarged["grid"].items()},
        },
    }


@pytest.fixture
def stage(tmp_path, monkeypatch):
    """Runs a stage of a study in a folder of its own, in this process."""
    shutil.copytree(ROOT / "datasets", tmp_path / "datasets")
    monkeypatch.chdir(tmp_path)

    def run(name: str, params: str, *keys: str) -> None:
        monkeypatch.setattr("sys.argv", [f"{name}.py", *keys, "--params", params])
        runpy.run_path(str(ROOT / "stages" / f"{name}.py"), run_name="__main__")

    return run


@pytest.mark.parametrize("params", PARAMS)
def test_the_params_of_every_study_are_valid(params, stage, tmp_path):
    (tmp_path / params).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / params, tmp_path / params)
    stage("check", params)


@pytest.mark.parametrize("study", NEVER_RUN)
def test_a_study_that_was_never_run_would_train_and_attack_its_nets(study, stage, tmp_path):
    file = f"studies/{study}/params.yaml"
    params = tiny(read_yaml(ROOT / file))
    (tmp_path / file).parent.mkdir(parents=True)
    with (tmp_path / file).open("w", encoding="utf-8") as target:
        YAML(typ="safe").dump(params, target)
    stage("check", file)
    for name in params["datasets"]:
        images = np.random.default_rng(0).integers(0, 256, (sum(SIZES.values()), *SHAPES[name]), dtype=np.uint8)
        ends = np.cumsum(list(SIZES.values()))[:-1]
        splits = dict(zip(SIZES, np.split(np.arange(len(images)), ends), strict=True))
        write_dataset(tmp_path / f"data/datasets/{name}.npz", Dataset(images, np.arange(len(images)) % 10, splits))

    for name in params["search"]["searches"]:
        stage("search", file, name)
    enlarged = params["search"]["enlarged"]["nets"]
    for name in enlarged:
        stage("enlarge", file, name)
    for name in params["search"]["pictures"]:
        stage("pictures", file, name)
    stage("search_tables", file)

    for name, trials in params["trials"].items():
        for script in ("trials_train", "trials_measure", "trials_tables"):
            stage(script, file, name)
        assert len(read_csv(tmp_path / f"plots/{study}/trials/{name}/nets.csv")) == trials.get("count", 2)

    trained = {**dict.fromkeys(params["models"], "train"), **dict.fromkeys(params["robust_models"], "train_robust")}
    for name, script in trained.items():
        stage(script, file, name)
    for name, sweep in params["sweeps"].items():
        if sweep["model"] in (*trained, *enlarged):
            stage("sweep", file, name)
            for attack in sweep["attacks"]:
                assert read_npz(tmp_path / f"data/{study}/sweeps/{name}/{attack}.npz")["prediction"].shape[0] == 3


@pytest.fixture
def photographs(tmp_path, monkeypatch):
    """In the place of every folder of images 12 drawn ones, of three classes; and weights of timm's net for tests."""
    class_folders(tmp_path / "drawn")
    names = read_text(ROOT / "src/advlaw/data/imagenet_classes.txt").split()
    (tmp_path / "classes.txt").write_text("\n".join([*CLASSES, *names[3:]]), encoding="utf-8")
    for entry in FOLDERS.values():
        monkeypatch.setenv(f"ADVLAW_{entry['place'].upper().replace('-', '_')}", str(tmp_path / "drawn"))
    drawn = {"source": "folder", "holds": "imagenet sample", "classes": "classes.txt"}
    datasets = {name: {**drawn, "place": entry["place"]} for name, entry in FOLDERS.items()}
    (tmp_path / "datasets").mkdir(exist_ok=True)
    YAML().dump({"seed": 0, "datasets": datasets}, tmp_path / "datasets/params.yaml")
    torch.manual_seed(0)
    weights = timm.create_model("test_resnet", pretrained=False).state_dict()
    weights["fc.bias"][:3] += 100.0  # of the three classes that are drawn one is answered, whichever
    save_file(weights, tmp_path / "tiny.safetensors")


def tiny_nets(params: dict) -> dict:
    """The same study with timm's net for tests in the place of the last two nets, which are those with a defence."""
    sizes = {"name": "test_resnet.r160_in1k", "input": {"size": 32, "resize": 36, "interpolation": "bilinear"}}
    nets = {
        name: {**{key: entry[key] for key in ("dataset", "defence", "stands_for") if key in entry}, "arch": "timm"}
        for name, entry in [*params["pretrained_models"].items()][-2:]
    }
    return {
        **params,
        "device": "cpu",
        "attack": {**params["attack"], "count": 10},
        "pretrained_models": {name: {**net, **sizes, "weights": "tiny.safetensors"} for name, net in nets.items()},
        "sweeps": {name: {**sweep, "shard": 5} for name, sweep in params["sweeps"].items() if sweep["model"] in nets},
        "fit": {**params["fit"], "headline": [], "bootstrap": 100},
        "response": {**params["response"], "nets": {name: {"attacks": [], "images": 10} for name in nets}},
        "theory": {**params["theory"], "compared": [*nets]},
        "workers": {"backend": "loky", "processes": 1},
    }


@pytest.mark.parametrize("study", OF_PUBLISHED)
def test_a_study_of_published_nets_would_take_and_attack_them(study, stage, photographs, tmp_path):
    file = f"studies/{study}/params.yaml"
    params = tiny_nets(read_yaml(ROOT / file))
    (tmp_path / file).parent.mkdir(parents=True)
    YAML().dump(params, tmp_path / file)
    stage("check", file)
    for name in params["datasets"]:
        stage("dataset", "datasets/params.yaml", name)
    for script, section in (("pretrained", "pretrained_models"), ("sweep", "sweeps")):
        for name in params[section]:
            stage(script, file, name)
    for name in params["response"]["nets"]:
        stage("response", file, name)
    stage("theory", file)
    stage("fit", file)
    nets = read_csv(tmp_path / f"plots/{study}/published/nets.csv")
    assert sorted(nets["net"]) == sorted(params["pretrained_models"])
    assert set(nets["holds"]) == {"imagenet sample"}
