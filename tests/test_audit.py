"""The audit of one model on images of one's own: from the command to the tables, without touching a study."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from one_process import run_stage
from PIL import Image
from raw_csv import read_csv
from safetensors.torch import save_file
from sklearn.datasets import load_digits

from advlaw import __main__ as program
from advlaw.audit import stages as audit_stages
from advlaw.audit.command import _yaml
from advlaw.audit.images import Source, read_images
from advlaw.audit.model import model_entry, pickled
from advlaw.audit.params import audit_params
from advlaw.config.study import load_study
from advlaw.core import command as commands
from advlaw.core.dataset import read_dataset
from advlaw.core.io import write_json, write_text
from advlaw.core.tables import read_labelled, records

ROOT = Path(__file__).parents[1]
CODE = """
import torch
from torch import nn


def net(width=16):
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))
"""


def command(folder: Path, *arguments: str, fails: bool = False, installed: Path | None = None) -> str:
    """What `python -m advlaw` says in `folder`, or `advlaw` where the package is installed."""
    source, called = ROOT / "src", [sys.executable, "-m", "advlaw"]
    if installed is not None:
        source, called = installed, [str(installed / "bin/advlaw")]
    environment = {**os.environ, "PYTHONPATH": str(source), "OMP_WAIT_POLICY": "PASSIVE", "MPLBACKEND": "agg"}
    done = subprocess.run(
        [*called, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    output = done.stdout + done.stderr
    assert (done.returncode != 0) == fails, output
    return output


@pytest.fixture
def told(digits, monkeypatch, capfd):
    """What the command says in `digits`, its stages run in this process."""

    def told(*arguments: str, fails: bool = False) -> str:
        for name in ("mine", "another"):
            sys.modules.pop(name, None)
        monkeypatch.setattr(sys, "argv", ["advlaw", *arguments])
        code = None
        try:
            commands.run(program.main)
        except SystemExit as end:
            code = end.code
        output = "".join(capfd.readouterr())
        assert bool(code) == fails, f"{output}{code}"
        return f"{output}{code if isinstance(code, str) else ''}"

    monkeypatch.chdir(digits)
    monkeypatch.syspath_prepend(str(digits))
    monkeypatch.setattr(audit_stages, "_run", run_stage)
    monkeypatch.setattr(program, "heed_signals", lambda: None)  # which would stay when this test is over
    return told


def digit_images() -> tuple[np.ndarray, np.ndarray]:
    """The first 500 digits (N, 8, 8) uint8 and their labels."""
    digits = load_digits()
    return (digits.images[:500] * 255 / 16).round().astype(np.uint8), digits.target[:500]


def write_folder(target: Path, images: np.ndarray, labels: np.ndarray) -> None:
    """A folder of PNGs for each class, named so that their order is not that of the labels."""
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = target / f"{'jihgfedcba'[label]}-{label}" / f"{number:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)


def source(data: Path, **changes) -> Source:
    usual = {"classes": None, "images": None, "size": 8, "resize": 8, "channels": 1, "seed": 0}
    return Source(data, **{**usual, **changes})


@pytest.fixture
def digits(tmp_path):
    """A folder with a person's code, weights fitted to digits, and the same digits as folders and as an npz file."""
    images, labels = digit_images()
    write_folder(tmp_path / "pictures", images, labels)
    np.savez(tmp_path / "digits.npz", images=images[..., None], labels=labels)
    (tmp_path / "classes.txt").write_text("".join(f"{'jihgfedcba'[i]}-{i}\n" for i in range(10)), encoding="utf-8")
    (tmp_path / "mine.py").write_text(CODE, encoding="utf-8")
    pixels, wanted = torch.from_numpy(images).float() / 255, torch.from_numpy(labels)
    space: dict = {}
    exec(CODE, space)
    net = space["net"]()
    for _ in range(100):
        gradients = torch.autograd.grad(torch.nn.functional.cross_entropy(net(pixels), wanted), list(net.parameters()))
        for weight, gradient in zip(net.parameters(), gradients, strict=True):
            weight.data -= 0.5 * gradient
    save_file(net.state_dict(), tmp_path / "mine.safetensors")
    return tmp_path


