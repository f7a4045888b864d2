"""What people give to an audit: folders as other programs leave them, damaged images, and text of any system."""

import codecs
import struct
import unicodedata
import zlib
from pathlib import Path

import numpy as np
import pytest
from audits import source
from conftest import make_images
from PIL import Image

from advlaw.__main__ import parser
from advlaw.audit.images import read_images
from advlaw.core.io import read_text, replacing
from advlaw.core.pictures import Pictures, View
from advlaw.core.section import ParamsError, read_yaml, validate
from advlaw.data.class_folders import ClassFiles
from advlaw.foreign.settings import OwnFile

GREY = make_images(4).numpy().astype(np.uint8)[:, 0]


def write_images(folder: Path, count: int, suffix: str = ".png") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.fromarray(GREY[number]).save(folder / f"{number}{suffix}", format="png")


def labels(folder: Path, **changes) -> list[int]:
    return sorted(read_images(source(folder, **changes)).labels.tolist())


def decoded(folder: Path) -> np.ndarray:
    """All pixels: what is damaged behind its header is found when a net is shown it."""
    return Pictures(read_images(source(folder)).images, View(8, 8, channels=1))[:]


def test_what_other_programs_put_into_class_folders_is_left_out_and_said(tmp_path, capsys):
    write_images(tmp_path / "owl", 2)
    write_images(tmp_path / "wren/young", 1)
    for hidden in ("owl/.thumbnails", "wren/young/@eaDir", "wren/__MACOSX/deep", ".trash"):
        write_images(tmp_path / hidden, 3)
    (tmp_path / "wren/young/._0.png").write_bytes(b"\0\5\x16\7 of macOS")
    assert labels(tmp_path) == [0, 0, 1]
    assert "folders of other programs: .trash, owl/.thumbnails, wren/__MACOSX and 1 more" in capsys.readouterr().out


def test_files_that_are_not_taken_are_counted_by_suffix(tmp_path, capsys):
    write_images(tmp_path / "owl", 2, ".JPG")
    write_images(tmp_path / "owl/more", 3, ".gif")
    write_images(tmp_path / "wren", 1, ".AVIF")
    write_images(tmp_path, 2)
    (tmp_path / "owl/README").touch()
    assert labels(tmp_path) == [0, 0]
    assert capsys.readouterr().out.splitlines() == [
        f"{tmp_path}: left out: 1 .avif file, 3 .gif files, 1 suffixless file",
        f"{tmp_path}: left out: images outside class folders: 2",
        f"{tmp_path}: class folders without images: wren",
    ]
    with pytest.raises(
        ValueError, match=r"owl: no class folder with images .*; left out: 3 \.gif files; .*; give a folder"
    ):
        read_images(source(tmp_path / "owl"))


def test_nothing_is_said_of_a_tidy_folder(tmp_path, capsys):
    write_images(tmp_path / "owl", 2)
    (tmp_path / "owl/.DS_Store").touch()
    assert labels(tmp_path) == [0, 0]
    assert capsys.readouterr().out == ""


def test_links_are_followed_once_and_never_back(tmp_path, capsys):
    data = tmp_path / "data"
    write_images(data / "owl", 1)
    write_images(tmp_path / "elsewhere/wrens/young", 3)
    (data / "wren").symlink_to(tmp_path / "elsewhere/wrens")
    (data / "owl/link").symlink_to(tmp_path / "elsewhere/wrens/young")
    (data / "owl/again").symlink_to(tmp_path / "elsewhere/wrens/young")
    (data / "owl/back").symlink_to("..")
    (data / "owl/top").symlink_to(tmp_path)
    (tmp_path / "elsewhere/wrens/young/parent").symlink_to("..")
    (tmp_path / "elsewhere/single.png").write_bytes((data / "owl/0.png").read_bytes())
    (data / "owl/linked.png").symlink_to(tmp_path / "elsewhere/single.png")
    found = ClassFiles(data)
    assert [path.relative_to(data).as_posix() for path in found.images("owl")] == [
        "owl/0.png",
        *(f"owl/{found.images('owl')[1].parent.name}/{number}.png" for number in range(3)),
        "owl/linked.png",
    ]
    assert labels(data) == [0] * 5 + [1] * 3
    assert "links to folders that contain them: owl/" in capsys.readouterr().out


