"""Models and training: normalisation inside, stopping, failures, resuming, byte-equal results."""

import hashlib
import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from conftest import CLASSES, SHAPE, SIZES, make_images, make_net

from advlaw.core.images import Examples
from advlaw.core.rng import Numbers
from advlaw.data.clusters import clusters
from advlaw.models.store import FINAL, at_accuracy, at_epoch, build, fitted_labels, load_model, save_model
from advlaw.training import loop
from advlaw.training.accuracy import TrainingError, accuracy
from advlaw.training.checkpoint import Checkpoint
from advlaw.training.loop import train
from advlaw.training.optimizer import Optimizer
from advlaw.training.schedule import learning_rate
from advlaw.training.settings import Training
from advlaw.training.step import EagerStep

SNAPSHOTS = [0.1, 0.3]


def learnable(n_images=400, seed=0):
    """Images of ten overlapping classes."""
    made = clusters({"all": n_images}, CLASSES, SHAPE[1], 24.0, 0.02, seed)
    images, labels = made.split("all")
    return Examples(torch.from_numpy(images).float(), torch.from_numpy(labels))


def settings(**changes):
    values = {"dataset": "x", "epochs": 6, "learning_rate": 0.003, "batch_size": 32}
    return Training(**{**values, **changes})


def run(tmp_path, monkeypatch, arch="fc", checkpoints=False, **changes):
    """Train a small net; with a checkpoint after every epoch or none, as a slow machine is not to leave some behind."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_CHECKPOINTS", -1.0 if checkpoints else math.inf)
    torch.manual_seed(11)
    model = build({"arch": arch, "image_shape": SHAPE, "n_classes": CLASSES, **SIZES[arch]})
    chosen = settings(**changes)
    checkpoint = Checkpoint({"model": chosen.model_dump()}, [])
    fitted = learnable()
    model.head.set_statistics(fitted.images)
    history = train("models.net", model, fitted, learnable(100, seed=1), chosen, Numbers(5, ("net",)), checkpoint)
    return model, history, checkpoint


def fingerprint(model):
    return hashlib.sha256(b"".join(t.numpy().tobytes() for t in model.state_dict().values())).hexdigest()


@pytest.mark.parametrize("arch", sorted(SIZES))
def test_a_model_normalises_pixels_by_the_statistics_of_the_fitted_images(arch):
    net, images = make_net(arch, torch.float64), make_images(100, torch.float64)
    net.head.set_statistics(images)
    plain = make_net(arch, torch.float64)
    plain.head.mean.zero_()
    plain.head.std.fill_(1.0)
    normalised = (images - images.mean()) / images.std(correction=0)
    torch.testing.assert_close(net(images), plain(normalised))


@pytest.mark.parametrize("arch", sorted(SIZES))
def test_the_head_is_affine_and_linear_is_its_linear_part(arch):
    net, images = make_net(arch, torch.float64), make_images(10, torch.float64)
    direction = torch.randn(10, *SHAPE, dtype=torch.float64)
    for eps in (0.1, 50.0):
        torch.testing.assert_close(
            net.head(images) + eps * net.head.linear(direction), net.head(images + eps * direction)
        )


@pytest.mark.parametrize("arch", sorted(SIZES))
def test_a_stored_model_is_the_same_model(arch, tmp_path):
    net, images = make_net(arch), make_images(30)
    spec = {"arch": arch, "image_shape": SHAPE, "n_classes": CLASSES, **SIZES[arch]}
    half = {name: 0.5 * tensor for name, tensor in net.state_dict().items()}
    third = {name: tensor / 3 for name, tensor in net.state_dict().items()}
    save_model(tmp_path, spec, {FINAL: net.state_dict(), at_accuracy(0.99): half, at_epoch(1): third}, np.arange(3))
    loaded = load_model(tmp_path, torch.device("cpu"))
    assert not loaded.training
    assert not any(p.requires_grad for p in loaded.parameters())
    torch.testing.assert_close(loaded(images), net(images))
    for state, weights in ((at_accuracy(0.99), half), (at_epoch(1), third)):
        for name, tensor in load_model(tmp_path, torch.device("cpu"), state).state_dict().items():
            torch.testing.assert_close(tensor, weights[name])
    np.testing.assert_array_equal(fitted_labels(tmp_path), np.arange(3))
    assert json.loads((tmp_path / "spec.json").read_text("utf-8"))["arch"] == arch


@pytest.mark.parametrize("kind", ["adam", "sgd"])
def test_the_functional_optimizers_are_those_of_torch(kind):
    ours, theirs = ([torch.randn(5, 3, generator=torch.Generator().manual_seed(1))] for _ in range(2))
    theirs[0].requires_grad_(True)
    optimizer = Optimizer(kind, ours, weight_decay=0.01)
    make = torch.optim.Adam if kind == "adam" else lambda p, **more: torch.optim.SGD(p, momentum=0.9, **more)
    reference = make(theirs, lr=0.05, weight_decay=0.01)
    for step in range(20):
        gradient = torch.randn(5, 3, generator=torch.Generator().manual_seed(step))
        optimizer.step([gradient.clone()], 0.05)
        theirs[0].grad = gradient.clone()
        reference.step()
    torch.testing.assert_close(ours[0], theirs[0].detach())


@pytest.mark.parametrize("kind", ["adam", "sgd", "rmsprop"])
def test_a_gradient_in_another_layout_is_the_same_gradient(kind):
    """As cuDNN gives one in channels-last layout of a contiguous weight, or the other way round."""
    start, layouts = torch.randn(6, 4, 3, 3), (torch.contiguous_format, torch.channels_last)
    gradients = [torch.randn(6, 4, 3, 3) for _ in range(3)]
    for own in layouts:
        ends = []
        for other in layouts:
            weight = start.clone(memory_format=own)
            optimizer = Optimizer(kind, [weight], weight_decay=0.01)
            for gradient in gradients:
                optimizer.step([gradient.contiguous(memory_format=other)], 0.05)
            ends.append(weight)
        assert not torch.equal(ends[0], start)
        assert torch.equal(ends[0], ends[1])


def test_training_on_a_cpu_does_not_import_torch_s_compiler():
    """Which takes longer than training a small net does."""
    code = """
