"""The small study, finished: what parts of the campaign copy, and hold what they are left with against."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from common import differences, files
from repository import Repository
from ruamel.yaml import YAML

OUTPUTS = ("data", "models", "metrics", "plots")
FILES = ("dvc.lock", "datasets/dvc.lock")


@cache
def finished() -> Repository:
    """A repository in which the small study ran undisturbed; read only."""
    folder = Path(tempfile.mkdtemp(prefix="faults-study-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    repository = Repository(folder / "finished")
    repository.dvc("repro")
    repository.commit("results")
    return repository


@cache
def commands() -> dict[str, str]:
    """Every stage of the small study in the order of its run -> its command."""
    stages = YAML(typ="safe").load(finished().folder / "dvc.lock")["stages"]
    shown = finished().dvc("repro", "--dry", "--force").splitlines()
    order = [line.split("'")[1].rpartition(":")[2] for line in shown if line.startswith("Running stage '")]
    return {name: stages[name]["cmd"] for name in order if name in stages}


def outputs(stage: str) -> list[str]:
    """The paths that a stage writes."""
    return [each["path"] for each in YAML(typ="safe").load(finished().folder / "dvc.lock")["stages"][stage]["outs"]]


def kind(stage: str) -> str:
    """`sweep` of `sweep@fc`."""
    return stage.partition("@")[0]


@cache
def by_kind() -> dict[str, list[str]]:
    """The stages of each kind."""
    found: dict[str, list[str]] = {}
    for stage in commands():
        found.setdefault(kind(stage), []).append(stage)
    return found


def remove_outputs(tree: Path, stage: str) -> None:
    for path in map(tree.joinpath, outputs(stage)):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def copied(target: Path, *, cache: bool = False) -> Path:
    """The finished study's tree, with DVC's cache and git's history if they are wanted."""
    left_out = shutil.ignore_patterns() if cache else shutil.ignore_patterns(".git", "cache", "tmp")
    shutil.copytree(finished().folder, target, symlinks=True, ignore=left_out, dirs_exist_ok=True)
    return target


def made(folder: Path) -> dict[str, bytes]:
    """Every output of a study's tree and both locks."""
    found = {f"{name}/{path}": content for name in OUTPUTS for path, content in files(folder / name).items()}
    return found | {name: (folder / name).read_bytes() for name in FILES if (folder / name).exists()}


def unlike_finished(folder: Path) -> str:
    """What of a tree is not as in the undisturbed one; nothing where it is the same, byte by byte."""
    return differences(made(finished().folder), made(folder))
