"""The audit of one model on images of one's own: from the command to the tables, without touching a study."""

import json
import os
import re
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from audits import CODE, ROOT, command
from PIL import Image
from raw_csv import read_csv
from safetensors.torch import save_file

from advlaw.audit.command import _yaml
from advlaw.audit.folder import net_name
from advlaw.audit.model import Given, pickled
from advlaw.audit.params import audit_params
from advlaw.config.study import load_study
from advlaw.core.dataset import read_dataset
from advlaw.core.io import read_npz, write_json, write_text
from advlaw.core.pictures import Files
from advlaw.core.tables import read_labelled, records
from advlaw.foreign.weights import digest, read_tensors


@pytest.mark.parametrize(
    ("folder", "message"),
    [("mine", "--out mine: exists and holds no audit; give a new"), ("mine.py", "--out mine.py: exists and holds no")],
)
def test_nothing_of_a_persons_own_is_written_over(own_digits, folder, message):
    write_text(own_digits / "mine/params.yaml", "my: own\n")
    output = command(own_digits, "audit", "--model", "mine:net", "--data", "digits.npz", "--out", folder, fails=True)
    assert message in output
    assert (own_digits / "mine/params.yaml").read_text("utf-8") == "my: own\n"
    assert [path.name for path in (own_digits / "mine").iterdir()] == ["params.yaml"]


@pytest.mark.parametrize("steps", [0, 10])
def test_the_params_of_an_audit_are_those_of_a_valid_study(tmp_path, monkeypatch, steps):
    monkeypatch.chdir(tmp_path)
    model = {"arch": "own_file", "file": "net.pt2", "classes": 10, "mean": [0.0], "std": [255.0]}
    grid = {"eps_min": 0.01, "eps_max": 16.0, "count": 20}
    settings = {"seed": 0, "threads": 2, "device": "cpu", "portable": False}
    params = audit_params("net", model, grid, steps, (300, 1, 8, 8), settings)
    write_text(tmp_path / "params.yaml", _yaml(params))
    write_text(tmp_path / "net.pt2", "a program")
    splits = {"source": "random", "train": 1, "validation": 1, "test": 1, "classes": 10, "channels": 1, "side": 8}
    write_json(tmp_path / "datasets.yaml", {"seed": 0, "datasets": {"images": splits}})
    study = load_study(Path("params.yaml"), Path("datasets.yaml"))
    assert list(study.sweeps) == ["fgsm", "l2", "step_ll", *(["pgd"] if steps else [])]
    assert study.response.nets["net"].images == 200


@pytest.mark.parametrize(
    ("shape", "shard", "followed"),
    [
        ((1000, 1, 28, 28), 63, 200),
        ((20, 3, 32, 32), 10, None),
        ((60_000, 1, 28, 28), 500, 200),
        ((100, 3, 224, 224), 10, 50),
        ((50_000, 3, 299, 299), 64, 50),
    ],
)
def test_sweeps_are_cut_and_the_theory_follows_no_more_images_than_it_has_time_for(shape, shard, followed):
    params = audit_params("net", {}, {}, 0, shape, {})
    assert {sweep["shard"] for sweep in params["sweeps"].values()} == {shard}
    assert params["response"]["nets"]["net"].get("images") == followed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "nothing"], r"error: --model nothing: neither an existing file nor package.module:factory"),
        (["--model", "mine:net", "--weights", "none"], "error: --weights none: no such file"),
        (["--model", "mine:net", "--weights", "net.pt"], "--weights net.pt: holds a whole net, torch.nn.modules"),
        (
            ["--model", "mine.py"],
            "--model mine.py: is code, of which a factory is needed; use --model package.module:fac",
        ),
        (["--model", "net.pt"], "--model net.pt: holds a pickled net, torch.nn.modules.container.Sequential, and no"),
        (
            ["--model", "state.pt"],
            "holds weights and no program; use --model package.module:factory --weights state.pt",
        ),
        (["--model", "mine.safetensors"], "factory --weights mine.safetensors"),
        (["--model", "mine:net", "--eps-min", "20"], "eps_min = 20 must be below eps_max = 16"),
        (["--model", "mine:net", "--images", "5"], "error: --images 5: an exponent needs at least 20 images"),
        (["--model", "mine:net", "--mean", "1", "2"], "--mean: 2 values, but the images have 1 channels"),
        (["--model", "mine:net", "--classes", "11"], "net: gives 10 logits; the data set has 11 classes"),
        (["--model", "mine:net", "--images", "24", "--arguments", '{"width": 4}'], "images are classified as labelled"),
        (["--model", "mine:other"], "mine has no 'other'"),
        (["--model", "mine:net", "--arguments", "{"], "argument --arguments: '{': not JSON"),
    ],
)
def test_arguments_that_cannot_be_used_are_answered_in_a_line(own_digits, told, arguments, message):
    torch.save(torch.nn.Sequential(torch.nn.Linear(2, 2)), "net.pt")
    torch.save(torch.nn.Linear(2, 2).state_dict(), "state.pt")
    output = told("--data", "digits.npz", *arguments, fails=True)
    assert message in output
    assert "Traceback" not in output
    assert not list(own_digits.glob("audit/*/data/*/sweeps"))


