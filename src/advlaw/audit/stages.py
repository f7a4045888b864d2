"""The stages of an audit in its folder: run one by one, remembered when they have finished, taken back when outdated.

What a stage wrote is removed before it runs anew, as DVC does, so that nothing of an earlier run is shown as this
one's. Only what lies in the stage's outputs of dvc.yaml and was written while it ran counts as such.
"""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

from advlaw.core.io import write_json
from advlaw.core.section import read_yaml

PACKAGE = Path(__file__).resolve().parents[1]
SOURCE = PACKAGE.parent
DONE = ".done"
COARSENESS = 1.0  # seconds by which a file system's clock may be behind
PATIENCE = 10.0  # seconds that a stage has to end in
CLEANED = 2.0  # seconds that what it has started has, thereafter
UNSAID = "ignore:resource_tracker"  # of loky, which counts what an ended stage has not put away

Stage = list[str]  # its script and what it is run for, as ["sweep", "fgsm"]


def pipeline() -> Path:
    """The folder of stages/, dvc.yaml and requirements.txt: the repository's, or where `pip install` has put them.

    Raises ValueError where there is neither.
    """
    places = [SOURCE.parent, PACKAGE / "pipeline"]
    for place in places:
        if (place / "stages").is_dir() and (place / "dvc.yaml").is_file():
            return place
    raise ValueError(f"no stages/ with a dvc.yaml in {places[0]} or {places[1]}; install advlaw with pip install")


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Refuses a folder that another audit works in, or a stage that one left behind when it was killed.

    A stage inherits the lock, which lasts as long as any process that holds it.
    """
    path = folder / DONE / "lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        os.set_inheritable(lock.fileno(), True)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(
                f"--out {folder}: another audit, or a stage left over from one, is running there; wait for it or end it"
            ) from None
        except OSError:  # a file system without locks
            pass
        yield


def take_back(folder: Path, state: str) -> int:
    """Remove what stages wrote in another state, or wrote before they were cut short; how many files of the former.

    A state begins with the state that it follows from, so one that begins with `state`, or that `state` begins with,
    is not another one.
    """
    outdated = 0
    for path in sorted((folder / DONE).glob("*.json")):
        marker = _read(path)
        known = marker["state"]
        if known is None or not (known.startswith(state) or state.startswith(known)):
            n_files = _remove(folder, path, marker)
            outdated += n_files if known is not None else 0
    return outdated


def has_taken(folder: Path) -> bool:
    """Whether an audit in this folder got as far as taking its model."""
    return any(_read(path)["state"] is not None for path in (folder / DONE).glob("pretrained*.json"))


def remember(folder: Path, name: str, state: str, files: list[Path]) -> None:
    """Note files that no stage writes, to be removed like theirs."""
    listed = [file.relative_to(folder).as_posix() for file in files]
    write_json(folder / DONE / f"{name}.json", {"state": state, "files": listed})


def is_done(folder: Path, stage: Stage, state: str) -> bool:
    """Whether a stage has finished in this state or one that follows from it, and what it wrote is still there."""
    marker = _read(_marker(folder, stage))
    is_current = marker["state"] is not None and marker["state"].startswith(state)
    return is_current and all((folder / file).exists() for file in marker["files"])


def run_stage(host: "Host", study: str, stage: Stage, state: str) -> float:
    """Run a stage anew, and how many seconds it took; ends the audit where it fails, with its own message."""
    folder = host.folder
    path = _marker(folder, stage)
    _remove(folder, path, _read(path))
    start = time.time()
    begun = {"state": None, "places": outputs(stage, study), "start": start}
    write_json(path, begun)  # so that what it leaves when it is cut short is known
    try:
        host.run(stage)
    except BaseException:  # what comes into these folders from now on is a person's own
        write_json(path, {"state": None, "files": _written(folder, begun)})
        raise
    write_json(path, {"state": state, "files": _written(folder, begun)})
    return time.time() - start


def outputs(stage: Stage, study: str) -> list[str]:
    """Where a stage writes, by dvc.yaml: files and folders."""
    entry = _entries()[stage[0]]
    entry = entry.get("do", entry)
    found = []
    for out in (*entry.get("outs", []), *entry.get("plots", [])):
        place = next(iter(out)) if isinstance(out, dict) else out
        for variable, value in (("study", study), ("key", stage[-1]), ("item", stage[-1])):
            place = place.replace(f"${{{variable}}}", value)
        found.append(place)
    return found


@cache
def _entries() -> dict[str, Any]:
    stages: dict[str, Any] = read_yaml(pipeline() / "dvc.yaml")["stages"]
    return stages


def _marker(folder: Path, stage: Stage) -> Path:
    return folder / DONE / f"{'_'.join(stage)}.json"


def _read(path: Path) -> dict[str, Any]:
    """A marker; one that is missing or damaged knows of no files."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {"state": None, "files": [], **found}
    except (FileNotFoundError, ValueError, TypeError):
        return {"state": None, "files": []}


