"""Downloads: verification, mirrors, broken transfers; against a real HTTP server on this machine."""

import gzip
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from test_data import idx_files

from advlaw.data import idx
from advlaw.data.download import DownloadError, DownloadPlace, RemoteFile, fetch, forget_downloads

CONTENT = np.random.default_rng(0).bytes(300_000)
PACKED = gzip.compress(CONTENT, mtime=0)


class Server:
    """Serves `files` (path -> bytes) with ranges; `broken` is how many transfers to cut after `cut_at` bytes."""

    def __init__(self):
        self.files, self.requests, self.broken, self.cut_at = {}, [], 0, 100_000
        self.status = 404
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.requests.append((self.path, self.headers.get("Range")))
                content = outer.files.get(self.path)
                if content is None:
                    self.send_error(outer.status)
                    return
                start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
                self.send_response(206 if start else 200)
                self.send_header("Content-Length", str(len(content) - start))
                self.end_headers()
                if outer.broken > 0:
                    outer.broken -= 1
                    self.wfile.write(content[start : start + outer.cut_at])
                    self.close_connection = True
                    return
                self.wfile.write(content[start:])

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def server():
    running = Server()
    yield running
    running.close()


def a_file(*places):
    return RemoteFile("set", "x.gz", "md5", hashlib.md5(CONTENT).hexdigest(), places)


def test_a_download_is_verified_by_its_contents_and_shown(server, tmp_path):
    server.files["/x.gz"] = gzip.compress(CONTENT, compresslevel=1, mtime=7)  # other bytes, same contents
    shown = []
    place = DownloadPlace(None, tmp_path, lambda done, total, name: shown.append((done, total, name)))
    content, provenance = fetch(a_file(server.url), place)
    assert content == CONTENT
    assert provenance == {
        "source": "official",
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "official": True,
    }
    assert shown[-1][0] == shown[-1][1] == len(server.files["/x.gz"])
    fetch(a_file(server.url), place)
    assert len(server.requests) == 1  # kept until the data set is written
    forget_downloads(place)
    assert not tmp_path.exists()


def test_a_broken_transfer_goes_on_where_it_stopped(server, tmp_path):
    server.files["/x.gz"] = PACKED
    server.broken = 2
    assert fetch(a_file(server.url), DownloadPlace(None, tmp_path))[0] == CONTENT
    assert [header for _, header in server.requests] == [None, "bytes=100000-", "bytes=200000-"]


def test_a_broken_transfer_goes_on_in_the_next_run(server, tmp_path):
    server.files["/x.gz"] = PACKED
    server.broken = 3
    server.cut_at = 50_000
    with pytest.raises(DownloadError, match="could not be downloaded"):
        fetch(a_file(server.url), DownloadPlace(None, tmp_path))
    assert fetch(a_file(server.url), DownloadPlace(None, tmp_path))[0] == CONTENT
    assert server.requests[-1][1] == "bytes=150000-"


def test_official_places_are_tried_in_order(server, tmp_path):
    server.files["/second/x.gz"] = PACKED
    file = a_file(server.url + "first/", server.url + "second/")
    assert fetch(file, DownloadPlace(None, tmp_path))[0] == CONTENT
    assert [path for path, _ in server.requests] == ["/first/x.gz", "/second/x.gz"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda packed: gzip.compress(CONTENT[:-1] + b"!"),
        lambda packed: packed[:-100],
        lambda packed: b"<html>moved</html>",
        lambda packed: b"",
    ],
)
def test_a_corrupt_file_names_expected_and_found_and_leaves_nothing(server, tmp_path, damage):
    server.files["/x.gz"] = damage(PACKED)
    with pytest.raises(DownloadError) as caught:
        fetch(a_file(server.url), DownloadPlace(None, tmp_path))
    message = str(caught.value)
    assert "set/x.gz" in message
    assert f"md5 expected {hashlib.md5(CONTENT).hexdigest()}, found" in message
    assert "ADVLAW_MIRROR" in message
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    server.files["/x.gz"] = PACKED
    assert fetch(a_file(server.url), DownloadPlace(None, tmp_path))[0] == CONTENT


def test_a_mirror_folder_comes_first_and_its_files_are_left_alone(server, tmp_path):
    mirror = tmp_path / "mirror"
    (mirror / "set").mkdir(parents=True)
    (mirror / "set" / "x.gz").write_bytes(PACKED)
    place = DownloadPlace(str(mirror), tmp_path / "downloads")
    content, provenance = fetch(a_file(server.url), place)
    assert content == CONTENT
    assert provenance["source"] == "mirror"
    assert server.requests == []
    (mirror / "set" / "x.gz").write_bytes(PACKED[:-9])
    with pytest.raises(DownloadError, match=r"x\.gz: contents are not set/x\.gz: md5 expected"):
        fetch(a_file(server.url), place)
    assert (mirror / "set" / "x.gz").exists()


def test_a_mirror_url_comes_first_and_what_it_lacks_is_fetched_elsewhere(server, tmp_path):
    server.files["/mirror/set/x.gz"] = PACKED
    assert fetch(a_file(server.url), DownloadPlace(server.url + "mirror", tmp_path))[1]["source"] == "mirror"
    server.files = {"/x.gz": PACKED}
    other = tmp_path / "other"
    assert fetch(a_file(server.url), DownloadPlace(server.url + "mirror/", other))[1]["source"] == "official"


def test_a_mirror_that_is_not_there_is_an_error(server, tmp_path):
    with pytest.raises(DownloadError, match="ADVLAW_MIRROR = /nowhere: no such folder"):
        fetch(a_file(server.url), DownloadPlace("/nowhere", tmp_path))
    server.status = 503
    with pytest.raises(DownloadError, match=r"ADVLAW_MIRROR = http.*503"):
        fetch(a_file(server.url), DownloadPlace(server.url, tmp_path))


