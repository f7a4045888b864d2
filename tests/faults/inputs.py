"""Damaged files of every format that is read: refused by name, nothing left behind, nothing in them executed.

Each format begins with the sound file, which must be taken. Damage that no checksum can betray, since the mirror
vouches for it, is of the structure: a value that is merely another one is no fault.
"""

import gzip
import hashlib
import io
import pickle
import random
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from audits import write_digits
from common import Answer, Outcome, answer, differences, files, refusal
from PIL import Image
from repository import ROOT
from ruamel.yaml import YAML
from safetensors.torch import load_file
from test_cifar10 import CONTENT_MD5, FOLDER, records, sums_of
from test_data import idx_files
from test_foreign import Code

EACH = 6  # damaged files of a format
STAGES, PROGRAM = ROOT / "stages", ROOT / "src/advlaw/__main__.py"
TRAP = "executed"

Damage = Callable[[bytes, random.Random], bytes]


@dataclass
class Format:
    """How a sound file at `path` is damaged and read by `command`; `vouch` is called after each damage."""

    name: str
    folder: Path
    path: str
    command: tuple[str, ...]
    damages: dict[str, Damage]
    names: tuple[str, ...] = ()
    vouch: Callable[[], None] = lambda: None
    variables: dict[str, str] = field(default_factory=dict)
    results: tuple[str, ...] = ()

    def ask(self) -> Answer:
        return answer(self.folder, *self.command, seconds=120, **self.variables)


def outcomes(folder: Path, seed: int) -> Iterator[Outcome]:
    for make in FORMATS:
        place = folder / make.__name__.strip("_")
        place.mkdir()
        for form in make(place):
            yield from _of(form, seed)


def _of(form: Format, seed: int) -> Iterator[Outcome]:
    rng, path = random.Random(f"{seed} {form.name}"), form.folder / form.path
    sound = path.read_bytes()
    form.vouch()
    found = form.ask()
    yield Outcome(f"input: {form.name}", "the sound file", f"was refused: {found.last}" if found.code else "")
    for name in form.results:
        shutil.rmtree(form.folder / name, ignore_errors=True)
    kinds = [*form.damages]
    for number in range(max(EACH, len(kinds))):
        kind = kinds[number % len(kinds)]
        path.write_bytes(form.damages[kind](sound, rng))
        form.vouch()
        before = _told(form.folder)
        found = form.ask()
        broken = refusal(found, *(form.names or (path.name,)))
        if (form.folder / TRAP).exists():
            (form.folder / TRAP).unlink()
            broken = "what is in the file was executed"
        left = differences(before, _told(form.folder))
        yield Outcome(f"input: {form.name}", f"{kind} ({number} of seed {seed})", broken or (left and f"left: {left}"))
    path.write_bytes(sound)


def _told(folder: Path) -> dict[str, bytes]:
    """What lies there, but for what an audit was asked, which it writes into its folder first, and its empty tables."""
    return {
        name: content
        for name, content in files(folder).items()
        if "__pycache__" not in name and not re.match(r"audit/[^/]+/(?!models|plots/[^/]+/(?!claim))", name)
    }


def _cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(1, len(content))]


def _flipped(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content))
    return content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1 :]


def _zeroed(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content) - 1)
    return content[:at] + bytes(len(content) - at)


ANY: dict[str, Damage] = {
    "cut short": _cut,
    "a bit flipped": _flipped,
    "its end zeroed": _zeroed,
    "empty": lambda content, rng: b"",
    "text in its place": lambda content, rng: b"<html>404 Not Found</html>\n" * 20,
    "longer": lambda content, rng: content + rng.randbytes(rng.randrange(1, 5000)),
}


def dataset_stage(folder: Path, name: str, section: dict[str, object]) -> tuple[str, ...]:
    """The command that makes the one data set of a folder."""
    (folder / "datasets").mkdir(exist_ok=True)
    YAML().dump({"seed": 0, "datasets": {name: section}}, folder / "datasets/params.yaml")
    return ("python", str(STAGES / "dataset.py"), name)


