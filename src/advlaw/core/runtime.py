"""How torch computes in a stage: threads and instructions pinned, float32 without TF32, deterministic kernels."""

import ctypes
import os

import torch

# read by torch's own kernels, MKL (matrix products) and oneDNN (convolutions), each when it first computes
PORTABLE = {"ATEN_CPU_CAPABILITY": "avx2", "MKL_CBWR": "COMPATIBLE", "ONEDNN_MAX_CPU_ISA": "AVX2"}
MALLOPT = {"trim_threshold": (-1, 2**31 - 1), "mmap_threshold": (-3, 64 * 2**20), "arena_max": (-8, 1)}  # of malloc.h


def configure(threads: int, device: str, portable: bool) -> torch.device:
    """Set up torch for one stage, before it computes; returns the device (`auto` takes a GPU when there is one).

    `portable` keeps every library on a CPU to the instructions that all x86-64 CPUs with AVX2 have, and so to the same
    bytes on all of them; without it bytes are the same on one kind of CPU. Both hold at one number of threads, which
    is a param and never read off the machine. Raises ValueError where `device: cuda` finds no GPU.
    """
    if portable:
        _pin_instructions()
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device = 'cuda': torch finds no GPU here; set device: auto or device: cpu")
    _keep_freed_memory()
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    if device == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(True)  # imports torch._inductor; on a CPU these nets need no such help
    return torch.device("cuda")


def _pin_instructions() -> None:
    """For this process and those it starts; where torch has computed already it is too late, which is our mistake."""
    os.environ.update(PORTABLE)
    found = torch.backends.cpu.get_cpu_capability()
    if found == "AVX512":
        raise RuntimeError("torch has computed before configure(portable=True) was called, with AVX-512: call it first")


def _keep_freed_memory() -> None:
    """Have glibc keep what is freed, in pieces of up to 64 MiB, for the next tensor; elsewhere do nothing.

    Else it returns the memory of every layer to the system and asks for it anew at the next step, which is half of the
    time that a convolutional net takes on a CPU, and lets the heaps of several threads grow with every epoch.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in MALLOPT.values():
            mallopt(option, value)
