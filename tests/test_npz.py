"""Files of arrays: the same bytes whatever wrote them, read whole or a part at a time."""

import hashlib
import zipfile

import numpy as np
import pytest

from advlaw.core.io import read_npz, rows_on_disk, write_npz

PIXELS = np.random.default_rng(0).integers(0, 256, (60, 3, 4, 5), dtype=np.uint8)
ARRAYS = {"images": PIXELS, "a number": np.array(2.5), "labels": np.arange(60)}


def test_a_file_cut_short_is_named(tmp_path):
    path = tmp_path / "d.npz"
    write_npz(path, ARRAYS, plain=["images"])
    rows = rows_on_disk(path, "images")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"d\.npz: ends before its array does"):
        rows[:]


def test_an_npz_has_the_same_bytes_whatever_wrote_it(tmp_path):
    """Of members that are not compressed: those others depend on zlib, which Python does not bring along."""
    write_npz(tmp_path / "a.npz", ARRAYS, plain=ARRAYS)
    digest = hashlib.sha256((tmp_path / "a.npz").read_bytes()).hexdigest()
    assert digest == "f83423df29aee90648b741d3edf3f89348a5e675db1fd83ff1c85f6266207c34"
    with zipfile.ZipFile(tmp_path / "a.npz") as file:
        for member in file.infolist():
            assert member.date_time == (1980, 1, 1, 0, 0, 0)
            assert (member.create_system, member.extract_version, member.extra) == (3, 20, b"")


@pytest.mark.parametrize("plain", [(), ("images",), tuple(ARRAYS)])
def test_an_npz_is_one_to_numpy(tmp_path, plain):
    write_npz(tmp_path / "a.npz", ARRAYS, plain)
    for found in (dict(np.load(tmp_path / "a.npz")), read_npz(tmp_path / "a.npz")):
        assert found.keys() == ARRAYS.keys()
        for name, array in ARRAYS.items():
            assert found[name].dtype == array.dtype
            np.testing.assert_array_equal(found[name], array)
    assert read_npz(tmp_path / "a.npz", "labels").keys() == {"labels"}


def test_rows_of_any_type_are_read_from_the_disk(tmp_path):
    values = np.arange(24.0).reshape(6, 4)
    write_npz(tmp_path / "a.npz", {"x": np.arange(3), "values": values, "turned": values.T}, plain=["values", "turned"])
    rows = rows_on_disk(tmp_path / "a.npz", "values")
    assert (rows.shape, rows.dtype, len(rows)) == ((6, 4), values.dtype, 6)
    np.testing.assert_array_equal(rows[np.array([5, 0])], values[[5, 0]])
    assert rows_on_disk(tmp_path / "a.npz", "x") is None
    assert rows_on_disk(tmp_path / "a.npz", "turned") is None
