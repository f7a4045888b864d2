"""Mirrors that are slow, end too early, answer with something else or not at all: a data set, or a line of why not."""

import gzip
import hashlib
import random
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
from common import Outcome, answer, differences, files, refusal
from inputs import dataset_stage
from test_data import idx_files

EACH = 3  # of every kind
NOWHERE = "http://127.0.0.1:9"  # in the place of the official addresses
BROKEN = ("other contents", "404", "500", "cut short, always", "a page in its place", "empty", "no answer", "no server")
MENDED = ("slow", "cut short, once", "without a length")


class Mirror:
    """Serves the four files of a small MNIST and their checksums, in one of the ways of BROKEN and MENDED."""

    def __init__(self, contents: dict[str, bytes], how: str, rng: random.Random) -> None:
        sums = "".join(f"{hashlib.sha256(packed).hexdigest()}  mnist/{name}\n" for name, packed in contents.items())
        served = {**{f"/mnist/{name}": packed for name, packed in contents.items()}, "/SHA256SUMS": sums.encode()}
        spoiled, cut = f"/mnist/{rng.choice(sorted(contents))}", {"left": 1}

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                content = served.get(self.path)
                if content is None:
                    self.send_error(404)
                    return
                start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
                way = how if self.path == spoiled else ""
                if way in ("404", "500"):
                    self.send_error(int(way))
                    return
                if way == "no answer":
                    time.sleep(600)
                if way == "other contents":
                    content = gzip.compress(rng.randbytes(5000))
                elif way == "a page in its place":
                    content = b"<html>Sign in to the network</html>"
                elif way == "empty":
                    content = b""
                self.send_response(206 if start else 200)
                if way != "without a length":
                    self.send_header("Content-Length", str(len(content) - start))
                self.end_headers()
                rest = content[start:]
                if way == "cut short, always" or (way == "cut short, once" and cut["left"]):
                    cut["left"] = 0
                    self.wfile.write(rest[: len(rest) // 2])
                    self.close_connection = True
                elif way == "slow":
                    for at in range(0, len(rest), 1 + len(rest) // 20):
                        self.wfile.write(rest[at : at + 1 + len(rest) // 20])
                        time.sleep(0.2)
                else:
                    self.wfile.write(rest)

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        if how == "no server":
            self.close()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def outcomes(folder: Path, seed: int) -> Iterator[Outcome]:
    rng, contents = random.Random(f"{seed} network"), idx_files(np.random.default_rng(0))
    command = dataset_stage(folder, "mnist", {"source": "mnist", "train": 200, "validation": 50, "test": 100})
    before = files(folder)
    for how in (*BROKEN, *MENDED):
        for number in range(EACH):
            mirror = Mirror(contents, how, rng)
            found = answer(folder, *command, seconds=300, ADVLAW_MIRROR=mirror.url, https_proxy=NOWHERE)
            if how != "no server":
                mirror.close()
            made = (folder / "data/datasets/mnist.npz").exists()
            if how in MENDED:
                broken = "" if found.code == 0 and made else f"was not made: {found.last}"
            else:
                broken = refusal(found, "mnist") or ("made a data set" if made else "")
            kept = {
                name: content for name, content in files(folder).items() if "downloads" not in name
            }  # for the next try
            left = differences(before, kept) if how in BROKEN else ""
            yield Outcome("a mirror", f"{how} ({number} of seed {seed})", broken or (left and f"left: {left}"))
            for path in sorted((folder / "data").rglob("*"), reverse=True):
                path.unlink() if path.is_file() else path.rmdir()