def test_a_folder_and_an_npz_file_of_the_same_images_are_the_same(digits):
    images, labels = digit_images()
    listed, n_classes = read_images(source(digits / "pictures", classes=str(digits / "classes.txt")))
    assert n_classes == 10
    in_file, _ = read_images(source(digits / "digits.npz"))
    assert np.array_equal(in_file.images[:, 0], images)
    assert np.array_equal(in_file.labels, labels)
    order = np.argsort(labels, kind="stable")  # a folder's images come class by class
    assert np.array_equal(listed.images, in_file.images[order])
    assert np.array_equal(listed.labels, labels[order])
    by_name, _ = read_images(source(digits / "pictures"))
    assert np.array_equal(by_name.labels, np.sort(9 - labels))
    some, _ = read_images(source(digits / "digits.npz", images=50))
    again, _ = read_images(source(digits / "digits.npz", images=50))
    assert len(some.labels) == 50
    assert np.array_equal(some.images, again.images)
    assert len(np.unique(some.labels)) > 5  # not the first classes alone


def test_numbered_class_files_are_read_and_may_list_more(digits):
    lines = [f"{i} {'jihgfedcba'[i]}-{i} a name\n" for i in range(10)] + ["10 none nothing\n"]
    (digits / "more.txt").write_text("".join(lines), encoding="utf-8")
    found, n_classes = read_images(source(digits / "pictures", classes=str(digits / "more.txt")))
    assert n_classes == 11
    assert np.array_equal(found.labels, np.sort(digit_images()[1]))


def test_folders_of_other_programs_are_no_classes(digits):
    (digits / "pictures/.git").mkdir()
    (digits / "pictures/__MACOSX").mkdir()
    assert read_images(source(digits / "pictures"))[1] == 10


@pytest.mark.parametrize(
    ("folder", "message"),
    [("mine", "--out mine: exists and holds no audit; give a new"), ("mine.py", "--out mine.py: exists and holds no")],
)
def test_nothing_of_a_persons_own_is_written_over(digits, folder, message):
    write_text(digits / "mine/params.yaml", "my: own\n")
    output = command(digits, "audit", "--model", "mine:net", "--data", "digits.npz", "--out", folder, fails=True)
    assert message in output
    assert (digits / "mine/params.yaml").read_text("utf-8") == "my: own\n"
    assert [path.name for path in (digits / "mine").iterdir()] == ["params.yaml"]


def test_images_are_cut_from_the_middle_after_the_shorter_side_is_scaled(tmp_path):
    wide = np.zeros((20, 60, 3), dtype=np.uint8)
    wide[:, 20:40] = 200
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.fromarray(wide).save(tmp_path / name / "x.png")
    found, _ = read_images(source(tmp_path, size=10, resize=20, channels=3))
    assert found.images.shape == (2, 3, 10, 10)
    assert (found.images == 200).all()


BAD_DATA = {
    "absent": r"--data .*absent: no such folder or file; give",
    "empty": r"--data .*empty: no class folder with images",
    "broken": r"broken/a/x\.png: cannot be read as an image: .*; mend or remove it",
    "text.npz": r"text\.npz: not an npz file, or an incomplete one; give an npz file with images",
    "part.npz": r"part\.npz: not an npz file, or an incomplete one; give an npz file with images",
    "deep": r"deep/a/x\.png: more than 8 bits per channel \(I;16\); convert it to 8",
    "unnamed.npz": r"unnamed\.npz: no array 'labels' among images; give an npz",
    "float.npz": r"float\.npz: images are float64 \(4, 1, 8, 8\); give",
    "short.npz": r"short\.npz: labels are int64 \(3,\) for 4 images; give",
    "one.npz": r"--data .*one\.npz: labels run from 1 to 4; number them from 0, as labels - 1, or, .* --classes",
    "negative.npz": r"negative\.npz: there must be labels, all from 0 to 99999; give",
}


