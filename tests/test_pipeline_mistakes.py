"""What bad input costs, through real DVC: a clear message before any stage, and nothing that was computed is lost."""

import pytest
from repository import Repository, ran

pytestmark = pytest.mark.slow


def test_bad_params_stop_before_any_stage_and_lose_nothing(repository):
    """What is answered to each mistake: tests/test_config.py."""
    old, new = "epochs: 3    # kept by -S", "epoch: 3"
    repository.change(old, new)
    output = repository.dvc("repro", fails=True)
    assert "error: params.yaml: models.linear: unknown key 'epoch'; did you mean 'epochs'?" in output
    assert "Traceback" not in output
    assert ran(output) == set()
    repository.change(new, old)
    assert ran(repository.dvc("repro")) == set()
    assert repository.git("status", "--porcelain") == ""


def test_a_wrong_type_on_the_command_line_stops_before_any_stage(repository):
    output = repository.dvc("exp", "run", "--temp", "-S", "attack.eps_max=abc", fails=True)
    assert "attack.eps_max = 'abc': should be a valid number" in output
    assert ran(output) == set()
    assert repository.git("status", "--porcelain") == ""
    assert ran(repository.dvc("repro")) == set()


def test_a_bad_mirror_is_a_clear_error_and_leaves_nothing(repository, monkeypatch):
    mirror = repository.folder.parent / "mirror"
    (mirror / "mnist").mkdir(parents=True)
    (mirror / "mnist/train-images-idx3-ubyte.gz").write_bytes(b"corrupt")
    repository.change("- digits\n", "- digits\n- mnist\n")  # of `datasets`
    repository.change("dataset: digits", "dataset: mnist")
    monkeypatch.setattr(Repository, "environment", {**repository.environment, "ADVLAW_MIRROR": str(mirror)})
    output = repository.dvc("repro", fails=True)
    assert f"error: {mirror}/mnist/train-images-idx3-ubyte.gz: contents are not mnist/train-images" in output
    assert "Traceback" not in output
    assert not list((repository.folder / "data").rglob("*mnist*"))
    repository.git("checkout", "--", "params.yaml")
    assert ran(repository.dvc("repro")) == set()


def test_a_person_s_own_modules_in_pythonpath_reach_every_stage(repository, monkeypatch):
    """Beside the code of the tree, which goes before them: a module of theirs called advlaw is not taken."""
    modules = repository.folder.parent / "modules"
    (modules / "advlaw").mkdir(parents=True)
    (modules / "advlaw/__init__.py").write_text("raise RuntimeError('not this one')\n", encoding="utf-8")
    code = "from torch import nn\n\n\ndef net():\n    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))\n"
    (modules / "theirs.py").write_text(code, encoding="utf-8")
    entry = "  mine:\n    dataset: digits\n    arch: own_module\n    module: theirs:net\n    mean:\n    - 0.0\n"
    repository.change("pretrained_models: {}\n", f"pretrained_models:\n{entry}    std:\n    - 255.0\n")
    assert "theirs: no module 'theirs' is installed" in repository.dvc("repro", "pretrained@mine", fails=True)
    monkeypatch.setattr(Repository, "environment", {**repository.environment, "PYTHONPATH": str(modules)})
    assert ran(repository.dvc("repro", "pretrained@mine")) == {"pretrained@mine"}
