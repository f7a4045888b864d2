"""Fixtures shared by the tests. Everything runs on two threads, as the default study does."""

import os
import shutil

os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import pytest
import torch
from audits import InProcess, write_digits
from filelock import FileLock
from installed import install
from repository import Repository, clone_committed
from skips import pytest_make_collect_report, pytest_runtest_makereport  # noqa: F401

from advlaw.attacks.settings import IterativeAttack, OneStepAttack, RelativeStep
from advlaw.core.runtime import PORTABLE
from advlaw.models.classifier import Classifier
from advlaw.models.store import build

os.environ.update(PORTABLE)  # what tests and the stages that they start compute is the same on every x86-64 CPU
collect_ignore = [] if os.environ.get("ADVLAW_MIRROR") else ["test_mirror.py"]

LONGEST = (  # begun first, as a file is one worker's: the other is not to wait for it in the end
    *("test_pipeline.py", "test_committed_tables.py", "test_trials_pipeline.py", "test_pipeline_bytes.py"),
    *("test_new_architecture.py", "test_cifar10.py", "test_parallel.py", "test_images.py", "test_pipeline_mistakes.py"),
)
SHAPE = (1, 8, 8)
CLASSES = 10
SIZES = {"linear": {}, "fc": {"widths": [40, 30]}, "cnn": {"channels": [6, 8], "dropout": 0.3}}


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


@pytest.fixture(autouse=True)
def _torch_settings():
    torch.set_num_threads(2)
    torch.manual_seed(0)


def make_net(arch: str, dtype: torch.dtype = torch.float32, scale: float = 1.0) -> Classifier:
    """A seeded, untrained net on 8x8 pixels with usual statistics; `scale` multiplies its last layer."""
    torch.manual_seed(3)
    net = build({"arch": arch, "image_shape": SHAPE, "n_classes": CLASSES, **SIZES[arch]})
    net.head.mean.fill_(120.0)
    net.head.std.fill_(70.0)
    last = [layer for layer in net.modules() if isinstance(layer, torch.nn.Linear)][-1]
    last.weight.data *= scale
    last.bias.data *= scale
    return net.to(dtype).eval().requires_grad_(False)


def make_images(n_images: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> torch.Tensor:
    """Whole pixels, a fifth of them at 0 or 255 so that clipping matters."""
    rng = np.random.default_rng(seed)
    pixels = np.clip(rng.integers(-40, 296, size=(n_images, *SHAPE)), 0, 255)
    return torch.from_numpy(pixels).to(dtype)


def one_step(direction: str = "sign", target: str = "true_label", clip: bool = False, **more) -> OneStepAttack:
    return OneStepAttack(direction=direction, target=target, clip=clip, **more)


def pgd_attack(norm: str = "linf", steps: int = 10, clip: bool = False, **more) -> IterativeAttack:
    settings = {"target": "true_label", "step_size": RelativeStep(relative=0.125), **more}
    return IterativeAttack(norm=norm, steps=steps, clip=clip, **settings)


@pytest.fixture(scope="session")
def committed(tmp_path_factory):
    """A clone of HEAD, where a test reads whatever follows from committed tables: those, pages, reports, their params.

    The working tree's tables may be those of a `make repro` on another CPU, and so may the index's dvc.lock, which DVC
    stages. So a table or page that was just made anew is judged once it is committed. The code is the working tree's.
    """
    return clone_committed(tmp_path_factory.mktemp("committed") / "advlaw")


@pytest.fixture(scope="session")
def finished(tmp_path_factory, worker_id):
    """A repository in which the small study has been run and committed: one for all test processes, to be read only."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "finished"
    done = folder.with_suffix(".done")
    with FileLock(folder.with_suffix(".lock")):
        if done.exists():
            return Repository.at(folder)
        repository = Repository(folder)
        repository.dvc("repro")
        repository.commit("results")
        done.touch()
    return repository


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """A folder into which the package has been installed, away from this repository."""
    return install(tmp_path_factory.mktemp("installed") / "site", tmp_path_factory.mktemp("build"))


@pytest.fixture
def repository(finished, tmp_path):
    """A copy of the finished repository, cache and all."""
    shutil.copytree(finished.folder, tmp_path / "copy", symlinks=True)
    return Repository.at(tmp_path / "copy")


@pytest.fixture
def own_digits(tmp_path):
    """A folder with a person's code, weights fitted to digits, and the same digits as folders and as an npz file."""
    write_digits(tmp_path)
    return tmp_path


@pytest.fixture
def told(own_digits, monkeypatch, capfd):
    """What `advlaw audit` says in that folder."""
    return InProcess(own_digits, monkeypatch, capfd)


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
