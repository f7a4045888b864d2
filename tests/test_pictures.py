"""Folders of image files: which files, checked and labelled, and how a net is shown them."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import CLASSES, class_folders, draw
from PIL import Image

from advlaw.core.dataset import Dataset, read_dataset, write_dataset
from advlaw.core.examples import read_examples
from advlaw.core.images import batches
from advlaw.core.pictures import Files, Pictures, View, decoded, folder_of
from advlaw.core.section import validate
from advlaw.data.folder import folder_dataset
from advlaw.data.settings import Folder

CPU = torch.device("cpu")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A mirror with a folder `things` of class folders, and the file of classes in the current folder."""
    class_folders(tmp_path / "mirror/things")
    (tmp_path / "classes.txt").write_text("\n".join([*CLASSES, "dog"]), encoding="utf-8")
    monkeypatch.setenv("ADVLAW_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "mirror/things"


def folder(**changes) -> Folder:
    entry = {"source": "folder", "holds": "images", "place": "things", "classes": "classes.txt", **changes}
    return validate(entry, Folder, Path("datasets/params.yaml"))


def labelled(dataset: Dataset) -> dict[str, int]:
    return dict(zip(dataset.images.paths.tolist(), dataset.labels.tolist(), strict=True))


def flat(place: Path, lines: list[str]) -> Folder:
    """The same pictures in one folder, with a file of labels."""
    for file in sorted(place.glob("*/*.png")):
        file.rename(place / f"{file.parent.name}{file.stem}.png")
        shutil.rmtree(place / file.parent.name) if not any((place / file.parent.name).iterdir()) else None
    (place / "labels.txt").write_text("\n".join(lines), encoding="utf-8")
    return folder(labels="labels.txt")


def test_a_folder_for_each_class_is_a_data_set_without_pixels(place, tmp_path):
    dataset, provenance = folder_dataset(folder(), 0)
    write_dataset(tmp_path / "a.npz", dataset)
    assert (tmp_path / "a.npz").stat().st_size < 3000
    again = read_dataset(tmp_path / "a.npz")
    assert isinstance(again.images, Files)
    names = [f"{name}/{i}.png" for name in CLASSES for i in range(4)]
    assert labelled(again) == dict(zip(names, [0] * 4 + [1] * 4 + [2] * 4, strict=True))
    assert len(set(again.labels[:4].tolist())) > 1  # the first images are a sample of all
    assert (again.n_classes, again.holds, again.image_shape) == (4, "images", ())
    assert (provenance["holds"], provenance["of"]) == ("images", 12)


@pytest.mark.parametrize(
    "line", ["{file},{name}", "{file} {number}", "./{file}, {number}", "{name}"], ids=["csv", "caffe", "dotted", "lone"]
)
def test_a_flat_folder_and_a_list_give_the_same_labels(place, line):
    labels = {name: number for number, name in enumerate(CLASSES)}
    files = [(f"{name}{i}.png", name) for name in CLASSES for i in range(4)]
    section = flat(place, [line.format(file=file, name=name, number=labels[name]) for file, name in files])
    dataset, _ = folder_dataset(section, 0)
    assert labelled(dataset) == {file: labels[name] for file, name in files}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["ant0.png 4"], r"labels\.txt: line 1: 'ant0\.png 4': must be a path .* number from 0 to 3"),
        (["ant0.png yak"], r"line 1: 'ant0\.png yak'"),
        (["ant0.png 0 1"], "line 1"),
        (["none.png 0"], r"lists .*none\.png and 0 more files that do not exist"),
        (["ant0.png 0", "ant0.png 0"], "lists an image twice"),
        (["0"] * 12, "numbers alone, whose order is not known"),
        (["ant"] * 3, "3 classes for the 12 images"),
    ],
)
def test_a_list_that_does_not_fit_is_refused(place, lines, message):
    section = flat(place, lines)
    with pytest.raises(ValueError, match=message):
        folder_dataset(section, 0)


def test_as_many_of_each_class_are_drawn_with_the_seed(place):
    one, same, other = (folder_dataset(folder(images_a_class=2), seed)[0] for seed in (0, 0, 1))
    assert np.bincount(one.labels).tolist() == [2, 2, 2]
    assert one.images.paths.tolist() == same.images.paths.tolist() != other.images.paths.tolist()
    with pytest.raises(ValueError, match="images_a_class = 5: class 0 of things has 4 images"):
        folder_dataset(folder(images_a_class=5), 0)


