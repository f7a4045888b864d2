"""Steps of training as CUDA graphs: their operations, played here one after another, learn what plain steps do."""

import parallel_cases
import pytest
import torch

from advlaw.training import captured, loop

FUSED = ["dropout", "kurakin", "batch norm", "batch norm, kurakin", "maxout, kurakin"]


class Graphs:
    """Captures by keeping the operations: a replay does them anew and writes their result to where it lay."""

    def __init__(self):
        self.captured = self.replayed = 0

    def __call__(self, work):
        self.captured += 1
        result = torch.zeros(())

        def replay():
            self.replayed += 1
            result.copy_(work())

        return replay, result


def played(monkeypatch, name, capture):
    monkeypatch.setattr(loop, "can_be_captured", lambda _: True)
    monkeypatch.setattr(loop, "on_gpu", lambda: capture)
    return parallel_cases.play(name, 1, epochs=4)


@pytest.mark.parametrize("name", FUSED)
def test_captured_steps_learn_what_plain_ones_do(monkeypatch, name):
    plain, plain_rows = parallel_cases.play(name, 1, epochs=4)
    graphs = Graphs()
    found, rows = played(monkeypatch, name, graphs)
    is_delayed = name.endswith("kurakin")  # minibatches before the attack's delay are of another kind
    assert graphs.captured == 2 + is_delayed
    assert graphs.replayed > 8
    for key, weights in plain.items():
        torch.testing.assert_close(found[key], weights, rtol=1e-4, atol=1e-4)
    assert [row["train_loss"] for row in rows] == pytest.approx([row["train_loss"] for row in plain_rows], rel=1e-3)


def test_what_cannot_be_captured_is_said_once_and_learnt_all_the_same(monkeypatch, capsys):
    def refuses(work):
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    plain, plain_rows = parallel_cases.play("batch norm", 1, epochs=4)
    found, rows = played(monkeypatch, "batch norm", refuses)
    assert rows == plain_rows
    assert all(torch.equal(found[key], weights) for key, weights in plain.items())
    printed = capsys.readouterr().out
    assert printed.count("cannot be captured as a CUDA graph and takes longer: operation not permitted") == 1


def test_what_is_on_a_cpu_or_shared_or_not_fused_is_not_captured(monkeypatch):
    tried = []
    real = captured.can_be_captured
    monkeypatch.setattr(loop, "can_be_captured", lambda step: tried.append(real(step)) or False)
    for name, minibatches in (("dropout", 1), ("kurakin", 4), ("madry", 1)):
        parallel_cases.play(name, minibatches)
    assert tried == [False, False, False]
