"""A person who audits a net of their own: a folder with code, weights and images, and what the command answers."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from one_process import call
from PIL import Image
from safetensors.torch import save_file
from sklearn.datasets import load_digits

from advlaw import __main__ as program
from advlaw.audit import stages
from advlaw.audit.images import Source
from advlaw.core import command as commands

ROOT = Path(__file__).parents[1]
CODE = """
import torch
from torch import nn


def net(width=16):
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))
"""


SLOWLY = """
import os, time
from torch import nn
import mine


class Slow(nn.Sequential):
    def forward(self, images):
        time.sleep(float(os.environ.get("DELAY", 0)))
        return super().forward(images)


def slow():
    return Slow(*mine.net())
"""
GIVEN = ("--weights", "mine.safetensors", "--data", "digits.npz", "--images", "100", "--count", "4", "--steps", "0")
SLOW = ("audit", "--model", "slowly:slow", *GIVEN, "--eps-max", "64", "--no-theory")


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
    return Source(data, **{"classes": None, "labels": None, "images": None, "seed": 0, **changes})


def write_digits(folder: Path) -> None:
    """A person's code, weights fitted to digits, and the same digits as folders and as an npz file."""
    images, labels = digit_images()
    write_folder(folder / "pictures", images, labels)
    np.savez(folder / "digits.npz", images=images[..., None], labels=labels)
    (folder / "classes.txt").write_text("".join(f"{'jihgfedcba'[i]}-{i}\n" for i in range(10)), encoding="utf-8")
    (folder / "mine.py").write_text(CODE, encoding="utf-8")
    (folder / "slowly.py").write_text(SLOWLY, encoding="utf-8")
    pixels, wanted = torch.from_numpy(images).float() / 255, torch.from_numpy(labels)
    space: dict = {}
    exec(CODE, space)
    net = space["net"]()
    for _ in range(100):
        gradients = torch.autograd.grad(torch.nn.functional.cross_entropy(net(pixels), wanted), list(net.parameters()))
        for weight, gradient in zip(net.parameters(), gradients, strict=True):
            weight.data -= 0.5 * gradient
    save_file(net.state_dict(), folder / "mine.safetensors")


class InProcess:
    """What the command says in `folder`, its stages run in this process; on one thread, so that no other is begun."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture) -> None:
        self.monkeypatch, self.capfd = monkeypatch, capfd
        monkeypatch.chdir(folder)
        monkeypatch.syspath_prepend(str(folder))
        monkeypatch.setattr(stages.Host, "call", call)
        monkeypatch.setattr(program, "heed_signals", lambda: None)  # which would stay when this test is over

    def __call__(self, *arguments: str, fails: bool = False) -> str:
        for name in ("mine", "another"):
            sys.modules.pop(name, None)
        self.monkeypatch.setattr(sys, "argv", ["advlaw", "audit", *arguments, "--threads", "1"])
        code = None
        try:
            commands.run(program.main)
        except SystemExit as end:
            code = end.code
        output = "".join(self.capfd.readouterr())
        assert bool(code) == fails, f"{output}{code}"
        return f"{output}{code if isinstance(code, str) else ''}"