def _written(folder: Path, begun: dict[str, Any]) -> list[str]:
    """The files in a stage's places that were written since it began."""
    files: list[Path] = []
    for place in (folder / place for place in begun["places"]):
        files += sorted(place.rglob("*")) if place.is_dir() else [place]
    earliest = begun["start"] - COARSENESS
    return [
        file.relative_to(folder).as_posix() for file in files if file.is_file() and file.stat().st_mtime >= earliest
    ]


def _remove(folder: Path, path: Path, marker: dict[str, Any]) -> int:
    """Remove a marker after its files and the folders that this empties; how many files there were."""
    removed = 0
    for file in (folder / name for name in (_written(folder, marker) if "places" in marker else marker["files"])):
        if file.is_file():
            file.unlink()
            removed += 1
        for parent in file.relative_to(folder).parents[:-1]:
            with suppress(OSError):  # it holds something else, or is gone
                (folder / parent).rmdir()
    path.unlink(missing_ok=True)
    return removed


class Host:
    """The process that runs stages, with the audit's folder as their root: begun with the first, ended with the block.

    In a session of its own: it and what it starts are ended by us alone.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running: subprocess.Popen[bytes] | None = None
        self._channel, self._its_end = socket.socketpair()

    def __enter__(self) -> "Host":
        return self

    def __exit__(self, kind: type[BaseException] | None, *raised: Any) -> None:
        self._channel.close()  # at which it ends, when it has nothing to do
        self._its_end.close()
        if self._running is not None:
            _end(self._running, at_once=kind is not None)

    def run(self, stage: Stage) -> None:
        """Run a stage; exits where it fails, after its own message."""
        script = pipeline() / "stages" / f"{stage[0]}.py"
        self.call(script, [*stage[1:], "--params", "params.yaml"], " ".join(stage))

    def call(self, script: Path, arguments: list[str], name: str) -> None:
        """Run a script."""
        if self._running is None:
            self._running = self._begun()
        self._channel.sendall(f"{json.dumps([str(script), *arguments])}\n".encode())
        answer = self._channel.recv(16)
        if not answer:
            _say_how_it_ended(name, self._running.wait())
        if code := int(answer):
            sys.exit(code)

    def _begun(self) -> "subprocess.Popen[bytes]":
        given = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
        path = [str(SOURCE), *(str(Path(part).resolve()) for part in given), str(Path.cwd())]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path), "OMP_WAIT_POLICY": "PASSIVE"}
        environment["PYTHONWARNINGS"] = ",".join(filter(None, (environment.get("PYTHONWARNINGS"), UNSAID)))
        environment.pop("DVC_ROOT", None)  # where stages keep what a killed one goes on with: here in the folder
        descriptor = self._its_end.fileno()
        self._its_end.set_inheritable(True)
        command = [sys.executable, "-P", "-m", "advlaw.audit.host", str(descriptor)]
        running = subprocess.Popen(command, cwd=self.folder, env=environment, start_new_session=True, close_fds=False)
        self._its_end.close()
        return running


def _say_how_it_ended(name: str, code: int) -> NoReturn:
    """Exit for a stage that ended its process, by a signal if the code is below zero."""
    if code >= 0:
        sys.exit(f"error: {name} ended with exit code {code}; run the same command again to resume")
    memory = "memory may have run out: give fewer --images; " if code == -signal.SIGKILL else ""
    what = signal.Signals(-code).name
    sys.exit(f"error: {name} was ended by {what}; {memory}run the same command again to resume")


def _end(running: "subprocess.Popen[bytes]", at_once: bool) -> None:
    """Wait until a process and what it has started have ended, `at_once` after a signal; by force where they do not."""
    try:
        if at_once:
            os.killpg(running.pid, signal.SIGTERM)
        running.wait(PATIENCE)
        end = time.monotonic() + CLEANED
        while time.monotonic() < end:  # loky's tracker takes its semaphores and folders away
            os.killpg(running.pid, 0)
            time.sleep(0.05)
    except (ProcessLookupError, subprocess.TimeoutExpired):
        pass
    finally:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()