@pytest.mark.parametrize("name", BAD_DATA)
def test_data_that_cannot_be_used_is_named(tmp_path, name):
    images = np.zeros((4, 1, 8, 8), dtype=np.uint8)
    (tmp_path / "empty").mkdir()
    write_text(tmp_path / "broken/a/x.png", "no image")
    write_text(tmp_path / "text.npz", "no arrays")
    np.savez(tmp_path / "unnamed.npz", images=images)
    (tmp_path / "part.npz").write_bytes((tmp_path / "unnamed.npz").read_bytes()[:200])
    (tmp_path / "deep/a").mkdir(parents=True)
    Image.fromarray(np.full((8, 8), 300, dtype=np.uint16)).save(tmp_path / "deep/a/x.png")
    np.savez(tmp_path / "float.npz", images=images.astype(float), labels=np.arange(4))
    np.savez(tmp_path / "short.npz", images=images, labels=np.arange(3))
    np.savez(tmp_path / "one.npz", images=images, labels=np.arange(4) + 1)
    np.savez(tmp_path / "negative.npz", images=images, labels=np.arange(4) - 1)
    with pytest.raises(ValueError, match=BAD_DATA[name]):
        read_images(source(tmp_path / name))


def test_classes_that_do_not_fit_are_named(digits):
    (digits / "few.txt").write_text("a-9\n", encoding="utf-8")
    (digits / "twice.txt").write_text((digits / "classes.txt").read_text("utf-8") * 2, encoding="utf-8")
    for classes, message in (
        ("few.txt", r"does not list b-8, c-7, d-6 and 6 more, folders of .*; give all classes of the model"),
        ("twice.txt", r"twice\.txt: lists j-0 twice"),
        ("none.txt", r"none\.txt: no such file"),
    ):
        with pytest.raises(ValueError, match=message):
            read_images(source(digits / "pictures", classes=str(digits / classes)))
    (digits / "bytes.txt").write_bytes(b"\xff")
    with pytest.raises(ValueError, match=r"bytes\.txt: line 1 is not UTF-8"):
        read_images(source(digits / "pictures", classes=str(digits / "bytes.txt")))
    with pytest.raises(ValueError, match=r"--classes 3: .* has labels from 0 up to 9; give at least 10"):
        read_images(source(digits / "digits.npz", classes="3"))
    images, labels = digit_images()
    np.savez(digits / "one.npz", images=images[..., None], labels=labels + 1)
    with pytest.raises(ValueError, match=r"--classes 10: .* has labels from 1 up to 10; number them from 0, as labels"):
        read_images(source(digits / "one.npz", classes="10"))
    assert read_images(source(digits / "one.npz", classes="11"))[1] == 11


@pytest.mark.parametrize("steps", [0, 10])
def test_the_params_of_an_audit_are_those_of_a_valid_study(tmp_path, monkeypatch, steps):
    monkeypatch.chdir(tmp_path)
    model = {"arch": "own_file", "file": "net.pt2", "classes": 10, "mean": [0.0], "std": [255.0]}
    grid = {"eps_min": 0.01, "eps_max": 16.0, "count": 20}
    params = audit_params("net", model, grid, steps, 30, {"seed": 0, "threads": 2, "device": "cpu", "portable": False})
    write_text(tmp_path / "params.yaml", _yaml(params))
    write_text(tmp_path / "net.pt2", "a program")
    splits = {"source": "random", "train": 1, "validation": 1, "test": 1, "classes": 10, "channels": 1, "side": 8}
    write_json(tmp_path / "datasets.yaml", {"seed": 0, "datasets": {"images": splits}})
    study = load_study(Path("params.yaml"), Path("datasets.yaml"))
    assert list(study.sweeps) == ["fgsm", "l2", "step_ll", *(["pgd"] if steps else [])]


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
def test_arguments_that_cannot_be_used_are_answered_in_a_line(digits, told, arguments, message):
    torch.save(torch.nn.Sequential(torch.nn.Linear(2, 2)), "net.pt")
    torch.save(torch.nn.Linear(2, 2).state_dict(), "state.pt")
    output = told("audit", "--data", "digits.npz", *arguments, fails=True)
    assert message in output
    assert "Traceback" not in output
    assert not list(digits.glob("audit/*/data/*/sweeps"))