def test_a_gpu_that_is_not_there_is_missed_before_any_work(own_digits, told, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    output = told("--data", "digits.npz", "--model", "mine:net", "--device", "cuda", fails=True)
    assert "--device cuda: torch finds no CUDA GPU here; give --device cpu, or leave --device out" in output
    assert not (own_digits / "audit").exists()


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:FutureWarning", "ignore:.*torch.jit.*:DeprecationWarning")
def test_programs_and_state_dicts_are_not_taken_for_pickled_nets(tmp_path):
    net = torch.nn.Sequential(torch.nn.Linear(2, 2))
    torch.jit.trace(net, torch.zeros(3, 2)).save(str(tmp_path / "program.pt"))
    torch.save({"state_dict": net.state_dict()}, tmp_path / "state.pt")
    torch.save(torch.nn.Parameter(torch.zeros(2)), tmp_path / "tensor.pt")
    (tmp_path / "text.pt").write_text("no archive")
    assert [pickled(path) for path in sorted(tmp_path.iterdir())] == [""] * 4
    assert Given(str(tmp_path / "program.pt"), None, {}, None).entry()["arch"] == "own_file"
    assert Given("mine:net", None, {}, tmp_path / "state.pt").entry()["weights"] == str(tmp_path / "state.pt")


def test_help_is_shown_without_a_command(tmp_path):
    assert "audit" in command(tmp_path)


@pytest.mark.slow
def test_a_person_s_net_is_audited_and_a_second_run_only_goes_on(own_digits, told):
    arguments = ["--model", "mine:net", "--weights", "mine.safetensors", "--eps-max", "64", "--count", "12"]
    output = told(*arguments, "--data", "digits.npz")
    plots = own_digits / "audit/net/plots/net"
    (model,) = read_csv(plots / "models.csv")
    assert float(model["test_accuracy"]) > 0.9
    assert f"net: clean accuracy {float(model['test_accuracy']):.4f}" in output
    reported = {row["attack"]: row for row in records(read_labelled(plots, "laws/exponents"))}
    assert reported.keys() == {"fgsm", "l2", "step_ll", "pgd"}
    assert 0.3 < reported["fgsm"]["exponent"] < 3.0
    assert f"B = {reported['fgsm']['exponent']:.2f} [" in output
    assert " as eps -> 0, from 4" in output  # a tenth of those that are right
    assert {row["attack"] for row in read_csv(plots / "theory/predictions.csv")} == {"l2", "fgsm", "step_ll"}
    assert (plots / "report.html").exists() == (ROOT / "stages/report.py").exists()
    before = {path: path.read_bytes() for path in plots.rglob("*") if path.is_file()}

    sweep = own_digits / "audit/net/data/net/sweeps/l2/l2.npz"
    written = sweep.stat().st_mtime_ns
    (own_digits / "audit/net/.done/fit.json").unlink()  # as if killed there
    again = told(*arguments, "--data", "digits.npz")
    assert "sweep l2: already done" in again
    assert "report take about" not in again
    assert "fit: already done" not in again
    assert sweep.stat().st_mtime_ns == written
    assert {path: path.read_bytes() for path in plots.rglob("*") if path.is_file()} == before

    sweep.unlink()  # what a stage wrote is looked for before it counts as done
    assert "sweep l2: already done" not in told(*arguments, "--data", "digits.npz")
    assert sweep.exists()

    (own_digits / "another.py").write_text(CODE, encoding="utf-8")
    refused = told("--model", "another:net", "--data", "digits.npz", fails=True)
    assert "audit/net: holds an audit of mine:net; give another --out, or remove this folder" in refused

    started = time.time()
    write_text(plots / "figures/notes.txt", "a person's own")
    os.utime(plots / "figures/notes.txt", (started - 9, started - 9))  # before any stage could have written it
    other = told(*arguments, "--data", "digits.npz", "--steps", "0", "--images", "200")
    assert "already done" not in other
    assert "audit/net: settings, images or code have changed; removed " in other
    kept = [path for part in ("data", "plots", "models") for path in (own_digits / "audit/net" / part).rglob("*.*")]
    assert [path.name for path in kept if path.stat().st_mtime < started - 0.1] == ["notes.txt"]
    assert [path for path in kept if "pgd" in path.as_posix()] == []
    assert (plots / "figures/notes.txt").read_text("utf-8") == "a person's own"


@pytest.mark.slow
def test_the_first_report_is_there_before_the_theory_and_may_be_the_last(own_digits, told):
    arguments = ("--model", "mine:net", "--weights", "mine.safetensors", "--data", "pictures", "--size", "8")
    more = ("--resize", "8", "--channels", "1", "--classes", "classes.txt", "--count", "8", "--steps", "0")
    first = told(*arguments, *more, "--no-theory")
    plots = own_digits / "audit/net/plots/net"
    report = (plots / "report.html").read_bytes()
    assert first.rstrip().endswith(f"report: {plots.relative_to(own_digits) / 'report.html'}")
    assert not (plots / "theory").exists()
    assert not (own_digits / "audit/net/data/net/responses").exists()

    all_of_it = told(*arguments, *more)  # goes on
    assert [f"{stage}: already done" in all_of_it for stage in ("sweep fgsm", "fit", "report")] == [True] * 3
    assert "the theory and the report with it take about" in all_of_it
    assert "theory, of the first 200 of 500 images: rank correlation of predicted" in all_of_it
    assert len(read_npz(own_digits / "audit/net/data/net/responses/net/fgsm.npz")["gamma"]) == 200
    assert (plots / "report.html").read_bytes() != report
    assert list(plots.glob("figures/figure_4.svg"))

    again = told(*arguments, *more, "--no-theory")
    assert again.count("already done") == 8
    again = told(*arguments, *more)
    assert again.count("already done") == 11


@pytest.mark.slow
def test_the_cell_that_a_search_found_is_audited_by_the_command_of_the_page(finished, tmp_path, told, monkeypatch):
    page = (ROOT / "docs/own_model.md").read_text("utf-8").replace("search_small/robust_step_ll", "small/cell_step_ll")
    (block,) = re.findall(r"^\$ (advlaw audit --model advlaw\.models\.store:build.*?)^```", page, re.M | re.S)
    monkeypatch.chdir(finished.folder)  # where the shell finds the spec, and the command the rest
    shell = ["bash", "-c", f"advlaw() {{ printf '%s\\0' \"$@\"; }}; {block}"]
    said = subprocess.run(shell, capture_output=True, text=True, check=True).stdout
    arguments = said.removesuffix("\0").split("\0")[1:]
    few = ("--images", "60", "--count", "4", "--steps", "0", "--no-theory")
    output = told(*arguments, *few, "--out", str(tmp_path / "cell"))
    (net,) = (tmp_path / "cell/plots").iterdir()
    (found,) = read_csv(net / "models.csv")
    row = json.loads((tmp_path / "cell/models" / net.name / net.name / "row.json").read_text("utf-8"))
    weights = finished.folder / "models/small/cell_step_ll/weights.safetensors"
    assert row["weights"]["published_sha256"] == digest(read_tensors(weights.read_bytes(), weights))
    assert f"clean accuracy {float(found['test_accuracy']):.4f}" in output
    assert {row["attack"] for row in read_csv(net / "curves.csv")} == {"fgsm", "l2", "step_ll"}


@pytest.mark.slow
def test_an_unmodified_net_of_torchvision_is_audited_on_a_folder_of_images_outside_the_repository(tmp_path, installed):
    rng = np.random.default_rng(0)
    for number in range(96):
        path = tmp_path / "pictures" / f"class{number % 4}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (70, 90, 3), dtype=np.uint8)).save(path)
    from torchvision.models import squeezenet1_0  # here, since it takes seconds

    torch.manual_seed(0)
    save_file(squeezenet1_0(num_classes=4).state_dict(), tmp_path / "random.safetensors")
    net = ("--model", "torchvision.models:squeezenet1_0", "--arguments", '{"num_classes": 4}')
    sizes = ("--size", "64", "--count", "3", "--steps", "2", "--out", "here")
    given = ("--weights", "random.safetensors", "--data", "pictures")
    output = command(tmp_path, "audit", *net, *given, *sizes, installed=installed)
    name = net_name({"module": "torchvision.models:squeezenet1_0", "arguments": {"num_classes": 4}})
    assert f"{name}: clean accuracy" in output
    found = read_dataset(tmp_path / "here/data/datasets/images.npz").images
    assert isinstance(found, Files)
    assert (found.place, len(found)) == (str(tmp_path / "pictures"), 96)
    spec = json.loads((tmp_path / "here/models" / name / name / "spec.json").read_text("utf-8"))
    assert (spec["module"], spec["arguments"]) == ("torchvision.models:squeezenet1_0", {"num_classes": 4})
    (model,) = read_csv(tmp_path / "here/plots" / name / "models.csv")
    assert model["n_parameters"] == "737476"
