"""The images of an audit: folders, flat folders with labels, npz files, and what cannot be used."""

import numpy as np
import pytest
from audits import digit_images, source
from PIL import Image

from advlaw.audit import images as audit_images
from advlaw.audit.images import read_images
from advlaw.core.dataset import Dataset
from advlaw.core.io import write_text
from advlaw.core.pictures import Pictures, View

GREY = View(8, 8, channels=1)


def pixels(found: Dataset) -> np.ndarray:
    return Pictures(found.images, GREY)[:]


def by_content(images: np.ndarray, labels: np.ndarray) -> list[tuple[bytes, int]]:
    return sorted((image.tobytes(), int(label)) for image, label in zip(images, labels, strict=True))


def test_a_folder_and_an_npz_file_of_the_same_images_are_the_same(own_digits):
    images, labels = digit_images()
    listed = read_images(source(own_digits / "pictures", classes=str(own_digits / "classes.txt")))
    in_file = read_images(source(own_digits / "digits.npz"))
    assert listed.n_classes == in_file.n_classes == 10
    assert by_content(in_file.images, in_file.labels) == by_content(images, labels)
    assert by_content(pixels(listed), listed.labels) == by_content(images, labels)
    by_name = read_images(source(own_digits / "pictures"))
    assert np.array_equal(np.sort(by_name.labels), np.sort(9 - labels))


def test_the_first_images_of_any_number_stand_for_all(own_digits):
    for data in ("digits.npz", "pictures"):
        some, again = (read_images(source(own_digits / data, images=50)) for _ in range(2))
        assert len(some.labels) == 50
        assert np.array_equal(some.labels, again.labels)
        assert len(np.unique(some.labels[:30])) > 5  # not the first classes alone
        assert np.array_equal(read_images(source(own_digits / data)).labels[:50], some.labels)


def test_numbered_class_files_are_read_and_may_list_more(own_digits):
    lines = [f"{i} {'jihgfedcba'[i]}-{i} a name\n" for i in range(10)] + ["10 none nothing\n"]
    (own_digits / "more.txt").write_text("".join(lines), encoding="utf-8")
    found = read_images(source(own_digits / "pictures", classes=str(own_digits / "more.txt")))
    assert found.n_classes == 11
    assert np.array_equal(np.sort(found.labels), np.sort(digit_images()[1]))


def test_folders_of_other_programs_are_no_classes(own_digits):
    (own_digits / "pictures/.git").mkdir()
    (own_digits / "pictures/__MACOSX").mkdir()
    assert read_images(source(own_digits / "pictures")).n_classes == 10


def test_a_flat_folder_has_its_labels_in_a_file(own_digits):
    images, labels = digit_images()
    flat = own_digits / "flat"
    flat.mkdir()
    names = [f"{'jihgfedcba'[label]}-{label}" for label in labels]
    for number, image in enumerate(images):
        Image.fromarray(image).save(flat / f"{number:04}.png")
    lists = {
        "paths.csv": [f"{number:04}.png,{name}" for number, name in enumerate(names)],
        "numbers.txt": [f"{number:04}.png {label}" for number, label in enumerate(labels)],
        "names.txt": names,
    }
    for name, lines in lists.items():
        (own_digits / name).write_text("\n".join(lines), encoding="utf-8")
        given = {"classes": str(own_digits / "classes.txt"), "labels": own_digits / name}
        found = read_images(source(flat, **given))
        assert by_content(pixels(found), found.labels) == by_content(images, labels), name
    with pytest.raises(ValueError, match=r"--labels .*names\.txt: needs --classes, a file with a class's name on each"):
        read_images(source(flat, labels=own_digits / "names.txt"))
    with pytest.raises(ValueError, match=r"--labels .*: an npz file has labels of its own; leave --labels out"):
        read_images(source(own_digits / "digits.npz", labels=own_digits / "names.txt"))


def test_folders_with_names_of_imagenet_are_its_classes_to_a_net_of_timm(tmp_path, monkeypatch):
    monkeypatch.setattr(audit_images, "IMAGENET_CLASSES", tmp_path / "known.txt")
    (tmp_path / "known.txt").write_text("n1\nn2\nn3\n", encoding="utf-8")
    images, _ = digit_images()
    for number, name in enumerate(("n1", "n3")):
        (tmp_path / "d" / name).mkdir(parents=True)
        Image.fromarray(images[number]).save(tmp_path / "d" / name / "x.png")
    found = read_images(source(tmp_path / "d"), of_imagenet=True)
    assert (found.n_classes, sorted(found.labels)) == (3, [0, 2])
    found = read_images(source(tmp_path / "d"))
    assert (found.n_classes, sorted(found.labels)) == (2, [0, 1])
    (tmp_path / "d/n1").rename(tmp_path / "d/owl")
    assert read_images(source(tmp_path / "d"), of_imagenet=True).n_classes == 2


