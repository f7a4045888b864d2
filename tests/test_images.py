"""Images kept as bytes: the same numbers wherever they lie, read ahead in order, in little memory however many."""

import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import make_images, make_net, one_step, pgd_attack
from ruamel.yaml import YAML

from advlaw.attacks.iterative import perturbed
from advlaw.core import examples as data_examples
from advlaw.core.code import sha256
from advlaw.core.dataset import Dataset, read_dataset, write_dataset
from advlaw.core.examples import read_examples
from advlaw.core.images import Chosen, Examples, Images, batches, read_ahead
from advlaw.core.io import read_npz, rows_on_disk, write_json
from advlaw.evaluation.each_eps import sweep_each_eps
from advlaw.evaluation.response import follow_rays, measure_logits, measure_response
from advlaw.evaluation.sweep import Randomness, sweep_one_step
from advlaw.evaluation.worst_case import Method, under_attacks
from advlaw.models.store import FINAL, build, save_model
from advlaw.theory.settings import Rays

ROOT = Path(__file__).parents[1]
CPU = torch.device("cpu")
RANDOM = Randomness(0, ("x",))
PIXELS = np.random.default_rng(0).integers(0, 256, (60, 3, 4, 5), dtype=np.uint8)
INDICES = (
    slice(0, 7),
    slice(50, 80),
    slice(None),
    [3, 1, 1],
    [],
    np.array([59, 0]),
    torch.tensor([5, 2, 40]),
    torch.arange(60) % 7 == 0,
)
SPLITS = {"train": np.arange(30), "validation": np.arange(30, 40), "test": np.arange(40, 60)[::-1].copy()}


@pytest.fixture
def path(tmp_path):
    write_dataset(tmp_path / "d.npz", Dataset(PIXELS, np.arange(60) % 10, SPLITS))
    return tmp_path / "d.npz"


def everywhere(path) -> dict[str, Images]:
    """The same images in memory, in memory that is not to be written to, and on the disk."""
    locked, rows = PIXELS.copy(), rows_on_disk(path, "images")
    locked.flags.writeable = False
    return {
        "memory": Images(PIXELS, CPU),
        "locked": Images(locked, CPU),
        "disk": Images(rows, CPU),
        "ahead": Images(Chosen(rows, np.arange(60)), CPU, readers=2),
    }


@pytest.mark.parametrize("place", ["memory", "locked", "disk", "ahead"])
def test_an_index_gives_the_same_float32_pixels_wherever_the_images_lie(path, place):
    images, as_float = everywhere(path)[place], torch.from_numpy(PIXELS).float()
    assert (len(images), images.shape, images.device) == (60, (3, 4, 5), CPU)
    for index in INDICES:
        found = images[index]
        assert found.dtype == torch.float32
        assert torch.equal(found, as_float[index])
    for found, index in zip(batches(images, INDICES), INDICES, strict=True):
        assert torch.equal(found, as_float[index])
    found[:] = -1.0  # whoever gets a batch may write to it
    assert torch.equal(images[:], as_float)
    few = Examples(images, torch.arange(60)).first(7)
    assert len(few.images) == len(few.labels) == 7
    assert torch.equal(few.images[2:], as_float[2:7])
    assert len(Examples(as_float, torch.arange(60)).first(None).images) == 60


@pytest.mark.parametrize("in_memory", [0, 10**9])
@pytest.mark.parametrize("split", ["train", "test", "train+validation"])
def test_a_split_is_that_of_the_data_set(path, monkeypatch, split, in_memory):
    monkeypatch.setattr(data_examples, "IN_MEMORY", in_memory)
    found = read_examples(path, split, CPU)
    index = np.concatenate([SPLITS[part] for part in split.split("+")])
    assert (found.images.readers == 0) == (in_memory > 0)
    assert torch.equal(found.images[:], torch.from_numpy(PIXELS[index]).float())
    assert torch.equal(found.labels, torch.from_numpy(index % 10))
    given = read_examples(path, split, CPU, labels=index)
    assert torch.equal(given.labels, torch.from_numpy(index))


def test_a_file_of_compressed_images_is_read_all_the_same(path):
    np.savez_compressed(path, images=PIXELS, labels=np.arange(60), **SPLITS)
    assert rows_on_disk(path, "images") is None
    np.testing.assert_array_equal(read_examples(path, "test", CPU).images[:].numpy(), PIXELS[SPLITS["test"]])


