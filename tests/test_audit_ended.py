"""An audit that is ended or killed: no stage outlives it, and the next one goes on where it stopped."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from audits import ROOT, SLOW, command

from advlaw.audit.stages import alone
from advlaw.core import command as commands
from advlaw.core.io import write_text

STAGE = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("pids", __import__("os").getpid(), child.pid, flush=True)
time.sleep(60)
"""
AUDIT = """
import signal
import sys
from pathlib import Path
from advlaw.core.command import heed_signals, run
from advlaw.audit import stages as audit_stages
audit_stages.pipeline = lambda: Path(sys.argv[1])
signal.signal(signal.SIGINT, signal.default_int_handler)  # tests run in the background inherit that these are ignored
signal.signal(signal.SIGHUP, signal.SIG_DFL)
def main():
    heed_signals()
    with audit_stages.alone(Path(sys.argv[1])):
        with audit_stages.Host(Path(sys.argv[1])) as host:
            host.run(["slow"])
run(main)
"""


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("number", "status", "word"),
    [
        (signal.SIGTERM, 143, "ended by SIGTERM; run the same command again to go on"),
        (signal.SIGHUP, 129, "ended by SIGHUP; run the same command again to go on"),
        (signal.SIGINT, 1, "interrupted; run the same command again to go on"),
    ],
)
def test_a_signal_ends_the_running_stage_too(tmp_path, number, status, word):
    write_text(tmp_path / "stages/slow.py", STAGE)
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-c", AUDIT, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as audit:
        assert audit.stdout is not None
        assert audit.stderr is not None
        pids = [int(pid) for pid in audit.stdout.readline().split()[1:]]
        assert [is_running(pid) for pid in pids] == [True, True]
        audit.send_signal(number)
        assert audit.wait(30) == status
        assert audit.stderr.read().strip() == word
    end = time.monotonic() + 10
    while any(map(is_running, pids)) and time.monotonic() < end:
        time.sleep(0.05)
    assert [is_running(pid) for pid in pids] == [False, False]


def test_a_folder_belongs_to_one_audit_and_the_stage_that_it_left(tmp_path):
    write_text(tmp_path / "stages/slow.py", STAGE)
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    with subprocess.Popen(
        [sys.executable, "-c", AUDIT, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=environment
    ) as audit:
        assert audit.stdout is not None
        pids = [int(pid) for pid in audit.stdout.readline().split()[1:]]
        refused = pytest.raises(ValueError, match="another audit, or a stage left over from one, is running there")
        with refused, alone(tmp_path):
            pass
        audit.kill()  # which it cannot see, so that the stage goes on
        audit.wait()
        with refused, alone(tmp_path):
            pass
        for pid in reversed(pids):
            os.kill(pid, signal.SIGKILL)
    end = time.monotonic() + 10
    while any(map(is_running, pids)) and time.monotonic() < end:
        time.sleep(0.05)
    with alone(tmp_path):
        pass


def test_a_signal_that_is_ignored_stays_so(monkeypatch):
    before = {number: signal.getsignal(number) for number in commands.ENDING}
    try:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
        commands.heed_signals()
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) != before[signal.SIGTERM]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_a_stage_that_is_killed_is_named(tmp_path):
    write_text(tmp_path / "stages/slow.py", "import os\nos.kill(os.getpid(), 9)\n")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-c", AUDIT, str(tmp_path)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: slow was ended by SIGKILL; memory may have run out: give fewer --images;")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionError(13, "Permission denied", "a/b.csv"), "error: a/b.csv: Permission denied"),
        (OSError(28, "No space left on device"), "error: No space left on device"),
        (OSError("odd"), "error: odd"),
        (FileNotFoundError(2, "No such file", "x.npz"), "error: x.npz: no such file; run this stage through"),
    ],
)
def test_errors_of_the_system_are_answered_in_a_line(error, message):
    def main():
        raise error

    with pytest.raises(SystemExit) as caught:
        commands.run(main)
    assert str(caught.value).startswith(message)


def started(folder: Path) -> tuple[subprocess.Popen, list[psutil.Process]]:
    """An audit of a slow net in the middle of its first sweep, and the processes that it has begun."""
    command = [sys.executable, "-m", "advlaw", *SLOW, "--out", "ended"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "DELAY": "0.1"}
    audit = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    before = len(kept(folder))
    while len(kept(folder)) < before + 2:
        assert audit.poll() is None
        time.sleep(0.05)
    assert not list(folder.glob("ended/data/slow/sweeps/*/*.npz"))
    return audit, psutil.Process(audit.pid).children(recursive=True)


def kept(folder: Path) -> list[Path]:
    return [path for path in folder.glob("ended/.ckpt/shards/*") if not path.name.startswith(".")]


def written(folder: Path) -> dict[str, bytes]:
    found = (path for part in ("data/slow", "plots") for path in (folder / part).rglob("*"))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found if path.is_file()}


@pytest.mark.slow
def test_an_ended_audit_leaves_no_process_and_a_killed_one_goes_on_to_the_same_bytes(own_digits):
    audit, processes = started(own_digits)
    assert len(processes) >= 3  # the stages', and one for each thread
    audit.send_signal(signal.SIGTERM)
    assert audit.wait(30) == 143
    assert psutil.wait_procs(processes, timeout=10)[1] == []

    audit, processes = started(own_digits)
    for process in (psutil.Process(audit.pid), *processes):
        process.kill()
    audit.wait()
    done = {path: path.stat().st_mtime_ns for path in kept(own_digits)}
    assert len(done) >= 4

    output = command(own_digits, *SLOW, "--out", "ended")
    assert "fgsm fgsm: " in output
    assert " of 10 are there already" in output
    assert {path: path.stat().st_mtime_ns for path in done} == done
    command(own_digits, *SLOW, "--out", "whole", "--threads", "1")
    whole = written(own_digits / "whole")
    assert len(whole) > 15
    differing = [name for name, content in written(own_digits / "ended").items() if whole.pop(name) != content]
    assert whole == {}
    assert [name for name in differing if not name.endswith("report.html")] == []  # which says how many threads
