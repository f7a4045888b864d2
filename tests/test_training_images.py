"""Training images in files: how they are cropped, data sets that have some, and what is refused of them."""

from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import CLASSES, class_folders, draw
from PIL import Image
from repository import ROOT
from ruamel.yaml import YAML

from advlaw.config.study import load_study
from advlaw.core.dataset import read_dataset, write_dataset
from advlaw.core.examples import examples
from advlaw.core.images import read_ahead
from advlaw.core.pictures import View, decoded, resized_crop
from advlaw.core.section import ParamsError, read_yaml, validate
from advlaw.data.folder import folder_dataset
from advlaw.data.settings import Folder

CPU = torch.device("cpu")
VIEW = View(24, 30)
STUDY = "studies/imagenet_training/params.yaml"
QUARTER = (0.25 - 0.08) / 0.92  # the number that makes a box a quarter of the image


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def cut(image: Image.Image, *numbers: float) -> np.ndarray:
    return np.asarray(resized_crop(image, VIEW, np.array(numbers)))


def scaled(image: Image.Image, *box: int) -> np.ndarray:
    return np.asarray(image.crop(box).resize((24, 24), Image.Resampling.BILINEAR))


def test_a_crop_is_the_box_that_its_numbers_say():
    image = noise(120, 80)
    half = QUARTER, 0.5  # of 9,600 pixels a square of 2,400, 49 on a side
    np.testing.assert_array_equal(cut(image, *half, 0.0, 0.0, 0.9), scaled(image, 0, 0, 49, 49))
    np.testing.assert_array_equal(cut(image, *half, 0.9999, 0.9999, 0.9), scaled(image, 71, 31, 120, 80))
    wide = cut(image, QUARTER, 0.9999, 0.5, 0.5, 0.9)  # 57 x 42
    np.testing.assert_array_equal(wide, scaled(image, 32, 19, 89, 61))
    tall = cut(image, QUARTER, 0.0, 0.5, 0.5, 0.9)  # 42 x 57
    np.testing.assert_array_equal(tall, scaled(image, 39, 12, 81, 69))


def test_below_a_half_a_crop_is_mirrored():
    image = noise(50, 60)
    as_is, mirrored = (cut(image, 0.3, 0.4, 0.2, 0.7, side) for side in (0.5, 0.4999))
    np.testing.assert_array_equal(mirrored, as_is[:, ::-1])
    assert (mirrored != as_is).any()