def test_only_all_of_imagenets_validation_images_may_be_called_so(place):
    with pytest.raises(ValueError, match=r"12 images of 3 classes, and ImageNet's validation set has 50 of each"):
        folder_dataset(folder(holds="imagenet validation"), 0)


def test_a_place_is_in_the_mirror_or_where_its_variable_says(place, tmp_path, monkeypatch):
    assert folder_of("things") == place
    monkeypatch.setenv("ADVLAW_OTHER_THINGS", str(tmp_path))
    assert folder_of("other-things") == tmp_path
    with pytest.raises(ValueError, match=r"ADVLAW_MIRROR = .*nothing is no folder; set ADVLAW_NOTHING"):
        folder_of("nothing")
    monkeypatch.delenv("ADVLAW_MIRROR")
    with pytest.raises(ValueError, match="no such folder is known; set ADVLAW_THINGS"):
        folder_of("things")


@pytest.mark.parametrize(
    ("view", "size"),
    [
        (View(24, 27), (40, 30)),
        (View(24, 26, "bicubic"), (37, 53)),
        (View(33, 36, "bicubic"), (40, 30)),
        (View(20, 20), (31, 47)),
    ],
)
def test_a_view_is_what_timm_makes_of_an_image(tmp_path, view, size):
    from timm.data import create_transform  # here, since it takes seconds

    path = draw(tmp_path / "a.jpg", 0, size)
    shown = {"crop_pct": view.size / (view.resize + 0.5), "interpolation": view.interpolation}
    transform = create_transform((3, view.size, view.size), mean=(0, 0, 0), std=(1, 1, 1), **shown)
    with Image.open(path) as image:
        expected = (transform(image.convert("RGB")) * 255).round().numpy().astype(np.uint8)
    np.testing.assert_array_equal(decoded(path.read_bytes(), path, view), expected)


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "1"])
def test_images_of_all_modes_of_8_bits_are_shown_in_three_channels_or_one(tmp_path, mode):
    path = draw(tmp_path / ("a.jpg" if mode == "CMYK" else "a.png"), 0, mode=mode)
    for channels in (1, 3):
        assert decoded(path.read_bytes(), path, View(16, 18, channels=channels)).shape == (channels, 16, 16)


def test_any_number_of_readers_and_any_batches_give_the_same_pixels(place, tmp_path):
    dataset, _ = folder_dataset(folder(), 0)
    write_dataset(tmp_path / "a.npz", dataset)
    images = read_examples(tmp_path / "a.npz", "test", CPU, view=View(16, 18)).images
    whole = images[:]
    assert whole.shape == (12, 3, 16, 16)
    for readers, size in ((0, 5), (1, 1), (4, 3)):
        images.readers = readers
        parts = [slice(start, start + size) for start in range(0, 12, size)]
        assert torch.equal(torch.cat(list(batches(images, parts))), whole)
    assert torch.equal(images.part(slice(4, 7))[:], whole[4:7])
    assert torch.equal(images[np.array([5, 2])], whole[[5, 2]])


def broken(place: Path, name: str) -> Path:
    """A file of the data set, made useless in one way."""
    path = place / "bee/1.png"
    content = path.read_bytes()
    if name == "text":
        path.write_text("no image", encoding="utf-8")
    elif name == "deep":
        Image.fromarray(np.zeros((8, 8), np.uint16)).save(path)
    elif name == "cut":
        path.write_bytes(content[: len(content) // 2])
    return path


@pytest.mark.parametrize(
    ("name", "message"), [("text", "of no known format"), ("deep", "more than 8 bits per channel")]
)
def test_what_is_no_image_is_found_when_the_data_set_is_made(place, name, message):
    path = broken(place, name)
    with pytest.raises(ValueError, match=rf"{re.escape(str(path))}: .*{message}"):
        folder_dataset(folder(), 0)


def test_a_damaged_image_is_named_when_it_is_shown(place):
    path = broken(place, "cut")
    dataset, _ = folder_dataset(folder(), 0)
    with pytest.raises(ValueError, match=rf"{re.escape(str(path))}: cannot be read as an image"):
        Pictures(dataset.images, View(16, 18))[:]


def test_a_file_that_changes_after_its_data_set_was_made_is_refused(place):
    dataset, _ = folder_dataset(folder(), 0)
    pictures = Pictures(dataset.images, View(16, 18))
    draw(place / "ant/0.png", 99)
    (place / "ant/1.png").unlink()
    for file, what in (("ant/0.png", "changed"), ("ant/1.png", "gone")):
        row = dataset.images.paths.tolist().index(file)
        with pytest.raises(ValueError, match=rf"{file}: has {what} since its data set was made"):
            pictures[row : row + 1]
