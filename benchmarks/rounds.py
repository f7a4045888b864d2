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
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

Job = Callable[[], object]
MATMUL_SIZE = 2048
MATMUL_REPEATS = {"cpu": 2, "cuda": 20}


@dataclass(frozen=True)
class Setting:
    """Where and how often is measured."""

    device: torch.device
    rounds: int


@dataclass(frozen=True)
class Line:
    """One peer against advlaw. `ratio` is peer over ours, median and extremes over the rounds.

    `matmul_share`: floating-point operations that our run executes, per second, over those of a matrix product of
    2048 x 2048 float32 in the same round on the same threads.
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
    flops = _flops(ours) if counts_flops else None
    own, shares, theirs = [], [], {name: [] for name in peers}
    for number in range(setting.rounds + 1):
        found = {name: seconds(job, device) for name, job in {"advlaw": ours, **peers}.items()}
        rate = matmul_rate(device)
        if number > 0:
            own.append(found["advlaw"])
            shares.append(flops / found["advlaw"] / rate if flops else None)
            for name in peers:
                theirs[name].append(found[name])
    share = statistics.median(shares) if flops else None
    lines = []
    for name, times in theirs.items():
        ratios = [their / our for their, our in zip(times, own, strict=True)]
        extremes = statistics.median(ratios), min(ratios), max(ratios)
        medians = statistics.median(own), statistics.median(times)
        lines.append(Line(what, net, work, name, *medians, *extremes, share, setting.rounds))
        shown = f"{share:.0%} of matmul" if share else ""
        print(f"{what}, {net}: x{extremes[0]:.2f} [{extremes[1]:.2f}, {extremes[2]:.2f}] {name} {shown}", flush=True)
    return lines


def matmul_rate(device: torch.device) -> float:
    """Floating-point operations a second of a float32 matrix product, now."""
    square = torch.ones(MATMUL_SIZE, MATMUL_SIZE, device=device)
    repeats = MATMUL_REPEATS[device.type]
    square @ square
    took = seconds(lambda: [square @ square for _ in range(repeats)], device)
    return repeats * 2 * MATMUL_SIZE**3 / took


class _Flops(TorchDispatchMode):
    """Counts the floating-point operations of matrix products and convolutions, backward passes included.

    torch's own FlopCounterMode follows modules with hooks that gradients at the pixels do not go through.
    """

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if counted := flop_registry.get(func._overloadpacket):
            self.total += counted(*args, **(kwargs or {}), out_val=result)
        return result


def _flops(job: Job) -> int:
    with _Flops() as counter:
        job()
    return counter.total


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
