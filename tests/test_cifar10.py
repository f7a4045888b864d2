"""CIFAR-10's binary version: from a mirror's files or the archive, and what is refused."""

import dataclasses
import hashlib
import io
import runpy
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from test_download import Server

from advlaw.data import cifar10
from advlaw.data.cifar10 import CONTENT_MD5, FOLDER, cifar10_dataset, read_records
from advlaw.data.download import DownloadError, DownloadPlace, RemoteFile

ROOT = Path(__file__).parents[1]
COUNTS = {"train": 45_000, "validation": 5_000, "test": 10_000}
N_DAMAGED = 20  # two of each kind


def records(seed):
    """The bytes of a file of 10,000 random records."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(256, size=(10_000, 3073), dtype=np.uint8)
    rows[:, 0] = rng.integers(10, size=10_000)
    return rows.tobytes()


@pytest.fixture(scope="module")
def files():
    return {name: records(i) for i, name in enumerate(CONTENT_MD5)}


def sums_of(files):
    return "".join(f"{hashlib.sha256(content).hexdigest()}  {FOLDER}/{name}\n" for name, content in files.items())


@pytest.fixture(scope="module")
def mirror(files, tmp_path_factory):
    """A folder with the six files and SHA256SUMS, as a person without the official archive would have."""
    folder = tmp_path_factory.mktemp("mirror")
    (folder / FOLDER).mkdir()
    for name, content in files.items():
        (folder / FOLDER / name).write_bytes(content)
    (folder / "SHA256SUMS").write_text(sums_of(files), encoding="utf-8")
    return folder


def test_a_mirrors_files_are_read_and_recorded_as_what_they_are(mirror, files, tmp_path, monkeypatch):
    dataset, provenance = cifar10_dataset(COUNTS, 0, DownloadPlace(str(mirror), tmp_path))
    assert dataset.images.shape == (60_000, 3, 32, 32)
    assert [len(index) for index in dataset.splits.values()] == list(COUNTS.values())
    assert dataset.splits["test"].tolist() == list(range(50_000, 60_000))
    assert max(dataset.splits["train"].max(), dataset.splits["validation"].max()) < 50_000
    raw = np.frombuffer(files["data_batch_2.bin"], dtype=np.uint8).reshape(-1, 3073)[17]
    assert dataset.labels[10_017] == raw[0]
    np.testing.assert_array_equal(dataset.images[10_017, 1, 0], raw[1 + 1024 : 1 + 1024 + 32])  # green, first row
    assert {origin["official"] for origin in provenance.values()} == {False}
    assert provenance["test_batch.bin"]["sha256"] == hashlib.sha256(files["test_batch.bin"]).hexdigest()
    for name, content in files.items():
        monkeypatch.setitem(CONTENT_MD5, name, hashlib.md5(content).hexdigest())
    _, provenance = cifar10_dataset(COUNTS, 0, DownloadPlace(str(mirror), tmp_path))
    assert {origin["official"] for origin in provenance.values()} == {True}


@pytest.mark.slow
def test_the_archive_is_read_where_a_mirror_has_no_files(files, tmp_path, monkeypatch):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{FOLDER}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    raw = packed.getvalue()
    server = Server()
    server.files["/cifar-10-binary.tar.gz"] = raw
    wanted = hashlib.sha256(raw).hexdigest()
    pinned = RemoteFile("cifar10", "cifar-10-binary.tar.gz", "sha256", wanted, (server.url,))
    monkeypatch.setattr(cifar10, "ARCHIVE", pinned)
    dataset, provenance = cifar10_dataset(COUNTS, 0, DownloadPlace(str(tmp_path), tmp_path / "downloads"))
    np.testing.assert_array_equal(dataset.images[:10_000], read_records(files["data_batch_1.bin"], "x")[0])
    assert provenance == {"cifar-10-binary.tar.gz": {"source": "official", "sha256": wanted, "official": True}}
    server.files["/cifar-10-binary.tar.gz"] = raw[:-7]
    with pytest.raises(DownloadError, match=r"cifar-10-binary\.tar\.gz: .*sha256 expected"):
        cifar10_dataset(COUNTS, 0, DownloadPlace(None, tmp_path / "other"))
    for at in range(1000, len(raw), len(raw) // 3):  # damaged, though the checksum vouches for it
        damaged = raw[:at] + bytes(500) + raw[at + 500 :]
        server.files["/cifar-10-binary.tar.gz"] = damaged
        wanted = hashlib.sha256(damaged).hexdigest()
        monkeypatch.setattr(cifar10, "ARCHIVE", dataclasses.replace(pinned, checksum=wanted))
        with pytest.raises(ValueError, match=r"cifar-10-binary\.tar\.gz: no CIFAR-10 archive"):
            cifar10_dataset(COUNTS, 0, DownloadPlace(None, tmp_path / f"damaged{at}"))
    server.close()
    assert [path for path in (tmp_path / "other").rglob("*") if path.is_file()] == []


def damages(files):
    """(what, name of the file, its new bytes, whether SHA256SUMS is made anew to vouch for them)."""
    rng = np.random.default_rng(0)
    names = list(files)
    for i in range(N_DAMAGED):
        name = names[i % len(names)]
        content = files[name]
        at = int(rng.integers(len(content)))
        kind = i % 10
        if kind in (0, 1):
            yield "truncated", name, content[:at], kind == 1
        elif kind == 2:
            yield "one bit flipped", name, content[:at] + bytes([content[at] ^ 1 << i % 8]) + content[at + 1 :], False
        elif kind in (3, 4):
            yield "longer", name, content + rng.bytes(1 + i), kind == 3
        elif kind == 5:
            yield "empty", name, b"", i % 4 == 1
        elif kind == 6:
            record = 3073 * int(rng.integers(10_000))
            yield "a label above 9", name, content[:record] + bytes([10 + i]) + content[record + 1 :], True
        elif kind == 7:
            yield "another file's bytes", name, files[names[(i + 1) % len(names)]], False
        elif kind == 8:
            yield "a part zeroed", name, content[:at] + bytes(len(content) - at), False
        else:
            yield "missing", name, None, False


@pytest.mark.slow
def test_damaged_mirrors_are_refused_and_nothing_is_left_behind(mirror, files, tmp_path, monkeypatch):
    (tmp_path / "datasets").symlink_to(ROOT / "datasets")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["dataset.py", "cifar10"])
    seen = 0
    for number, (what, name, content, is_vouched_for) in enumerate(damages(files)):
        damaged = tmp_path / f"mirror{number}"
        (damaged / FOLDER).mkdir(parents=True)
        for other in files:
            if other != name:
                (damaged / FOLDER / other).hardlink_to(mirror / FOLDER / other)
        held = files if content is None else {**files, name: content}
        if content is not None:
            (damaged / FOLDER / name).write_bytes(content)
        (damaged / "SHA256SUMS").write_text(sums_of(held if is_vouched_for else files), encoding="utf-8")
        monkeypatch.setenv("ADVLAW_MIRROR", str(damaged))
        with pytest.raises(SystemExit) as refused:
            runpy.run_path(str(ROOT / "stages" / "dataset.py"), run_name="__main__")
        message = str(refused.value)
        assert message.startswith("error: "), what
        assert name in message, f"{what}: {message}"
        assert not list(tmp_path.glob("data/**/*")), what
        seen += 1
        for file in (damaged / FOLDER).iterdir():
            file.unlink()
    assert seen == N_DAMAGED


@pytest.mark.parametrize("n_bytes", [0, 3073, 30_730_000 - 1, 30_730_000 + 3073])
def test_a_file_of_another_size_is_refused(n_bytes):
    with pytest.raises(ValueError, match=rf"x.bin: {n_bytes} bytes; a CIFAR-10 file has 10000 records of 3073 bytes"):
        read_records(bytes(n_bytes), "x.bin")
