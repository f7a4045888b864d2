"""A repository of its own with the small study, and what real DVC ran in it; and what this one has committed."""

import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path, PurePath

import psutil
import warm_python

ROOT = Path(__file__).parents[1]

PARAMS = (Path(__file__).parent / "small.yaml").read_text(encoding="utf-8")


def environment(*, warm: bool = True) -> dict[str, str]:
    """A new user's, whose `python` and `dvc` are those that run the tests; `warm`: stages need not import torch."""
    unset = ("PYTHONPATH", "ADVLAW_MIRROR", "DVC_ROOT", "PYTHONDONTWRITEBYTECODE")
    kept = {key: value for key, value in os.environ.items() if key not in unset}
    folders = [warm_python.folder() if warm else None, Path(sys.executable).parent, kept["PATH"]]
    return {**kept, "PATH": os.pathsep.join(str(folder) for folder in folders if folder)}


def committed_files(*patterns: str) -> list[str]:
    """The files of HEAD that match one of the patterns, from this repository's root."""
    listed = git_of_this_repository("ls-tree", "-r", "--name-only", "HEAD").splitlines()
    return [name for name in listed if any(PurePath(name).match(pattern) for pattern in patterns)]


def clone_committed(folder: Path) -> Path:
    """What HEAD holds, as a repository of its own in `folder`."""
    git_of_this_repository("clone", "-q", ".", str(folder))
    return folder


def git_of_this_repository(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{ROOT}: what is committed is tested: a git checkout is needed.\n{done.stderr.strip()}")
    return done.stdout


class Repository:
    """A git and DVC repository with this code and the small study."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)  # what another process began
        folder.mkdir()
        for name in ("src", "stages", "datasets", "claims"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "dvc.lock"))
        files = ("dvc.yaml", "requirements.txt", "benchmarks/results.json", ".gitignore", ".dvcignore")
        for name in (*files, ".dvc/config", ".dvc/.gitignore", ".dvc/plots"):
            (folder / name).parent.mkdir(exist_ok=True)
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, folder / name)
        (folder / "params.yaml").write_text(PARAMS, encoding="utf-8")
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.email", "test@example.org")
        self.git("config", "user.name", "test")
        self.commit("the small study")

    @classmethod
    def at(cls, folder: Path) -> "Repository":
        """One that is there already."""
        repository = object.__new__(cls)
        repository.folder = folder
        return repository

    @property
    def environment(self) -> dict[str, str]:
        return environment()

    def run(self, *command: str, fails: bool = False) -> str:
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        output = done.stdout + done.stderr
        assert (done.returncode != 0) == fails, output
        return output

    def git(self, *arguments: str) -> str:
        return self.run("git", *arguments)

    def kill_when(self, n_kept: int, kept: str, *stages: str) -> None:
        """Run stages and kill all their processes with SIGKILL when so many files match `kept`, as .ckpt/nets/*."""
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        running = subprocess.Popen(["dvc", "repro", *stages], cwd=self.folder, env=environment(warm=False), **quiet)
        deadline = time.monotonic() + 600
        while running.poll() is None and time.monotonic() < deadline:
            if sum(not path.name.startswith(".") for path in self.folder.glob(kept)) >= n_kept:
                break
            time.sleep(0.01)
        assert running.poll() is None, "the run ended before it could be killed"
        family = [psutil.Process(running.pid), *psutil.Process(running.pid).children(recursive=True)]
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        running.wait()
        psutil.wait_procs(family[1:])

    def kill_a_worker(self, file: str, before: str) -> Path:
        """Have the first worker that comes to a line of the code, once a result is kept, kill itself with SIGKILL.

        Returns the file that it leaves, which keeps others from it.
        """
        kept, marker = self.folder / ".ckpt", self.folder / ".ckpt" / "killed"
        lines = (
            f"import os, pathlib, signal; kept, marker = pathlib.Path({str(kept)!r}), pathlib.Path({str(marker)!r})",
            "if any(kept.glob('*/*')) and not marker.exists():",
            "    marker.touch(); os.kill(os.getpid(), signal.SIGKILL)",
        )
        indent = before[: len(before) - len(before.lstrip())]
        self.change(before, "".join(f"{indent}{line}\n" for line in lines) + before, file)
        return marker

    def dvc(self, *arguments: str, fails: bool = False) -> str:
        return self.run("dvc", *arguments, fails=fails)

    def commit(self, message: str) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)

    def change(self, old: str, new: str, file: str = "params.yaml") -> None:
        path = self.folder / file
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def text(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")


def ran(output: str) -> set[str]:
    """The stages that were run, but for the check of the params."""
    lines = [line.removeprefix("Running stage '") for line in output.splitlines() if line.startswith("Running stage '")]
    return {line.split("'")[0].removeprefix("datasets/dvc.yaml:") for line in lines} - {"check"}
