"""Verified downloads: a mirror first, then the official places in order; broken transfers go on where they stopped.

What arrives is checked against a pinned checksum of its contents before anything reads it. A file that fails
is removed and named in the error.
"""

import gzip
import hashlib
import http.client
import shutil
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from advlaw.core.io import read_text

CHUNK = 1 << 16
TRIES_A_PLACE = 3
TIMEOUT_SECONDS = 30
Progress = Callable[[int, int | None, str], None]
Provenance = dict[str, dict[str, object]]  # of every file: source, sha256, official


class DownloadError(ValueError):
    """A file that could not be had, or is not what it should be."""


@dataclass(frozen=True)
class RemoteFile:
    """One file of a data set; `checksum` is `algorithm` over the contents: uncompressed, but for a .tar.gz."""

    dataset: str
    name: str
    algorithm: str
    checksum: str
    places: tuple[str, ...]

    @property
    def is_gzip(self) -> bool:
        return self.name.endswith(".gz") and not self.name.endswith(".tar.gz")

    def digest(self, content: bytes) -> str:
        return hashlib.new(self.algorithm, content, usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class DownloadPlace:
    """Where files are looked for and kept: a mirror (folder or base URL) or None, and the download folder."""

    mirror: str | None
    downloads: Path
    report: Progress = lambda done, total, name: None


def fetch(file: RemoteFile, place: DownloadPlace) -> tuple[bytes, dict[str, object]]:
    """The verified, uncompressed contents and their provenance: {source, sha256, official}.

    Raises DownloadError naming the file, what was expected and found, and every place that was tried.
    """
    if found := fetch_from_mirror(file, place):
        return found
    kept = place.downloads / file.dataset / file.name
    if kept.exists():
        return _verified(file, kept, "official", ours=True)
    failures = []
    for base in file.places:
        try:
            _transfer(base + file.name, kept, place.report)
            return _verified(file, kept, "official", ours=True)
        except (DownloadError, OSError, http.client.HTTPException) as error:
            failures.append(f"  {base}: {error}")
    raise _unavailable(f"{file.dataset}/{file.name}", failures, place)


def fetch_for_verification(relative: str, url: str | None, place: DownloadPlace) -> tuple[Path, str]:
    """Where a file now lies whose bytes are not pinned, and its source; the caller verifies the contents before use.

    Looked for as `relative` in the mirror, whatever its SHA256SUMS says, then at `url`. Where the contents are not what
    they should be, the caller calls `forget_downloads`. Raises DownloadError naming every place that was tried.
    """
    if folder := _mirror_with(relative, place):
        return folder / relative, "mirror"
    if url is None:
        raise _unavailable(relative, [], place)
    kept = place.downloads / url.rpartition("/")[2]
    try:
        if not kept.exists():
            _transfer(url, kept, place.report)
    except (OSError, http.client.HTTPException) as error:
        raise _unavailable(relative, [f"  {url}: {error}"], place) from None
    return kept, "official"


def _unavailable(relative: str, failures: list[str], place: DownloadPlace) -> DownloadError:
    """The error for a file that no place has; `failures` has a line for each official one."""
    lacking = [f"  ADVLAW_MIRROR = {place.mirror}: has no {relative}"] if place.mirror else []
    return DownloadError(
        f"{relative} could not be downloaded:\n" + "\n".join(lacking + failures) + "\n"
        f"  Next: check the network, or set ADVLAW_MIRROR to a folder or base URL that holds {relative}"
    )


def fetch_from_mirror(file: RemoteFile, place: DownloadPlace) -> tuple[bytes, dict[str, object]] | None:
    """What ADVLAW_MIRROR holds of this file, or None where there is none; raises DownloadError as `fetch` does."""
    relative = f"{file.dataset}/{file.name}"
    folder = _mirror_with(relative, place)
    if folder is None:
        return None
    sums = folder / "SHA256SUMS"
    listed = read_text(sums) if sums.is_file() else ""
    return _verified(file, folder / relative, "mirror", folder != Path(str(place.mirror)), listed)


def _mirror_with(relative: str, place: DownloadPlace) -> Path | None:
    """The mirror's folder, or a copy of what is needed of a base URL, if it holds this file."""
    if not place.mirror:
        return None
    mirror = place.mirror
    if "://" in mirror:
        folder = place.downloads / "mirror"
        (folder / "SHA256SUMS").unlink(missing_ok=True)  # of this mirror, as it is today
        try:
            for name in (relative, "SHA256SUMS"):
                _transfer_if_there(mirror.rstrip("/") + "/" + name, folder / name, place.report)
        except (OSError, http.client.HTTPException) as error:
            raise DownloadError(f"ADVLAW_MIRROR = {mirror}: {relative}: {error}") from None
    elif Path(mirror).is_dir():
        folder = Path(mirror)
    else:
        raise DownloadError(f"ADVLAW_MIRROR = {mirror}: no such folder; unset it or name a folder or base URL")
    return folder if (folder / relative).is_file() else None


def _verified(file: RemoteFile, path: Path, source: str, ours: bool, sums: str = "") -> tuple[bytes, dict[str, object]]:
    """Contents of `path` if they are the official ones, or those a mirror's own SHA256SUMS vouches for.

    A bad file is removed if it is `ours`: one we downloaded, not one in the user's folder.
    """
    raw = path.read_bytes()
    try:
        content = gzip.decompress(raw) if file.is_gzip else raw
        found = file.digest(content)
    except (OSError, EOFError, zlib.error) as error:
        content, found = b"", f"no readable gzip file ({error})"
    sha256 = hashlib.sha256(content).hexdigest()
    if found == file.checksum:
        return content, {"source": source, "sha256": sha256, "official": True}
    listed = (hashlib.sha256(raw).hexdigest(), f"{file.dataset}/{file.name}") in _sums(sums)
    if listed and content:
        return content, {"source": source, "sha256": sha256, "official": False}
    if ours:
        path.unlink()
    raise DownloadError(
        f"{path}: contents are not {file.dataset}/{file.name}: {file.algorithm} expected {file.checksum}, "
        f"found {found}; replace the file and run again"
    )


def _sums(text: str) -> set[tuple[str, str]]:
    """(checksum, path) of each line of a SHA256SUMS, which marks binary files with a star, and may write \\ for /."""
    lines = (line.strip().partition(" ") for line in text.splitlines())
    return {(digest.lower(), name.lstrip(" *").replace("\\", "/").removeprefix("./")) for digest, _, name in lines}


def _transfer(url: str, target: Path, report: Progress) -> None:
    """Download to `target`, continuing a `.part` left by a broken transfer."""
    origin = hashlib.sha256(url.encode()).hexdigest()[:8]
    part = target.with_name(f"{target.name}.{origin}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(1, TRIES_A_PLACE + 1):
        try:
            _append(url, part, target.name, report)
            break
        except urllib.error.HTTPError as error:
            if error.code == 416:  # the part is longer than the file: not its beginning
                part.unlink(missing_ok=True)
            elif error.code < 500:
                raise
            if attempt == TRIES_A_PLACE:
                raise
        except (OSError, http.client.HTTPException):
            if attempt == TRIES_A_PLACE:
                raise
    part.replace(target)


def _transfer_if_there(url: str, target: Path, report: Progress) -> None:
    """Download unless it is here already or the server says it has no such file."""
    try:
        if not target.exists():
            _transfer(url, target, report)
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise


def _append(url: str, part: Path, name: str, report: Progress) -> None:
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
        if answer.status != 206:
            have = 0
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length else None
        with part.open("ab" if have else "wb") as file:
            while block := answer.read(CHUNK):
                file.write(block)
                have += len(block)
                report(have, total, name)
    if total is not None and have < total:
        raise http.client.IncompleteRead(b"", total - have)


def forget_downloads(place: DownloadPlace) -> None:
    """Remove what was kept of a data set, once it has been written."""
    shutil.rmtree(place.downloads, ignore_errors=True)
