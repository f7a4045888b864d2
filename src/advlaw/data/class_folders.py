"""Which files of a folder are images of which class folder, and a line for each kind of what is left out."""

import os
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

SUFFIXES = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".ppm", ".bmp", ".pgm", ".pnm", ".tif", ".tiff", ".webp"}
HIDDEN = (".", "__")  # how folders begin that other programs make: .git, .ipynb_checkpoints, __MACOSX
OTHERS = {"@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found"}  # those of storage systems
SHOWN = 3


class ClassFiles:
    """The class folders in `root`, links among them followed, and what is left out of them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        entries = _entries(root)
        names = [entry.name for entry in entries if _is_folder(entry)]
        self.folders = [name for name in names if not is_hidden(name)]
        self.hidden = [name for name in names if is_hidden(name)]
        self.outside = sum(_is_image(entry) for entry in entries if entry.name not in names)
        self.suffixes: Counter[str] = Counter()
        self.loops: list[str] = []
        self.empty: list[str] = []

    def named(self, name: str) -> str | None:
        """The folder of this name, however its accents are encoded: macOS writes a letter and its accent apart."""
        same = [folder for folder in (*self.folders, *self.hidden) if composed(folder) == composed(name)]
        if len(same) > 1:
            raise ValueError(f"{self.root}: two folders are called {name}, with accents encoded in two ways; join them")
        return same[0] if same else None

    def images(self, folder: str) -> list[Path]:
        """Every image in a class folder, however deep, in order; one that is asked for is not hidden."""
        self.hidden = [name for name in self.hidden if name != folder]
        root = self.root.resolve()
        files = sorted(self._walk(self.root / folder, {root, *root.parents}, set()))
        if not files:
            self.empty.append(folder)
        return files

    def left_out(self) -> Iterator[str]:
        """Lines that say what is there and was not taken."""
        if self.suffixes:
            counts = [f"{n} {suffix} file{'s' * (n > 1)}" for suffix, n in sorted(self.suffixes.items())]
            yield f"left out: {', '.join(counts)}"
        if self.outside:
            yield f"left out: images outside class folders: {self.outside}"
        for what, names in (
            ("left out: folders of other programs", self.hidden),
            ("left out: links to folders that contain them", self.loops),
            ("class folders without images", self.empty),
        ):
            if names:
                yield f"{what}: {printable(', '.join(names[:SHOWN]))}" + f" and {len(names) - SHOWN} more" * (
                    len(names) > SHOWN
                )

    def _walk(self, folder: Path, above: set[Path], seen: set[Path]) -> Iterator[Path]:
        """Images of a folder; each real folder once, and none of those `above` it."""
        real = folder.resolve()
        if real in above:
            self.loops.append(folder.relative_to(self.root).as_posix())
        if real in above | seen:
            return
        seen.add(real)
        for entry in _entries(folder):
            path = folder / entry.name
            if _is_folder(entry):
                if is_hidden(entry.name):
                    self.hidden.append(path.relative_to(self.root).as_posix())
                else:
                    yield from self._walk(path, above | {real}, seen)
            elif _is_image(entry):
                yield path
            elif not entry.name.startswith("."):
                self.suffixes[path.suffix.lower() or "suffixless"] += 1


def is_hidden(folder: str) -> bool:
    return folder.startswith(HIDDEN) or folder in OTHERS


def printable(name: str) -> str:
    """Also a name that is no UTF-8."""
    return name.encode(errors="backslashreplace").decode()


def composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Also a link to one; raises ValueError for a link that leads nowhere, whose images would be missed."""
    if entry.is_symlink() and not entry.name.startswith(".") and not Path(entry.path).exists():
        raise ValueError(f"{entry.path}: a broken link, to {Path(entry.path).readlink()}; mend or remove it")
    return entry.is_dir()


def _is_image(entry: os.DirEntry[str]) -> bool:
    return Path(entry.name).suffix.lower() in SUFFIXES and not entry.name.startswith(".") and entry.is_file()
