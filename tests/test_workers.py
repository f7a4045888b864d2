"""Work items on several processes: what is kept is not computed again, and equal items are computed once."""

import sys

import pytest

from advlaw.core.kept import kept_path
from advlaw.core.workers import Pool, Workers


def test_only_what_is_missing_is_worked_on_in_several_rounds(tmp_path, capsys):
    paths = [tmp_path / str(i) for i in range(4)]
    paths[1].write_bytes(b"kept")
    with Pool(Workers(backend="loky", processes=2)) as pool:
        pool.fan_out(as_bytes, [(0,), (1,)], paths[:2], "count")
        first = pool._parallel
        pool.fan_out(as_bytes, [(2,), (3,)], paths[2:], "count")
        assert pool._parallel is first
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