def _idx(folder: Path) -> Iterator[Format]:
    command = dataset_stage(folder, "mnist", {"source": "mnist", "train": 200, "validation": 50, "test": 100})
    mirror = folder / "mirror"
    (mirror / "mnist").mkdir(parents=True)
    for name, packed in idx_files(np.random.default_rng(0)).items():
        (mirror / "mnist" / name).write_bytes(packed)

    def vouch() -> None:
        sums = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (mirror / "mnist").iterdir()}
        (mirror / "SHA256SUMS").write_text("".join(f"{sum_}  mnist/{name}\n" for name, sum_ in sums.items()))

    def inside(change: Damage) -> Damage:
        return lambda packed, rng: gzip.compress(change(gzip.decompress(packed), rng), mtime=0)

    more = {"variables": {"ADVLAW_MIRROR": str(mirror)}, "results": ("data",)}
    labels = "mirror/mnist/train-labels-idx1-ubyte.gz"
    structure: dict[str, Damage] = {
        "another magic number": inside(lambda content, rng: b"\0\0\x0d" + content[3:]),
        "more images than there are": inside(lambda content, rng: content[:4] + b"\0\0\xff\xff" + content[8:]),
        "cut short": inside(_cut),
        "longer": inside(ANY["longer"]),
        "a label less": inside(lambda content, rng: content[:4] + b"\0\0\1\x2b" + content[8:-1]),
        "a label above 9": inside(lambda content, rng: content[:-1] + bytes([rng.randrange(10, 256)])),
        "not packed": lambda packed, rng: gzip.decompress(packed),
        "packed data cut short": _cut,
    }
    yield Format("IDX that its mirror vouches for", folder, labels, command, structure, vouch=vouch, **more)
    vouch()  # of the sound files
    yield Format(
        "IDX, other than its checksum", folder, "mirror/mnist/train-images-idx3-ubyte.gz", command, ANY, **more
    )


def _cifar10(folder: Path) -> Iterator[Format]:
    counts = {"train": 45_000, "validation": 5_000, "test": 10_000}
    command = dataset_stage(folder, "cifar10", {"source": "cifar10", **counts})
    mirror = folder / "mirror"
    (mirror / FOLDER).mkdir(parents=True)
    contents = {name: records(number) for number, name in enumerate(CONTENT_MD5)}
    for name, content in contents.items():
        (mirror / FOLDER / name).write_bytes(content)

    def vouch() -> None:
        (mirror / "SHA256SUMS").write_text(sums_of({name: (mirror / FOLDER / name).read_bytes() for name in contents}))

    def labelled(content: bytes, rng: random.Random) -> bytes:
        at = 3073 * rng.randrange(10_000)
        return content[:at] + bytes([rng.randrange(10, 256)]) + content[at + 1 :]

    more = {"variables": {"ADVLAW_MIRROR": str(mirror)}, "results": ("data",)}
    structure = {"a label above 9": labelled, **{kind: ANY[kind] for kind in ("cut short", "longer", "empty")}}
    name = f"mirror/{FOLDER}/data_batch_3.bin"
    yield Format("CIFAR-10 that its mirror vouches for", folder, name, command, structure, vouch=vouch, **more)
    vouch()
    yield Format("CIFAR-10, other than its checksum", folder, f"mirror/{FOLDER}/test_batch.bin", command, ANY, **more)


def _audit(*arguments: str) -> tuple[str, ...]:
    few = ("--images", "40", "--count", "3", "--steps", "0", "--no-theory", "--threads", "1")
    return ("python", str(PROGRAM), "audit", *arguments, *few)


def _saved(save: Callable[..., None], *values: object, **named: object) -> bytes:
    target = io.BytesIO()
    save(target, *values, **named)
    return target.getvalue()


def _npz(folder: Path) -> Iterator[Format]:
    write_digits(folder)
    with np.load(folder / "digits.npz") as arrays:
        images, labels = arrays["images"], arrays["labels"]
    odd: dict[str, dict[str, np.ndarray]] = {
        "a pickle in it": {"images": np.array([Code(Path(TRAP))] * 4, dtype=object), "labels": labels[:4]},
        "no labels": {"images": images},
        "fewer labels": {"images": images, "labels": labels[:-1]},
        "images of no number": {"images": np.full(images.shape, np.nan), "labels": labels},
        "images of three axes": {"images": images[..., 0, 0], "labels": labels},
        "labels below 0": {"images": images, "labels": labels - 1},
    }
    damages: dict[str, Damage] = {kind: (lambda content, rng, kind=kind: _saved(np.savez, **odd[kind])) for kind in odd}
    damages |= {kind: ANY[kind] for kind in ("cut short", "empty", "text in its place")}
    command = _audit("--model", "mine:net", "--weights", "mine.safetensors", "--data", "digits.npz")
    yield Format("npz of images", folder, "digits.npz", command, damages, results=("audit",))