@pytest.mark.parametrize("link", ["wren", "owl/more", "owl/1.png"])
def test_a_link_to_nothing_is_named(tmp_path, link):
    write_images(tmp_path / "owl", 1)
    (tmp_path / link).symlink_to("gone")
    with pytest.raises(ValueError, match=f"{tmp_path / link}: a broken link, to gone; mend or remove it"):
        read_images(source(tmp_path))


def test_a_hidden_name_that_the_classes_list_is_a_class(tmp_path, capsys):
    write_images(tmp_path / "d/__background__", 1)
    write_images(tmp_path / "d/owl", 2)
    (tmp_path / "classes.txt").write_text("owl\n__background__\nwren\n", encoding="utf-8")
    assert labels(tmp_path / "d", classes=str(tmp_path / "classes.txt")) == [0, 0, 1]
    assert capsys.readouterr().out == ""


def damaged() -> dict[str, bytes]:
    """Files on which PIL raises ValueError, SyntaxError, OSError, struct.error and others."""
    header = struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    pixels = chunk(b"IDAT", zlib.compress(b"\0" * 72)) + chunk(b"IEND", b"")
    return {
        "text.png": png + chunk(b"iTXt", b"a\0\1\0\0\0" + zlib.compress(b"x" * 3_000_000)) + pixels,
        "gamma.png": png + chunk(b"gAMA", b"\0") + pixels,
        "head.png": b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header[:7]) + pixels,
        "size.ppm": b"P6\n8 8\nzz\n" + b"\0" * 192,
        "none.ppm": b"P6\n0 8\n255\n",
        "short.bmp": b"BM" + b"\0" * 20,
        "odd.tif": b"II*\0\xff\xff\xff\x7f",
    }


@pytest.mark.parametrize("name", damaged())
def test_a_damaged_image_is_named_whatever_pil_raises(tmp_path, name):
    write_images(tmp_path / "owl", 2)
    (tmp_path / "owl" / name).write_bytes(damaged()[name])
    with pytest.raises(ValueError, match=rf"owl/{name}: cannot be read as an image: .+; mend or remove it"):
        decoded(tmp_path)


def test_an_image_is_named_for_an_exception_that_nobody_foresaw(tmp_path, monkeypatch):
    write_images(tmp_path / "owl", 1)

    def convert(self, mode):
        raise KeyError

    monkeypatch.setattr(Image.Image, "convert", convert)
    with pytest.raises(ValueError, match=r"owl/0\.png: cannot be read as an image: KeyError; mend"):
        decoded(tmp_path)