import sys, torch
from test_training import learnable, settings
from advlaw.core.rng import Numbers
from advlaw.models.store import build
from advlaw.training.loop import train
net = build({"arch": "cnn", "image_shape": [1, 8, 8], "n_classes": 10, "channels": [6], "dropout": 0.3})
for minibatches in (1, 2):
    train("x", net, learnable(), learnable(), settings(epochs=1, minibatches=minibatches), Numbers(0, ()), None)
assert "torch._dynamo" not in sys.modules
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def test_without_watched_images_accuracies_are_taken_after_the_last_epoch_alone(tmp_path, monkeypatch):
    whole, every, _ = run(tmp_path, monkeypatch)
    model, history, _ = run(tmp_path, monkeypatch, watched=0)
    assert fingerprint(model) == fingerprint(whole)
    assert [row["train_loss"] for row in history.rows] == [row["train_loss"] for row in every.rows]
    assert [row["train_accuracy"] for row in history.rows] == [None] * 6
    assert [row["validation_accuracy"] for row in history.rows] == [None] * 5 + [every.rows[-1]["validation_accuracy"]]
    assert history.first_at(0.1) is None
    some = run(tmp_path, monkeypatch, watched=50)[1]
    assert some.rows[-1]["train_accuracy"] == accuracy(model, learnable(), 50)


@pytest.mark.parametrize(
    "changes", [{}, {"arch": "cnn"}, {"optimizer": "sgd", "learning_rate": 0.02}, {"weight_decay": 0.01}]
)
def test_training_learns_and_is_byte_identical_when_repeated(tmp_path, monkeypatch, changes):
    arch = changes.pop("arch", "fc")
    model, history, _ = run(tmp_path, monkeypatch, arch, **changes)
    again, same_history, _ = run(tmp_path, monkeypatch, arch, **changes)
    rows = history.rows
    assert fingerprint(model) == fingerprint(again)
    assert rows == same_history.rows
    assert rows[-1]["train_loss"] < 0.95 * rows[0]["train_loss"]
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert rows[-1]["train_accuracy"] == accuracy(model, learnable())


def test_a_killed_training_resumes_to_the_same_bytes(tmp_path, monkeypatch):
    kept = {"snapshots": SNAPSHOTS, "snapshot_epochs": [2, 5]}
    whole, history, _ = run(tmp_path, monkeypatch, "cnn", **kept)
    real = loop._run_epoch
    ran = []

    def killed(*args):
        epoch = args[3]
        if epoch == 4 and not ran.count("killed"):
            ran.append("killed")
            raise KeyboardInterrupt
        ran.append(epoch)
        return real(*args)

    monkeypatch.setattr(loop, "_run_epoch", killed)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, monkeypatch, "cnn", checkpoints=True, **kept)
    resumed, resumed_history, checkpoint = run(tmp_path, monkeypatch, "cnn", checkpoints=True, **kept)
    assert ran == [1, 2, 3, "killed", 4, 5, 6]
    assert fingerprint(resumed) == fingerprint(whole)
    assert resumed_history.rows == history.rows
    assert history.snapshots.keys() == set(SNAPSHOTS)
    assert history.epochs.keys() == {2, 5}
    for epoch, weights in history.epochs.items():
        torch.testing.assert_close(resumed_history.epochs[epoch], weights, rtol=0, atol=0)
    for level, weights in history.snapshots.items():
        torch.testing.assert_close(resumed_history.snapshots[level], weights, rtol=0, atol=0)
    checkpoint.remove()
    assert list((tmp_path / ".ckpt").iterdir()) == []


