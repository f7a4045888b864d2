"""How torch is set up in a stage."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from advlaw.core.runtime import PORTABLE, configure

FAULTS = """
import resource, sys
import torch
from advlaw.core.runtime import configure
if sys.argv[1] == "configured":
    configure(threads=1, device="cpu", portable=False)
torch.empty(10_000_000).fill_(1.0)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    torch.empty(10_000_000).fill_(1.0)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_freed_memory_is_used_again_instead_of_asked_for_anew():
    """50 tensors of 40 MB, one after the other: 10,000 pages each time, or once. With another C library: no more."""
    faults = {}
    for state in ("plain", "configured"):
        environment = {"PYTHONPATH": str(Path(__file__).parents[1] / "src")}
        command = [sys.executable, "-c", FAULTS, state]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        faults[state] = int(done.stdout)
    share = 0.25 if platform.libc_ver()[0] == "glibc" else 1.5
    assert faults["configured"] < share * faults["plain"] + 1000


BYTES = """
import hashlib, sys
import torch
from advlaw.core.runtime import configure
if sys.argv[1] == "late":
    torch.ones(2).exp()
configure(threads=1, device="cpu", portable=sys.argv[1] != "plain")
draws = torch.Generator().manual_seed(0)
images = torch.randn(40, 3, 16, 16, generator=draws).to(memory_format=torch.channels_last)
kernels = torch.randn(8, 3, 3, 3, generator=draws).to(memory_format=torch.channels_last)
weights = torch.randn(100, 768, generator=draws)
found = {
    "matrix product": torch.nn.functional.linear(images.flatten(1), weights),
    "convolution": torch.nn.functional.conv2d(images, kernels, padding=1),
    "exponential": images.exp(),
    "sum": images.sum(dim=(1, 2, 3)),
    "variance": images.var(dim=(0, 2, 3)),
}
for name, values in found.items():
    print(name, hashlib.sha256(values.contiguous().numpy().tobytes()).hexdigest()[:16])
"""


def bytes_of(state: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a fresh process computes; nothing of this one's settings of instructions is left to it."""
    environment |= {"PYTHONPATH": str(Path(__file__).parents[1] / "src")}
    return subprocess.run(
        [sys.executable, "-c", BYTES, state], capture_output=True, text=True, check=False, env=environment
    )


def test_portable_bytes_are_those_of_instructions_pinned_from_the_outside():
    """Set before torch is imported, or by `configure` after it: a library reads its variable when it first works."""
    pinned = bytes_of("plain", **PORTABLE)
    found = bytes_of("portable")
    assert (pinned.returncode, found.returncode) == (0, 0), pinned.stderr + found.stderr
    assert found.stdout == pinned.stdout
    assert len(found.stdout.splitlines()) == 5


def test_a_process_that_has_computed_cannot_be_made_portable_in_silence():
    done = bytes_of("late")
    if "AVX512" in torch_capability():
        assert "torch has computed before configure(portable=True) was called" in done.stderr
    else:
        assert done.returncode == 0


def torch_capability() -> str:
    """The instructions that torch would choose on this CPU."""
    command = [sys.executable, "-c", "import torch; print(torch.backends.cpu.get_cpu_capability())"]
    return subprocess.run(command, capture_output=True, text=True, check=True, env={}).stdout


def test_a_missing_gpu_is_said_before_any_work(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="device = 'cuda': torch finds no GPU here; set device: auto or device: cpu"):
        configure(threads=1, device="cuda", portable=False)
