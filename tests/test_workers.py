"""Work items on several processes: what is kept or equal is computed once, a killed worker is replaced."""

import os
import re
import signal
import sys
from pathlib import Path

import dask
import distributed  # noqa: F401  its defaults are to stay
import pytest
from repository import ROOT

from advlaw.core.kept import kept_path
from advlaw.core.workers import Pool, Workers


def test_only_what_is_missing_is_worked_on_in_several_rounds(tmp_path, capsys):
    paths = [tmp_path / str(i) for i in range(4)]
    paths[1].write_bytes(b"kept")
    with Pool(Workers(backend="loky", processes=2)) as pool:
        pool.fan_out(as_bytes, [(0,), (1,)], paths[:2], "count")
        first = pool._run
        pool.fan_out(as_bytes, [(2,), (3,)], paths[2:], "count")
        assert pool._run is first
    assert [path.read_bytes() for path in paths] == [b"0", b"kept", b"2", b"3"]
    assert "count: 1 of 2 are there already" in capsys.readouterr().out


def test_equal_items_are_worked_on_once_and_leave_nothing_else_behind(tmp_path):
    paths = [tmp_path / "kept" / name for name in ("a", "b", "a", "b")]
    with Pool(Workers(backend="loky", processes=2)) as pool:
        pool.fan_out(as_bytes, [(0,), (1,), (0,), (1,)], paths, "count")
    assert {path.name: path.read_bytes() for path in (tmp_path / "kept").iterdir()} == {"a": b"0", "b": b"1"}


def as_bytes(number: int) -> bytes:
    return str(number).encode()


def test_the_key_of_a_result_is_that_of_its_settings(monkeypatch, tmp_path):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    first = kept_path("nets", {"seed": 0, "net": "a"})
    assert first.parent == tmp_path / ".ckpt" / "nets"
    assert kept_path("nets", {"net": "a", "seed": 0}) == first
    assert kept_path("nets", {"seed": 1, "net": "a"}) != first


@pytest.mark.parametrize(("backend", "library"), [("ray", "ray"), ("dask", "distributed")])
def test_a_backend_that_is_not_installed_is_named(monkeypatch, tmp_path, backend, library):
    monkeypatch.setitem(sys.modules, library, None)
    with (
        Pool(Workers(backend=backend, processes=2)) as pool,
        pytest.raises(ValueError, match=f"workers.backend = '{backend}': {library} is not installed"),
    ):
        pool.fan_out(as_bytes, [(0,)], [tmp_path / "0"], "count")


@pytest.fixture(params=["loky", *(pytest.param(name, marks=pytest.mark.slow) for name in ("ray", "dask"))])
def workers(request, monkeypatch):
    """Two of each backend, on this machine, which find the functions of this file; nobody else tries what is lost."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(str(ROOT / folder) for folder in ("src", "tests")))
    monkeypatch.setenv("RAY_TASK_MAX_RETRIES", "0")
    for name in ("RAY_ADDRESS", "DASK_SCHEDULER_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}):
        yield Workers(backend=request.param, processes=2)


@pytest.mark.filterwarnings("ignore")
def test_others_do_what_a_killed_worker_leaves_and_a_mistake_keeps_its_own_words(workers, tmp_path, capsys):
    paths, marker = [tmp_path / str(i) for i in range(6)], tmp_path / "killed"
    with Pool(workers) as pool:
        pool.fan_out(as_bytes_once_killed, [(i, marker) for i in range(6)], paths, "count")
        with pytest.raises(ValueError, match=r"^7: too many$"):
            pool.fan_out(too_many, [(7,)], [tmp_path / "7"], "count")
    assert [path.read_bytes() for path in paths] == [b"0", b"1", b"2", b"3", b"4", b"5"]
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("count: ")]
    assert len(said) == 1
    assert re.fullmatch(r"count: a worker was killed; others go on with the [1-6] that are missing", said[0])


@pytest.mark.filterwarnings("ignore")
def test_workers_that_are_killed_again_and_again_are_given_up(workers, tmp_path):
    paths = [tmp_path / str(i) for i in range(2)]
    given_up = r"none of the last 2 is done; where memory is short set workers\.processes = 1,"
    with Pool(workers) as pool, pytest.raises(ValueError, match=given_up):
        pool.fan_out(killed, [(0,), (1,)], paths, "count")
    assert not any(path.exists() for path in paths)


def as_bytes_once_killed(number: int, marker: Path) -> bytes:
    if number == 2 and not marker.exists():
        marker.touch()
        killed(number)
    return as_bytes(number)


def killed(number: int) -> bytes:
    os.kill(os.getpid(), signal.SIGKILL)
    return as_bytes(number)


def too_many(number: int) -> bytes:
    raise ValueError(f"{number}: too many")


@pytest.mark.parametrize(
    ("device", "share_a_gpu", "processes"), [("cpu", False, 4), ("cuda", False, 1), ("cuda", True, 4)]
)
def test_one_process_has_a_gpu_unless_several_share_it(device, share_a_gpu, processes):
    assert Workers(backend="ray", processes=4).on(device, share_a_gpu).processes == processes
