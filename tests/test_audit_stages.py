"""An audit's folder: nothing of an earlier run stays in it, nothing of a person's own goes, no stage outlives it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from advlaw.audit import stages as audit_stages
from advlaw.audit.folder import HEADER, check_folder, net_name
from advlaw.audit.stages import alone, is_done, outputs, remember, run_stage, take_back
from advlaw.core import command
from advlaw.core.io import write_text

ROOT = Path(__file__).parents[1]


@pytest.fixture
def stages(tmp_path, monkeypatch):
    """Stages that write what `plans` says, as paths with their text; where that is ! they are interrupted."""
    plans: dict[str, dict[str, str]] = {}

    def run(folder, stage):
        for path, text in plans[" ".join(stage)].items():
            if text == "!":
                raise KeyboardInterrupt
            write_text(folder / path, text)

    monkeypatch.setattr(audit_stages, "_run", run)
    return plans


def files(folder: Path) -> set[str]:
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {path for path in found if not path.startswith(".done")}


def test_outputs_are_those_of_the_pipeline():
    assert outputs(["sweep", "pgd"], "net") == ["data/net/sweeps/pgd"]
    assert outputs(["provenance", "images"], "net") == ["plots/net/provenance/images.csv"]
    assert outputs(["figures"], "net") == ["plots/net/figures"]
    assert "plots/net/exponents.csv" in outputs(["fit"], "net")
    assert outputs(["report"], "net") == ["plots/net/report.html"]
    for stage in YAML(typ="safe", pure=True).load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]:
        assert not any("$" in place for place in outputs([stage, "x"], "net")), stage


def test_what_an_outdated_stage_wrote_goes_and_all_else_stays(tmp_path, stages):
    stages["sweep pgd"] = {"data/net/sweeps/pgd/pgd.npz": "1"}
    stages["figures"] = {"plots/net/figures/one.svg": "1", "plots/net/figures/two.svg": "1"}
    write_text(tmp_path / "plots/net/figures/mine.svg", "a person's own, from before")
    os.utime(tmp_path / "plots/net/figures/mine.svg", (1, 1))
    for stage in (["sweep", "pgd"], ["figures"]):
        run_stage(tmp_path, "net", stage, "aa11")
    write_text(tmp_path / "plots/net/notes.csv", "a person's own")
    write_text(tmp_path / "plots/net/figures/added.svg", "a person's own, of after")
    assert is_done(tmp_path, ["figures"], "aa11")
    assert take_back(tmp_path, "aa") == take_back(tmp_path, "aa1122") == 0
    assert take_back(tmp_path, "bb") == 3
    assert files(tmp_path) == {"plots/net/notes.csv", "plots/net/figures/mine.svg", "plots/net/figures/added.svg"}
    assert not (tmp_path / "data").exists()
    assert not is_done(tmp_path, ["figures"], "aa11")
    assert not list((tmp_path / ".done").iterdir())


def test_a_stage_that_runs_anew_first_removes_what_it_wrote(tmp_path, stages):
    stages["figures"] = {"plots/net/figures/one.svg": "1", "plots/net/figures/two.svg": "1"}
    run_stage(tmp_path, "net", ["figures"], "aa")
    stages["figures"] = {"plots/net/figures/two.svg": "2"}
    run_stage(tmp_path, "net", ["figures"], "aa")
    assert files(tmp_path) == {"plots/net/figures/two.svg"}


def test_what_an_interrupted_stage_left_goes(tmp_path, stages):
    stages["figures"] = {"plots/net/figures/one.svg": "1", "plots/net/figures/two.svg": "!"}
    with pytest.raises(KeyboardInterrupt):
        run_stage(tmp_path, "net", ["figures"], "aa")
    assert files(tmp_path) == {"plots/net/figures/one.svg"}
    assert not is_done(tmp_path, ["figures"], "aa")
    assert take_back(tmp_path, "aa") == 0  # of no audit that had ended
    assert files(tmp_path) == set()


def test_files_that_no_stage_writes_are_remembered_too(tmp_path):
    write_text(tmp_path / "plots/net/claims.csv", "x")
    remember(tmp_path, "prepared", "aa", [tmp_path / "plots/net/claims.csv"])
    assert take_back(tmp_path, "bb") == 1
    assert not (tmp_path / "plots").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"state": "aa"}', "null"])
def test_a_damaged_marker_counts_as_none(tmp_path, text):
    write_text(tmp_path / ".done/figures.json", text)
    write_text(tmp_path / "plots/net/figures/one.svg", "x")
    assert not is_done(tmp_path, ["figures"], "bb")
    take_back(tmp_path, "bb")
    assert files(tmp_path) == {"plots/net/figures/one.svg"}


@pytest.mark.parametrize(
    ("model", "arguments", "name"),
    [
        ("mine.nets:lenet", {}, "lenet"),
        ("nets/lenet-5.pt2", {}, "lenet-5"),
        ("timm:create_model", {"model_name": "resnet18"}, "create_model_resnet18"),
        ("timm:create_model", {"model_name": "vit_b.augreg", "num_classes": 7}, "create_model_vit_b_augreg"),
        ("mine:net", {"width": 3, "bias": False}, "net"),
        ("mine:summary", {}, "summary_net"),  # whose folder would be that of all studies
        ("mine:__", {}, "model"),
    ],
)
def test_nets_are_called_by_their_factory_and_arguments_that_are_text(model, arguments, name):
    assert net_name(model, arguments) == name


def test_long_names_are_cut_and_still_differ():
    names = {net_name("mine:net", {"path": "x" * 200 + end}) for end in "ab"}
    assert len(names) == 2
    assert {len(name) for name in names} == {60}


def entry(**changes) -> dict:
    usual = {"arch": "own_module", "module": "timm:create_model", "arguments": {"depth": 2}, "weights": "/w/a.pt"}
    return {**usual, **changes}


def write_audit(folder: Path) -> None:
    text = json.dumps({"pretrained_models": {"net": {"dataset": "images", **entry()}}})
    write_text(folder / "params.yaml", HEADER + text)
    write_text(folder / ".done/pretrained_net.json", '{"state": "a", "files": []}')


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"module": "mine:net"}, "holds an audit of timm:create_model; give another --out, or remove this folder"),
        ({"weights": "/w/b.pt"}, "holds an audit of timm:create_model with the weights /w/a.pt; give another --out"),
        ({"weights": None}, "with the weights /w/a.pt; give another --out"),
        ({"arguments": {"depth": 3}}, "with --arguments '{\"depth\": 2}'; give another --out"),
    ],
)
def test_the_folder_of_another_model_is_refused(tmp_path, changes, message):
    write_audit(tmp_path)
    check_folder(tmp_path, entry(), False)
    with pytest.raises(ValueError, match=f"^{tmp_path}: holds") as caught:
        check_folder(tmp_path, entry(**changes), False)
    assert message in str(caught.value)


def test_the_folder_of_an_audit_that_never_took_its_model_is_anybodys(tmp_path):
    write_audit(tmp_path)
    (tmp_path / ".done/pretrained_net.json").unlink()
    check_folder(tmp_path, entry(module="mine:nett"), False)


def test_a_folder_that_is_given_may_be_used_for_other_arguments(tmp_path):
    write_audit(tmp_path)
    check_folder(tmp_path, entry(arguments={"depth": 3}), True)
    with pytest.raises(ValueError, match="with the weights /w/a"):
        check_folder(tmp_path, entry(weights="/w/b.pt"), True)


@pytest.mark.parametrize("text", ["pretrained_models: [", "pretrained_models: {}", "x: 1", "pretrained_models: {a: 1}"])
def test_the_folder_of_a_damaged_audit_is_named(tmp_path, text):
    write_audit(tmp_path)
    write_text(tmp_path / "params.yaml", HEADER + text)
    with pytest.raises(
        ValueError, match=r"params\.yaml: was changed and no longer describes an audit; give another --out, or remove"
    ):
        check_folder(tmp_path, entry(), True)


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
        audit_stages._run(Path(sys.argv[1]), ["slow"])
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
    before = {number: signal.getsignal(number) for number in command.ENDING}
    try:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
        command.heed_signals()
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
        command.run(main)
    assert str(caught.value).startswith(message)
