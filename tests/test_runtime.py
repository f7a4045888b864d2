"""How torch is set up in a stage."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from advlaw.core.runtime import configure

FAULTS = """
import resource, sys
import torch
from advlaw.core.runtime import configure
if sys.argv[1] == "configured":
    configure(threads=1, device="cpu")
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


def test_a_missing_gpu_is_said_before_any_work(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="device = 'cuda': torch finds no GPU here; set device: auto or device: cpu"):
        configure(threads=1, device="cuda")
