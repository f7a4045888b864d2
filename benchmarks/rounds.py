"""Contestants that take turns: the median of the ratios of a round, and how fast the machine was in it.

What is compared is the same work with the same result: every benchmark checks that before it times anything.
"""

import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from advlaw.training import loop

Job = Callable[[], object]
MATMUL_SIZE = 2048
REPEATS = {"cpu": 2, "cuda": 20}
COPIED = {"cpu": 2**26, "cuda": 2**30}  # bytes, more than caches hold


@dataclass(frozen=True)
class Setting:
    """Where and how often is measured."""

    device: torch.device
    rounds: int


@dataclass(frozen=True)
class Line:
    """One peer against advlaw. `ratio` is peer over ours, median and extremes over the rounds.

    `matmul_share`: floating-point operations that our run executes, per second, over those of a matrix product of
    2048 x 2048 float32 in the same round on the same threads. `bandwidth_share`: bytes that its operations read and
    write, each as if alone, per second, over those of a copy of a large tensor; above 1 where caches hold them.
    """

    what: str
    net: str
    work: str
    peer: str
    our_seconds: float
    peer_seconds: float | None
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    matmul_share: float | None
    bandwidth_share: float | None
    rounds: int

    def as_row(self) -> dict[str, Any]:
        return {
            name: float(f"{value:.4g}") if isinstance(value, float) else value for name, value in asdict(self).items()
        }


def seconds(job: Job, device: torch.device) -> float:
    """How long one call takes, kernels of a GPU included."""
    _wait(device)
    start = time.perf_counter()
    job()
    _wait(device)
    return time.perf_counter() - start


def compare(
    what: str, net: str, work: str, ours: Job, peers: dict[str, Job], setting: Setting, counts_flops: bool = True
) -> list[Line]:
    """Time all in turns, after one round that does not count; a line for every peer, printed as it is found."""
    device = setting.device
    work_done = _work(ours) if counts_flops else None
    own, shares, theirs = [], [], {name: [] for name in peers}
    for number in range(setting.rounds + 1):
        found = {name: seconds(job, device) for name, job in {"advlaw": ours, **peers}.items()}
        rates = matmul_rate(device), copy_rate(device)
        if number > 0:
            own.append(found["advlaw"])
            if work_done:
                shares.append([done / found["advlaw"] / rate for done, rate in zip(work_done, rates, strict=True)])
            for name in peers:
                theirs[name].append(found[name])
    matmul, bandwidth = (statistics.median(column) for column in zip(*shares, strict=True)) if shares else (None, None)
    lines = []
    for name, times in theirs.items():
        ratios = [their / our for their, our in zip(times, own, strict=True)]
        extremes = statistics.median(ratios), min(ratios), max(ratios)
        medians = statistics.median(own), statistics.median(times)
        lines.append(Line(what, net, work, name, *medians, *extremes, matmul, bandwidth, setting.rounds))
        shown = f"{matmul:.0%} of matmul, {bandwidth:.0%} of bandwidth" if matmul and bandwidth else ""
        print(f"{what}, {net}: x{extremes[0]:.2f} [{extremes[1]:.2f}, {extremes[2]:.2f}] {name} {shown}", flush=True)
    return lines


def matmul_rate(device: torch.device) -> float:
    """Floating-point operations a second of a float32 matrix product, now."""
    square = torch.ones(MATMUL_SIZE, MATMUL_SIZE, device=device)
    repeats = REPEATS[device.type]
    square @ square
    took = seconds(lambda: [square @ square for _ in range(repeats)], device)
    return repeats * 2 * MATMUL_SIZE**3 / took


def copy_rate(device: torch.device) -> float:
    """Bytes a second that a copy of a large tensor reads and writes, now."""
    source = torch.ones(COPIED[device.type] // 4, device=device)
    target = torch.empty_like(source)
    repeats = REPEATS[device.type]
    target.copy_(source)
    took = seconds(lambda: [target.copy_(source) for _ in range(repeats)], device)
    return repeats * 2 * COPIED[device.type] / took


class _Work(TorchDispatchMode):
    """Counts floating-point operations of matrix products and convolutions, and bytes that all operations move.

    Backward passes are included. torch's own FlopCounterMode follows modules with hooks that gradients at the pixels
    do not go through. Views move nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.flops = self.bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if counted := flop_registry.get(func._overloadpacket):
            self.flops += counted(*args, **(kwargs or {}), out_val=result)
        if not func.is_view:
            leaves = tree_leaves((args, kwargs, result))
            self.bytes += sum(leaf.numel() * leaf.element_size() for leaf in leaves if isinstance(leaf, Tensor))
        return result


def _work(job: Job) -> tuple[int, int]:
    """The operations and the bytes of a job, its steps not captured: what a graph replays is not seen."""
    captured, loop.can_be_captured = loop.can_be_captured, lambda step: False
    try:
        with _Work() as counter:
            job()
    finally:
        loop.can_be_captured = captured
    return counter.flops, counter.bytes


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def machine(setting: Setting, peers: Sequence[str]) -> dict[str, Any]:
    """Where this was measured, and the versions of `peers`."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "processor": torch.cuda.get_device_name() if setting.device.type == "cuda" else processor(),
        "threads": 1,
        "matmul_gflops": round(matmul_rate(setting.device) / 1e9, 1),
        "python": platform.python_version(),
        "torch": torch.__version__.partition("+")[0],
        "versions": {name: version(name) for name in peers},
    }


def processor() -> str:
    """The processor's name as Linux gives it."""
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
