"""The files of a git revision, read through one process."""

import subprocess
from pathlib import Path


class Revision:
    """A git revision: its commit, and the blob of each of its files by path.

    Raises ValueError outside a git repository and for a revision that it does not have.
    """

    def __init__(self, root: Path, name: str) -> None:
        self.root, self.name = root, name
        self.commit = self._resolved()
        listed = self._git("ls-tree", "-r", "-z", self.commit)
        self.blobs: dict[str, str] = {}
        for entry in listed.decode("utf-8").split("\0")[:-1]:
            about, _, path = entry.partition("\t")
            self.blobs[path] = about.split(" ")[2]

    def read(self, paths: list[str]) -> dict[str, bytes]:
        """The bytes of those of these files that the revision has."""
        wanted = [path for path in paths if path in self.blobs]
        output = self._git("cat-file", "--batch", text="".join(f"{self.blobs[path]}\n" for path in wanted))
        contents, at = {}, 0
        for path in wanted:  # each: "<hash> blob <size>\n<bytes>\n"
            start = output.index(b"\n", at) + 1
            at = start + int(output[at:start].split(b" ")[2])
            contents[path] = output[start:at]
            at += 1
        return contents

    def _resolved(self) -> str:
        if self._call("rev-parse", "--git-dir").returncode:
            raise ValueError(
                f"{self.root.resolve()}: no git repository, so there is nothing to compare with; "
                "clone the project with git"
            )
        found = self._call("rev-parse", "--verify", "--quiet", "--end-of-options", self.name + "^{commit}")
        if found.returncode:
            raise ValueError(
                f"REV = {self.name!r}: no such revision; allowed: a branch, a tag or a commit of this repository "
                "(`git branch --all` lists the branches)"
            )
        return found.stdout.decode("ascii").strip()

    def _git(self, *arguments: str, text: str = "") -> bytes:
        done = self._call(*arguments, text=text)
        if done.returncode:
            raise ValueError(f"git {arguments[0]}: {done.stderr.decode('utf-8', 'replace').strip()}")
        return done.stdout

    def _call(self, *arguments: str, text: str = "") -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(
                ["git", *arguments], cwd=self.root, input=text.encode(), capture_output=True, check=False
            )
        except FileNotFoundError:
            raise ValueError("git: no such command; install git and run this again") from None