@pytest.mark.parametrize("by_url", [False, True])
def test_a_mirrors_own_checksums_vouch_for_other_contents(server, tmp_path, by_url):
    other = gzip.compress(b"other contents", mtime=0)
    sums = f"{hashlib.sha256(other).hexdigest()}  set/x.gz\n"
    if by_url:
        server.files = {"/set/x.gz": other, "/SHA256SUMS": sums.encode()}
        mirror = server.url
    else:
        mirror = str(tmp_path / "mirror")
        (tmp_path / "mirror" / "set").mkdir(parents=True)
        (tmp_path / "mirror" / "set" / "x.gz").write_bytes(other)
        (tmp_path / "mirror" / "SHA256SUMS").write_text(sums, encoding="utf-8")
    content, provenance = fetch(a_file(), DownloadPlace(mirror, tmp_path / "downloads"))
    assert content == b"other contents"
    assert provenance["official"] is False


@pytest.mark.parametrize(
    ("line", "is_listed"),
    [
        (lambda digest: f"\ufeff{digest}  set/x.gz\r\n".encode(), True),  # saved on Windows
        (lambda digest: f"{digest} *set/x.gz\r".encode(), True),  # sha256sum's mark of a binary file
        (lambda digest: f"{digest.upper()}  .\\set\\x.gz\r\n".encode(), True),
        (lambda digest: f"{digest}  set/y.gz\n".encode(), False),
        (lambda digest: f"{digest[:-1]}  set/x.gz\n".encode(), False),
    ],
)
def test_a_mirrors_checksums_are_read_as_any_system_writes_them(tmp_path, line, is_listed):
    other = gzip.compress(b"other contents", mtime=0)
    (tmp_path / "mirror/set").mkdir(parents=True)
    (tmp_path / "mirror/set/x.gz").write_bytes(other)
    (tmp_path / "mirror/SHA256SUMS").write_bytes(line(hashlib.sha256(other).hexdigest()))
    place = DownloadPlace(str(tmp_path / "mirror"), tmp_path / "downloads")
    if is_listed:
        assert fetch(a_file(), place)[0] == b"other contents"
        return
    with pytest.raises(DownloadError, match=r"x\.gz: contents are not"):
        fetch(a_file(), place)


def test_a_mirrors_checksums_are_read_anew(server, tmp_path):
    place = DownloadPlace(server.url, tmp_path)
    for contents in (b"one", b"two"):
        other = gzip.compress(contents, mtime=0)
        sums = f"{hashlib.sha256(other).hexdigest()}  set/x.gz\n"
        server.files = {"/set/x.gz": other, "/SHA256SUMS": sums.encode()}
        assert fetch(a_file(), place)[0] == contents
        forget_downloads(place)


def test_mnist_is_read_split_and_its_origin_recorded(tmp_path, monkeypatch):
    files = idx_files(np.random.default_rng(1))
    (tmp_path / "mnist").mkdir()
    for name, packed in files.items():
        (tmp_path / "mnist" / name).write_bytes(packed)
    sums = {name: hashlib.md5(gzip.decompress(packed)).hexdigest() for name, packed in files.items()}
    monkeypatch.setitem(idx.CONTENT_MD5, "mnist", sums)
    counts = {"train": 200, "validation": 50, "test": 100}
    made, provenance = idx.idx_dataset("mnist", counts, 0, DownloadPlace(str(tmp_path), tmp_path / "d"))
    assert made.images.shape == (400, 1, 28, 28)
    assert [len(made.splits[name]) for name in counts] == [200, 50, 100]
    assert made.splits["test"].min() == 300
    assert max(made.splits["train"].max(), made.splits["validation"].max()) < 300
    assert set(provenance) == set(files)
    images = read_all(files, "t10k-images-idx3-ubyte.gz")
    np.testing.assert_array_equal(made.split("test")[0][:, 0], images)


UNFIT = {  # by what is changed in the contents of a file that its mirror vouches for
    "train-labels-idx1-ubyte.gz: image 299 has label 77; labels are 0 to 9": lambda content: content[:-1] + b"\x4d",
    r"train-labels-idx1-ubyte.gz: holds \(299,\), and a label for each of 300 images is wanted": lambda content: (
        content[:6] + b"\1\x2b" + content[8:-1]
    ),
    r"train-images-idx3-ubyte.gz: holds \(300, 14, 56\), and images of 28x28 pixels are wanted": lambda content: (
        content[:11] + b"\x0e\0\0\0\x38" + content[16:]
    ),
}


@pytest.mark.parametrize("message", UNFIT)
def test_files_that_do_not_fit_each_other_are_named(tmp_path, message):
    files, (name, _, _) = idx_files(np.random.default_rng(1)), message.partition(": ")
    files[name] = gzip.compress(UNFIT[message](gzip.decompress(files[name])))
    (tmp_path / "mnist").mkdir()
    for each, packed in files.items():
        (tmp_path / "mnist" / each).write_bytes(packed)
    sums = "".join(f"{hashlib.sha256(packed).hexdigest()}  mnist/{each}\n" for each, packed in files.items())
    (tmp_path / "SHA256SUMS").write_text(sums, encoding="utf-8")
    counts = {"train": 200, "validation": 50, "test": 100}
    with pytest.raises(ValueError, match=message):
        idx.idx_dataset("mnist", counts, 0, DownloadPlace(str(tmp_path), tmp_path / "d"))


def read_all(files, name):
    return idx.read_idx(gzip.decompress(files[name]), name)