def _weights(folder: Path) -> Iterator[Format]:
    write_digits(folder)
    tensors = load_file(folder / "mine.safetensors")
    other = {name: tensor[:-1] for name, tensor in tensors.items()}
    command = _audit("--model", "mine:net", "--data", "digits.npz", "--weights", "mine.safetensors")
    headers: dict[str, Damage] = {
        "a header longer than the file": lambda content, rng: (2**40).to_bytes(8, "little") + content[8:],
        "a header that is no JSON": lambda content, rng: content[:8] + b"[" * 40 + content[48:],
        **{kind: ANY[kind] for kind in ("cut short", "empty", "text in its place", "longer")},
    }
    yield Format("safetensors", folder, "mine.safetensors", command, headers, results=("audit",))
    torch.save(tensors, folder / "mine.pt")
    code = {**tensors, "more": Code(Path(TRAP))}
    pickles: dict[str, Damage] = {
        "code in it": lambda content, rng: _saved(lambda file, held: torch.save(held, file), code),
        "code in the old format": lambda content, rng: _saved(
            lambda file, held: torch.save(held, file, _use_new_zipfile_serialization=False), code
        ),
        "a bare pickle with code": lambda content, rng: pickle.dumps(code["more"]),
        "tensors of other shapes": lambda content, rng: _saved(lambda file, held: torch.save(held, file), other),
        "a list": lambda content, rng: _saved(lambda file, held: torch.save(held, file), [1, 2]),
        **{kind: ANY[kind] for kind in ("cut short", "empty", "text in its place")},
    }
    command = _audit("--model", "mine:net", "--data", "digits.npz", "--weights", "mine.pt")
    yield Format("weights that torch saved", folder, "mine.pt", command, pickles, results=("audit",))


def _folder(folder: Path) -> Iterator[Format]:
    write_digits(folder)
    first = sorted((folder / "pictures").rglob("*.png"))[0].relative_to(folder).as_posix()
    deep = Image.fromarray(np.full((8, 8), 300, dtype=np.uint16))
    damages: dict[str, Damage] = {
        "more than 8 bits": lambda content, rng: _saved(lambda file: deep.save(file, "png")),
        "a size of 2^31": lambda content, rng: content[:16] + b"\x7f\xff\xff\xff" * 2 + content[24:],
        **{kind: ANY[kind] for kind in ("cut short", "empty", "text in its place", "its end zeroed")},
    }
    shown = ("--size", "8", "--resize", "8", "--channels", "1")
    given = ("--model", "mine:net", "--weights", "mine.safetensors", "--data", "pictures", *shown)
    whole = tuple("500" if argument == "40" else argument for argument in _audit(*given, "--classes", "classes.txt"))
    yield Format("an image of a folder", folder, first, whole, damages, results=("audit",))
    classes: dict[str, Damage] = {
        "a class twice": lambda content, rng: content + content.splitlines()[0] + b"\n",
        "a class less": lambda content, rng: b"\n".join(content.splitlines()[1:]),
        "another encoding": lambda content, rng: b"M\xf6we\n" + content,
        "empty": ANY["empty"],
        "no text": lambda content, rng: rng.randbytes(400),
        "UTF-16": lambda content, rng: content.decode().encode("utf-16"),
    }
    names = ("classes.txt", "pictures")
    command = _audit(*given, "--classes", "classes.txt")
    yield Format("a file of classes", folder, "classes.txt", command, classes, names, results=("audit",))


def _manifest(folder: Path) -> Iterator[Format]:
    place = folder / "images"
    place.mkdir()
    for number in range(12):
        pixels = np.random.default_rng(number).integers(0, 256, (20, 20, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(place / f"{number}.png")
    (folder / "classes.txt").write_text("ant\nbee\ncat\n", encoding="utf-8")
    listed = "".join(f"{number}.png {('ant', 'bee', 'cat')[number % 3]}\n" for number in range(12))
    (place / "labels.txt").write_text(listed, encoding="utf-8")
    section = {"source": "folder", "holds": "images", "place": "some", "classes": "classes.txt", "labels": "labels.txt"}
    command = dataset_stage(folder, "some", section)
    damages: dict[str, Damage] = {
        "a file that is not there": lambda content, rng: content.replace(b"3.png", b"33.png"),
        "a class that is not there": lambda content, rng: content.replace(b"3.png ant", b"3.png dog"),
        "a number that is too large": lambda content, rng: content.replace(b"3.png ant", b"3.png 3"),
        "an image twice": lambda content, rng: content + content.splitlines()[0] + b"\n",
        "three words on a line": lambda content, rng: content.replace(b" bee", b" bee or cat", 1),
        "numbers alone": lambda content, rng: b"".join(b"%d\n" % (number % 3) for number in range(12)),
        "no text": lambda content, rng: rng.randbytes(300),
    }
    more = {"variables": {"ADVLAW_SOME": str(place)}, "results": ("data",)}
    yield Format("a list of images", folder, "images/labels.txt", command, damages, **more)


FORMATS: tuple[Callable[[Path], Iterator[Format]], ...] = (_idx, _cifar10, _npz, _weights, _folder, _manifest)