def test_a_training_killed_within_an_epoch_resumes_there_to_the_same_bytes(tmp_path, monkeypatch, capsys):
    whole, history, _ = run(tmp_path, monkeypatch, "cnn")
    monkeypatch.setattr(loop, "SECONDS_WITHIN_AN_EPOCH", -1.0)
    made, killed_after, real = [], 15, EagerStep.__call__

    def killed(*args):
        if len(made) == killed_after:
            raise KeyboardInterrupt
        made.append(args[2])
        return real(*args)

    monkeypatch.setattr(EagerStep, "__call__", killed)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, monkeypatch, "cnn")
    before, killed_after = list(made), math.inf
    made.clear()
    resumed, resumed_history, _ = run(tmp_path, monkeypatch, "cnn")
    assert "going on after epoch 1 and 2 steps, where an earlier run was stopped" in capsys.readouterr().out
    assert made[0] > before[-1]  # no step is made again
    assert fingerprint(resumed) == fingerprint(whole)
    assert resumed_history.rows == history.rows


def test_a_checkpoint_belongs_to_its_settings_inputs_and_code(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    data = tmp_path / "data.npz"
    data.write_bytes(b"1")
    first = Checkpoint({"lr": 0.1}, [data]).folder
    assert Checkpoint({"lr": 0.1}, [data]).folder == first
    assert Checkpoint({"lr": 0.2}, [data]).folder != first
    data.write_bytes(b"2")
    assert Checkpoint({"lr": 0.1}, [data]).folder != first
    data.write_bytes(b"1")
    torch.set_num_threads(1)
    assert Checkpoint({"lr": 0.1}, [data]).folder != first


def test_training_stops_at_the_wanted_accuracy(tmp_path, monkeypatch):
    rows = run(tmp_path, monkeypatch, epochs=200, until_train_accuracy=0.9)[1].rows
    assert rows[-1]["train_accuracy"] >= 0.9
    assert all(row["train_accuracy"] < 0.9 for row in rows[:-1])


def test_a_snapshot_is_the_net_at_the_first_epoch_that_is_so_accurate(tmp_path, monkeypatch):
    model, history, _ = run(tmp_path, monkeypatch, epochs=30, schedule="constant", snapshots=[0.5, 0.9])
    assert list(history.snapshots) == [0.5, 0.9]
    assert len(history.rows) == 30
    assert accuracy(model, learnable()) == history.rows[-1]["train_accuracy"]
    for level, weights in history.snapshots.items():
        model.load_state_dict(weights)
        first = next(row for row in history.rows if row["train_accuracy"] >= level)
        assert accuracy(model, learnable()) == first["train_accuracy"]


def test_a_snapshot_of_an_epoch_is_the_net_of_a_training_cut_short_there(tmp_path, monkeypatch):
    """At a constant rate, for then nothing before an epoch depends on how many come after it."""
    history = run(tmp_path, monkeypatch, epochs=4, schedule="constant", snapshot_epochs=[1, 3, 4])[1]
    assert list(history.epochs) == [1, 3, 4]
    for epoch, weights in history.epochs.items():
        short = run(tmp_path, monkeypatch, epochs=epoch, schedule="constant")[0]
        for name, tensor in short.state_dict().items():
            torch.testing.assert_close(weights[name], tensor, rtol=0, atol=0)


def test_a_snapshot_that_is_never_reached_is_left_out(tmp_path, monkeypatch):
    history = run(tmp_path, monkeypatch, epochs=2, snapshots=[0.1, 1.0])[1]
    assert list(history.snapshots) == [0.1]
    assert history.first_at(1.0) is None


def test_an_accuracy_that_is_not_reached_is_a_clear_error(tmp_path, monkeypatch):
    message = (
        r"models.net.until_train_accuracy = 1: training accuracy is 0\.\d+ after all 2 epochs; raise models.net.epochs"
    )
    with pytest.raises(TrainingError, match=message):
        run(tmp_path, monkeypatch, epochs=2, until_train_accuracy=1.0)


def test_a_loss_that_is_not_finite_is_a_clear_error(tmp_path, monkeypatch):
    with pytest.raises(
        TrainingError,
        match=r"models.net: the training loss is (nan|inf) in epoch \d+ at learning_rate = 1e\+20",
    ):
        run(tmp_path, monkeypatch, optimizer="sgd", learning_rate=1e20)


def test_weights_that_blow_up_in_the_last_step_are_a_clear_error(tmp_path, monkeypatch):
    with pytest.raises(TrainingError, match="logits are not finite"):
        run(tmp_path, monkeypatch, epochs=1, batch_size=2000, learning_rate=1e30)


def test_a_checkpoint_that_cannot_be_read_is_set_aside(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    checkpoint = Checkpoint({}, [])
    checkpoint.save({"rows": []})
    (checkpoint.folder / "state.pt").write_bytes(b"cut off")
    assert checkpoint.load() is None
    assert "begins anew" in capsys.readouterr().out


def test_schedules_begin_at_the_rate_and_cosine_ends_at_zero():
    assert learning_rate(settings(schedule="constant"), 0.7) == 0.003
    cosine = [learning_rate(settings(schedule="cosine"), at) for at in (0.0, 0.5, 1.0)]
    np.testing.assert_allclose(cosine, [0.003, 0.0015, 0.0], atol=1e-12)