def test_a_box_that_does_not_fit_becomes_the_largest_of_its_shape_in_the_middle():
    image = noise(100, 20)
    np.testing.assert_array_equal(cut(image, 0.99, 0.5, 0.0, 0.0, 0.9), scaled(image, 40, 0, 60, 20))
    image = noise(20, 100)
    np.testing.assert_array_equal(cut(image, 0.99, 0.9999, 0.9, 0.9, 0.9), scaled(image, 0, 43, 20, 58))


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (300, 2), (40, 30), (37, 41)])
def test_no_crop_leaves_its_image(size):
    """Beyond the edge PIL has black."""
    white = Image.new("RGB", size, "white")
    for numbers in np.random.default_rng(1).random((300, 5)):
        assert cut(white, *numbers).min() == 255


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A mirror with a folder `things`, which has class folders of test images and of training images."""
    class_folders(tmp_path / "mirror/things/val")
    for label, name in enumerate(CLASSES):
        for number in range(6):
            draw(tmp_path / f"mirror/things/train/{name}/{number}.png", seed=100 + 10 * label + number)
    (tmp_path / "classes.txt").write_text("\n".join(CLASSES), encoding="utf-8")
    monkeypatch.setenv("ADVLAW_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "mirror/things"


def folder(**changes) -> Folder:
    entry = {"source": "folder", "holds": "images", "place": "things", "classes": "classes.txt"}
    held_out = {"test": "val", "train": "train", "validation": 5}
    return validate({**entry, **held_out, **changes}, Folder, Path("datasets/params.yaml"))


def test_training_images_are_fitted_or_held_out_and_the_others_are_test_images(place, tmp_path):
    dataset, provenance = folder_dataset(folder(), 0)
    write_dataset(tmp_path / "a.npz", dataset)
    again = read_dataset(tmp_path / "a.npz")
    assert {name: len(index) for name, index in again.splits.items()} == {"train": 13, "validation": 5, "test": 12}
    parts = {name: set(again.images.paths[index]) for name, index in again.splits.items()}
    assert {path.split("/")[0] for path in parts["test"]} == {"val"}
    assert {path.split("/")[0] for path in parts["train"] | parts["validation"]} == {"train"}
    assert len(parts["train"] | parts["validation"]) == 18
    for path, label in zip(again.images.paths, again.labels, strict=True):
        assert path.split("/")[1] == CLASSES[label]
    assert provenance["of"] == 30
    other, _ = folder_dataset(folder(), 1)
    assert set(other.images.paths[other.index("validation")]) != parts["validation"]
    assert set(other.images.paths[other.index("test")]) == parts["test"]


def test_test_images_do_not_depend_on_training_images(place):
    alone, _ = folder_dataset(folder(train=None, validation=None), 0)
    both, _ = folder_dataset(folder(), 0)
    index = both.index("test")
    np.testing.assert_array_equal(both.images.paths[index], alone.images.paths)
    np.testing.assert_array_equal(both.labels[index], alone.labels)
    few, _ = folder_dataset(folder(images_a_class=1), 0)
    assert {name: len(index) for name, index in few.splits.items()} == {"train": 13, "validation": 5, "test": 3}


def test_test_images_may_be_listed(place):
    lines = [f"{path.relative_to(place / 'val').as_posix()} bee" for path in sorted(place.glob("val/*/*.png"))]
    (place / "val/labels.txt").write_text("\n".join(lines), encoding="utf-8")
    dataset, _ = folder_dataset(folder(labels="labels.txt"), 0)
    assert set(dataset.labels[dataset.index("test")]) == {1}
    assert set(dataset.labels[dataset.index("train")]) == {0, 1, 2}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"validation": None}, r"train = 'train' and validation = None: give both or neither"),
        ({"train": None}, r"train = None and validation = 5: give both or neither"),
        ({"test": "."}, r"train = 'train', test = '\.': each needs its own folder in the place"),
        ({"test": "train"}, r"train = 'train', test = 'train': each needs its own folder"),
        ({"test": "../val"}, r"test = '\.\./val': must be a path from the folder of the place"),
        ({"train": "/train"}, r"train = '/train': must be a path from the folder of the place"),
        ({"validation": 18}, r"validation = 18: .*train has 18 images; hold out fewer"),
        ({"train": "fit"}, r"train = 'fit': there is no folder .*things/fit; name the one with these images"),
        ({"test": "test"}, r"test = 'test': there is no folder .*things/test"),
        ({"holds": "imagenet validation"}, r"holds = 'imagenet validation': things has 12 images of 3 classes"),
    ],
)
def test_a_folder_without_these_images_is_refused(place, changes, message):
    with pytest.raises(ValueError, match=message):
        folder_dataset(folder(**changes), 0)


def test_files_are_cropped_alike_by_any_reader_in_any_order(place):
    dataset, _ = folder_dataset(folder(), 0)
    fitted = examples(dataset, "train", CPU, view=VIEW)
    numbers = torch.from_numpy(np.random.default_rng(2).random((13, 5)))
    rows = np.arange(13)
    found = fitted.images.read_cropped(rows, numbers)
    assert (found.shape, found.dtype) == ((13, 3, 24, 24), torch.uint8)
    for row, index in enumerate(dataset.index("train")):
        path = place / str(dataset.images.paths[index])
        expected = decoded(path.read_bytes(), path, VIEW, numbers[row].numpy())
        np.testing.assert_array_equal(found[row].numpy(), expected)
    parts = [rows[8:], rows[:8][::-1]]
    for readers in (0, 3):
        several = read_ahead(lambda part: fitted.images.read_cropped(part, numbers[part.copy()]), parts, readers)
        for part, pixels in zip(parts, several, strict=True):
            assert torch.equal(pixels, found[part.copy()])


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Loads the study with some keys of a net, or of its data set, changed."""
    monkeypatch.chdir(tmp_path)

    def load(net=None, data=None):
        params, datasets = (deepcopy(read_yaml(ROOT / file)) for file in (STUDY, "datasets/params.yaml"))
        entry = params["models"]["inception_v3"]
        for key, value in (net or {}).items():
            entry.pop(key) if value is None else entry.update({key: value})
        params["datasets"] = sorted({"imagenet_2012", entry["dataset"]})
        for key, value in (data or {}).items():
            datasets["datasets"]["imagenet_2012"][key] = value
        for file, values in ((STUDY, params), ("datasets/params.yaml", datasets)):
            Path(file).parent.mkdir(parents=True, exist_ok=True)
            YAML(typ="safe").dump(values, Path(file))
        return load_study(Path(STUDY), Path("datasets/params.yaml"))

    return load


PIXEL_NET = {**dict.fromkeys(("name", "arguments", "input", "mean", "std")), "arch": "linear"}
MISTAKES = [
    ({"dataset": "mnist"}, None, "dataset = 'mnist': holds pixels, and arch timm is for files; name a folder of such"),
    ({**PIXEL_NET, "dataset": "mnist"}, None, "augment = 'resized_crop': cuts files, and mnist holds pixels"),
    (PIXEL_NET, None, "dataset = 'imagenet_2012': is a folder of files, for arch timm"),
    (None, {"train": None, "validation": None}, "dataset = 'imagenet_2012': has test images alone; name one with"),
    ({"augment": "crop_flip"}, None, "augment = 'crop_flip': shifts pixels, and imagenet_2012 is of files"),
    ({"labels": "shuffled"}, None, "labels = 'shuffled': imagenet_2012 is of files"),
    ({"name": "resnet50", "added_blocks": 2}, None, "added_blocks = 2: only for inception_v3, not for 'resnet50'"),
    ({"std": [127.5]}, None, "mean has 3 channels, std has 1; give both for every one"),
    ({"arguments": {"num_classes": 7}}, None, "arguments.num_classes: is the number of the data set's classes"),
    ({"input": None}, None, "models.inception_v3.input: missing key"),
]


@pytest.mark.parametrize(("net", "data", "message"), MISTAKES)
def test_what_does_not_fit_image_files_is_one_line(study, net, data, message):
    with pytest.raises(ParamsError) as caught:
        study(net, data)
    lines = [line for line in str(caught.value).splitlines() if ": models.inception_v3" in line]
    assert len(lines) == 1, str(caught.value)
    assert message in lines[0]


def test_sets_are_not_trained_on_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = Path("studies/kurakin_small/params.yaml")
    params = deepcopy(read_yaml(ROOT / file))
    for trials in params["trials"].values():
        trials["dataset"] = "imagenet_2012"
    file.parent.mkdir(parents=True)
    YAML(typ="safe").dump({**params, "datasets": ["imagenet_2012"]}, file)
    with pytest.raises(
        ParamsError, match=r"trials\.kurakin\.dataset = 'imagenet_2012': is .* nets of sets and searches"
    ):
        load_study(file, ROOT / "datasets/params.yaml")