def test_a_damaged_npz_file_is_named_whatever_is_raised(tmp_path):
    np.savez_compressed(tmp_path / "d.npz", images=GREY[:, None], labels=np.arange(4))
    content = bytearray((tmp_path / "d.npz").read_bytes())
    content[80:140] = b"\xff" * 60
    (tmp_path / "d.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"--data .*d\.npz: .+; give an npz file with images"):
        read_images(source(tmp_path / "d.npz"))


NAMES = "Möwe\nété\nowl\n"
ENCODED = {
    "plain": NAMES.encode(),
    "marked": codecs.BOM_UTF8 + NAMES.encode(),
    "Windows": codecs.BOM_UTF8 + NAMES.replace("\n", "\r\n").encode(),
    "old macOS": NAMES.replace("\n", "\r").encode(),
    "apart": unicodedata.normalize("NFD", NAMES).encode(),
}


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("written", ENCODED)
def test_classes_are_read_as_any_system_writes_them(tmp_path, written, form):
    (tmp_path / "classes.txt").write_bytes(ENCODED[written])
    for count, name in enumerate(("owl", "Möwe", "été"), start=1):
        write_images(tmp_path / "d" / unicodedata.normalize(form, name), count)
    assert labels(tmp_path / "d", classes=str(tmp_path / "classes.txt")) == [0, 0, 1, 1, 1, 2]


def test_the_same_name_in_two_encodings_is_refused(tmp_path):
    (tmp_path / "classes.txt").write_text("été\n", encoding="utf-8")
    for form in ("NFC", "NFD"):
        write_images(tmp_path / "d" / unicodedata.normalize(form, "été"), 1)
    with pytest.raises(ValueError, match="two folders are called été, with accents encoded in two ways; join them"):
        read_images(source(tmp_path / "d", classes=str(tmp_path / "classes.txt")))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_text_in_another_encoding_is_named_with_what_to_do(tmp_path, encoding):
    mark = codecs.BOM_UTF16_BE if encoding == "utf-16-be" else b""
    (tmp_path / "x.yaml").write_bytes(mark + "seed: 1\n".encode(encoding))
    for read in (read_text, read_yaml):
        with pytest.raises(ValueError, match=r"x\.yaml: is text in UTF-16; save it as UTF-8"):
            read(tmp_path / "x.yaml")
    (tmp_path / "x.yaml").write_bytes("seed: 1\nstudy: Möwe\n".encode("latin-1"))
    with pytest.raises(ParamsError, match=r"x\.yaml: line 2 is not UTF-8; save it as UTF-8"):
        read_yaml(tmp_path / "x.yaml")


def test_params_are_read_as_any_system_writes_them(tmp_path):
    for ends in ("\n", "\r\n", "\r"):
        (tmp_path / "x.yaml").write_bytes(codecs.BOM_UTF8 + ends.join(["seed: 1", "fit:", "  a: 2", ""]).encode())
        assert read_yaml(tmp_path / "x.yaml") == {"seed": 1, "fit": {"a": 2}}


@pytest.mark.parametrize("text", ["seed: \x07\n", "seed: 2024-13-45\n", "seed: [1\n", "seed: !!int x\n"])
def test_a_params_file_is_named_whatever_its_reader_raises(tmp_path, text):
    (tmp_path / "x.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ParamsError, match=r"x\.yaml: .*not valid YAML"):
        read_yaml(tmp_path / "x.yaml")


def test_an_error_without_a_files_name_gets_it(tmp_path):
    with pytest.raises(OSError, match="No space left") as caught, replacing(tmp_path / "x.csv"):
        raise OSError(28, "No space left on device")
    assert caught.value.filename == str(tmp_path / "x.csv")


@pytest.mark.parametrize(
    ("mean", "std", "message"),
    [
        ([0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616], "mean 125.307 122.961 113.858, std 62.985 62.0925 66.708"),
        ([0.1307], [0.3081], "give 255 times as much: mean 33.3285, std 78.5655"),
        ([0.5], [0.5], "mean 127.5, std 127.5"),
        ([0.0], [0.5], "mean 0, std 127.5"),
        ([0.5], [1.0], "mean 127.5, std 255"),
        ([0.2860], [78.6], "give 255 times as much: mean 72.93$"),
        ([0.0], [1.0], None),
        ([0.0], [255.0], None),
        ([127.5], [127.5], None),
        ([1.0], [1.0], None),
        ([0.4], [9.0], None),  # of a nearly black sky
    ],
)
def test_statistics_of_pixels_up_to_1_are_refused_in_params(mean, std, message):
    entry = {"dataset": "digits", "arch": "own_file", "file": "x.pt2", "mean": mean, "std": std}
    if message is None:
        assert validate(entry, OwnFile, Path("p"), "pretrained_models.x").std == std
        return
    with pytest.raises(ParamsError, match=rf"p: pretrained_models\.x: mean .* look like .* in \[0, 1\]; .*{message}"):
        validate(entry, OwnFile, Path("p"), "pretrained_models.x")


def test_arguments_are_json_with_numbers_only(capsys):
    with pytest.raises(SystemExit):
        parser().parse_args(["audit", "--model", "m:f", "--data", "d", "--arguments", '{"width": NaN}'])
    assert "not JSON: JSON has no NaN" in capsys.readouterr().err