def test_labels_and_shapes_are_known_without_the_images(path, monkeypatch):
    monkeypatch.setattr("advlaw.core.io.Rows.__getitem__", lambda rows, index: pytest.fail("pixels were read"))
    dataset = read_dataset(path)
    assert (dataset.n_classes, dataset.images.shape, len(dataset.index("train"))) == (10, (60, 3, 4, 5), 30)


class Slow:
    """A source that takes a while to decode, every second batch of ten longer; counts the batches that are begun."""

    shape = (1000, 1, 2, 2)

    def __init__(self, broken: int = 1000) -> None:
        self.broken, self.begun, self.at_once, self.most_at_once = broken, 0, 0, 0
        self.lock = threading.Lock()

    def __len__(self) -> int:
        return 1000

    def __getitem__(self, index: slice) -> np.ndarray:
        with self.lock:
            self.begun, self.at_once = self.begun + 1, self.at_once + 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        time.sleep(0.02 * (1 + (index.start // 10) % 2))
        with self.lock:
            self.at_once -= 1
        if index.start >= self.broken:
            raise ValueError(f"image {index.start}: no JPEG")
        return np.full((index.stop - index.start, 1, 2, 2), index.start // 10, dtype=np.uint8)


TENS = [slice(start, start + 10) for start in range(0, 200, 10)]


def readers_alive() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("read_ahead")]


@pytest.mark.parametrize("readers", [1, 3])
def test_a_slow_source_is_read_ahead_in_order_and_not_far(readers):
    source = Slow()
    for done, pixels in enumerate(batches(Images(source, CPU, readers), TENS), start=1):
        assert (pixels == done - 1).all()
        assert source.begun <= done + readers
        time.sleep(0.01)
    assert (done, source.begun, source.most_at_once) == (20, 20, readers)
    assert not readers_alive()


def test_what_comes_next_is_read_while_a_batch_is_worked_on():
    source = Slow()
    for done, _ in enumerate(batches(Images(source, CPU, 2), TENS), start=1):
        give_up = time.monotonic() + 60
        while source.begun < min(done + 1, len(TENS)):  # nothing is asked for meanwhile
            assert time.monotonic() < give_up
            time.sleep(0.001)


@pytest.mark.parametrize("readers", [0, 3])
def test_an_error_of_the_source_comes_where_its_batch_does(readers):
    found = []
    with pytest.raises(ValueError, match="image 50: no JPEG"):
        found.extend(float(pixels[0, 0, 0, 0]) for pixels in batches(Images(Slow(50), CPU, readers), TENS))
    assert found == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert not readers_alive()


def test_what_is_not_worked_on_to_the_end_leaves_no_thread_and_reads_no_more():
    source = Slow()
    with closing(batches(Images(source, CPU, 3), TENS)) as parts:
        next(parts)
        next(parts)
    begun = source.begun
    assert begun <= 5
    assert not readers_alive()
    time.sleep(0.1)
    assert source.begun == begun
    assert list(read_ahead(str, [], 2)) == []


@pytest.mark.parametrize("arch", ["linear", "fc", "cnn"])
@pytest.mark.parametrize("batch_size", [{}, {"batch_size": 64}])
def test_a_sweep_of_images_is_that_of_the_float32_tensor_bit_for_bit(arch, batch_size):
    net, pixels = make_net(arch), make_images(530)
    labels = net(pixels).argmax(dim=1).roll(1)
    attack, eps = pgd_attack(random_start=True, restarts=2), np.geomspace(0.01, 64.0, 12)
    for images in kept_in_two_ways(pixels):
        same(
            sweep_one_step(net, images, labels, one_step(), eps, RANDOM, **batch_size),
            sweep_one_step(net, pixels, labels, one_step(), eps, RANDOM, **batch_size),
        )
        same(
            sweep_each_eps(net, images, labels, attack, perturbed, eps[::4], RANDOM, **batch_size),
            sweep_each_eps(net, pixels, labels, attack, perturbed, eps[::4], RANDOM, **batch_size),
        )


def test_responses_and_strong_attacks_on_images_are_those_on_the_tensor_bit_for_bit():
    net, pixels = make_net("cnn"), make_images(330)
    labels, eps = net(pixels).argmax(dim=1), np.geomspace(0.01, 64.0, 10)
    rays = Rays(eps_min=0.01, eps_max=64.0, count=10, followed=7, residual=60)
    methods = [Method("pgd", "iterative", pgd_attack(), net, 0)]
    wanted = measure_response(net, pixels, labels, one_step("l2"), eps, RANDOM)
    for images in kept_in_two_ways(pixels):
        assert measure_logits(net, images).tobytes() == measure_logits(net, pixels).tobytes()
        same(measure_response(net, images, labels, one_step("l2"), eps, RANDOM), wanted)
        same(*(follow_rays(net, those, labels, wanted["threshold"], eps, rays) for those in (images, pixels)))
        same(*(under_attacks(net, those, labels, methods, [1.0, 8.0]) for those in (images, pixels)))


def kept_in_two_ways(pixels: torch.Tensor) -> list[Images]:
    """In memory, and in a source that is read in batches, ahead."""
    array = pixels.byte().numpy()
    return [Images(array, CPU), Images(Chosen(array, np.arange(len(array))), CPU, readers=2)]


def same(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> None:
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        assert found[name].dtype == array.dtype, name
        assert found[name].tobytes() == array.tobytes(), name


BIG = (50_000, 3, 32, 32)  # 154 MB as bytes, 614 MB as float32
PEAK = "print(next(int(line.split()[1]) for line in open('/proc/self/status') if line.startswith('VmHWM')))"


def peak(code: str, folder: Path) -> int:
    """Peak memory in MB of a Python that runs `code`, which prints it last."""
    ran = subprocess.run(
        [sys.executable, "-c", f"{code}\n{PEAK}"],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr
    return int(ran.stdout.split()[-1]) // 1024


def write_random(path: Path, n_images: int) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (n_images, *BIG[1:]), dtype=np.uint8)
    splits = {"train": np.arange(0), "validation": np.arange(0), "test": np.arange(n_images)}
    write_dataset(path, Dataset(pixels, rng.integers(0, 10, n_images), splits))


@pytest.mark.slow
def test_an_epoch_over_images_on_a_disk_takes_little_memory(tmp_path):
    write_random(tmp_path / "d.npz", BIG[0])
    begin = (
        "import torch, pathlib\nfrom advlaw.core.examples import read_examples\ntorch.set_num_threads(2)\n"
        "examples = read_examples(pathlib.Path('d.npz'), 'test', torch.device('cpu'))\n"
        "(torch.randn(100, 100) @ torch.randn(100, 100)).sum()\n"
    )
    epoch = (
        "for batch in torch.randperm(len(examples.images)).split(128):\n"
        "    assert examples.images[batch].mean() > 0\n"
        "for start in range(0, len(examples.images), 250):\n"
        "    assert examples.images[start:start + 250].mean() > 0\n"
    )
    assert peak(begin + epoch, tmp_path) < peak(begin, tmp_path) + 40


@pytest.mark.slow
def test_the_memory_of_a_sweep_does_not_grow_with_the_number_of_images(tmp_path):
    """The stage `sweep`, FGSM at four eps on a fully connected net: 5,000 images lie in memory, 50,000 on the disk."""
    spec = {"arch": "fc", "image_shape": BIG[1:], "n_classes": 10, "widths": [30]}
    torch.manual_seed(0)
    sizes = {"few": 5_000, "many": 50_000}
    for name, size in sizes.items():
        path = tmp_path / "data/datasets" / f"{name}.npz"
        write_random(path, size)
        save_model(tmp_path / "models/s" / name, spec, {FINAL: build(spec).state_dict()}, None)
        write_json(tmp_path / "models/s" / name / "row.json", {"dataset": name, "dataset_sha256": sha256(path)})
    attack = {"direction": "sign", "target": "true_label", "clip": False}
    sweeps = {name: {"model": name, "family": "one_step", "attacks": ["fgsm"], "snapshots": []} for name in sizes}
    params = {
        **{"study": "s", "seed": 0, "threads": 2, "device": "cpu", "portable": False},
        "workers": {"backend": "loky", "processes": 1},
        **{"attack": {"eps_min": 0.01, "eps_max": 8.0, "count": 4}, "attacks": {"one_step": {"fgsm": attack}}},
        "sweeps": sweeps,
    }
    with (tmp_path / "params.yaml").open("w") as file:
        YAML(typ="safe").dump(params, file)
    stage = ROOT / "stages/sweep.py"
    run = f"import runpy, sys\nsys.argv = ['', '{{}}']\nrunpy.run_path('{stage}', run_name='__main__')"
    found = {name: peak(run.format(name), tmp_path) for name in sizes}
    print(found)
    for name, size in sizes.items():
        assert read_npz(tmp_path / "data/s/sweeps" / name / "fgsm.npz")["prediction"].shape == (4, size)
    assert found["many"] < 1.1 * found["few"]