def test_imagenet_has_a_thousand_classes():
    assert len(audit_images.class_names(audit_images.IMAGENET_CLASSES)) == 1000


BAD_DATA = {
    "absent": r"--data .*absent: no such folder or file; give",
    "empty": r"empty: no class folder with images",
    "broken": r"broken/a/x\.png: cannot be read as an image: of no known format; mend or remove it",
    "text.npz": r"text\.npz: not an npz file, or an incomplete one; give an npz file with images",
    "part.npz": r"part\.npz: not an npz file, or an incomplete one; give an npz file with images",
    "deep": r"deep/a/x\.png: more than 8 bits per channel \(I;16\); convert it to 8",
    "unnamed.npz": r"unnamed\.npz: no array 'labels' among images; give an npz",
    "float.npz": r"float\.npz: images are float64 \(4, 1, 8, 8\); give",
    "short.npz": r"short\.npz: labels are int64 \(3,\) for 4 images; give",
    "one.npz": r"--data .*one\.npz: labels run from 1 to 4; number them from 0, as labels - 1, or, .* --classes",
    "negative.npz": r"negative\.npz: there must be labels, all from 0 to 99999; give",
}


@pytest.mark.parametrize("name", BAD_DATA)
def test_data_that_cannot_be_used_is_named(tmp_path, name):
    images = np.zeros((4, 1, 8, 8), dtype=np.uint8)
    (tmp_path / "empty").mkdir()
    write_text(tmp_path / "broken/a/x.png", "no image")
    write_text(tmp_path / "text.npz", "no arrays")
    np.savez(tmp_path / "unnamed.npz", images=images)
    (tmp_path / "part.npz").write_bytes((tmp_path / "unnamed.npz").read_bytes()[:200])
    (tmp_path / "deep/a").mkdir(parents=True)
    Image.fromarray(np.full((8, 8), 300, dtype=np.uint16)).save(tmp_path / "deep/a/x.png")
    np.savez(tmp_path / "float.npz", images=images.astype(float), labels=np.arange(4))
    np.savez(tmp_path / "short.npz", images=images, labels=np.arange(3))
    np.savez(tmp_path / "one.npz", images=images, labels=np.arange(4) + 1)
    np.savez(tmp_path / "negative.npz", images=images, labels=np.arange(4) - 1)
    with pytest.raises(ValueError, match=BAD_DATA[name]):
        read_images(source(tmp_path / name))


def test_classes_that_do_not_fit_are_named(own_digits):
    (own_digits / "few.txt").write_text("a-9\n", encoding="utf-8")
    (own_digits / "twice.txt").write_text((own_digits / "classes.txt").read_text("utf-8") * 2, encoding="utf-8")
    for classes, message in (
        ("few.txt", r"does not list b-8, c-7, d-6 and 6 more, folders of .*; give all classes of the model"),
        ("twice.txt", r"twice\.txt: lists j-0 twice"),
        ("none.txt", r"none\.txt: no such file"),
    ):
        with pytest.raises(ValueError, match=message):
            read_images(source(own_digits / "pictures", classes=str(own_digits / classes)))
    (own_digits / "bytes.txt").write_bytes(b"\xff")
    with pytest.raises(ValueError, match=r"bytes\.txt: line 1 is not UTF-8"):
        read_images(source(own_digits / "pictures", classes=str(own_digits / "bytes.txt")))
    with pytest.raises(ValueError, match=r"--classes 3: .* has labels from 0 up to 9; give at least 10"):
        read_images(source(own_digits / "digits.npz", classes="3"))
    images, labels = digit_images()
    np.savez(own_digits / "one.npz", images=images[..., None], labels=labels + 1)
    with pytest.raises(ValueError, match=r"--classes 10: .* has labels from 1 up to 10; number them from 0, as labels"):
        read_images(source(own_digits / "one.npz", classes="10"))
    assert read_images(source(own_digits / "one.npz", classes="11")).n_classes == 11
