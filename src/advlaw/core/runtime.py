"""How torch computes in a stage: pinned threads, float32 without TF32, deterministic kernels, one device."""

import os

import torch


def configure(threads: int, device: str) -> torch.device:
    """Set up torch for one stage; returns the device (`auto` takes a GPU when there is one).

    Results are byte-identical between runs at one thread count on one kind of machine, so `threads` is a param
    and never read off the machine. Raises ValueError where `device: cuda` finds no GPU.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device = 'cuda': torch finds no GPU here; set device: auto or device: cpu")
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    if device == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(True)  # imports torch._inductor; on a CPU these nets need no such help
    return torch.device("cuda")