def test_a_gpu_that_is_not_there_is_missed_before_any_work(digits, told, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    output = told("audit", "--data", "digits.npz", "--model", "mine:net", "--device", "cuda", fails=True)
    assert "--device cuda: torch finds no CUDA GPU here; give --device cpu, or leave --device out" in output
    assert not (digits / "audit").exists()


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:FutureWarning", "ignore:.*torch.jit.*:DeprecationWarning")
def test_programs_and_state_dicts_are_not_taken_for_pickled_nets(tmp_path):
    net = torch.nn.Sequential(torch.nn.Linear(2, 2))
    torch.jit.trace(net, torch.zeros(3, 2)).save(str(tmp_path / "program.pt"))
    torch.save({"state_dict": net.state_dict()}, tmp_path / "state.pt")
    torch.save(torch.nn.Parameter(torch.zeros(2)), tmp_path / "tensor.pt")
    (tmp_path / "text.pt").write_text("no archive")
    assert [pickled(path) for path in sorted(tmp_path.iterdir())] == [""] * 4
    assert model_entry(str(tmp_path / "program.pt"), {}, None)["arch"] == "own_file"
    assert model_entry("mine:net", {}, tmp_path / "state.pt")["weights"] == str(tmp_path / "state.pt")


def test_help_is_shown_without_a_command(tmp_path):
    assert "audit" in command(tmp_path)


@pytest.mark.slow
def test_a_person_s_net_is_audited_and_a_second_run_only_goes_on(digits, told):
    arguments = ["audit", "--model", "mine:net", "--weights", "mine.safetensors", "--eps-max", "64", "--count", "12"]
    output = told(*arguments, "--data", "digits.npz")
    plots = digits / "audit/net/plots/net"
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

    sweep = digits / "audit/net/data/net/sweeps/l2/l2.npz"
    written = sweep.stat().st_mtime_ns
    (digits / "audit/net/.done/fit.json").unlink()  # as if killed there
    again = told(*arguments, "--data", "digits.npz")
    assert "sweep l2: already done" in again
    assert "fit: already done" not in again
    assert sweep.stat().st_mtime_ns == written
    assert {path: path.read_bytes() for path in plots.rglob("*") if path.is_file()} == before

    sweep.unlink()  # what a stage wrote is looked for before it counts as done
    assert "sweep l2: already done" not in told(*arguments, "--data", "digits.npz")
    assert sweep.exists()

    (digits / "another.py").write_text(CODE, encoding="utf-8")
    refused = told("audit", "--model", "another:net", "--data", "digits.npz", fails=True)
    assert "audit/net: holds an audit of mine:net; give another --out, or remove this folder" in refused

    started = time.time()
    write_text(plots / "figures/notes.txt", "a person's own")
    other = told(*arguments, "--data", "digits.npz", "--steps", "0", "--images", "200")
    assert "already done" not in other
    assert "audit/net: settings, images or code have changed; removed " in other
    kept = [path for part in ("data", "plots", "models") for path in (digits / "audit/net" / part).rglob("*.*")]
    assert [path.name for path in kept if path.stat().st_mtime < started - 0.1] == []
    assert [path for path in kept if "pgd" in path.as_posix()] == []
    assert (plots / "figures/notes.txt").read_text("utf-8") == "a person's own"


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
    assert "squeezenet1_0: clean accuracy" in output
    found = read_dataset(tmp_path / "here/data/datasets/images.npz")
    assert found.images.shape == (96, 3, 64, 64)
    spec = json.loads((tmp_path / "here/models/squeezenet1_0/squeezenet1_0/spec.json").read_text("utf-8"))
    assert (spec["module"], spec["arguments"]) == ("torchvision.models:squeezenet1_0", {"num_classes": 4})
    (model,) = read_csv(tmp_path / "here/plots/squeezenet1_0/models.csv")
    assert model["n_parameters"] == "737476"
