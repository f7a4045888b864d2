"""Several processes that train one net: they share the minibatches of each step, and what comes out is the same bytes.

    torchrun --nproc_per_node 4 stages/train.py ...

Whatever the number of processes, the same numbers are added in the same order. That is not so with
`DistributedDataParallel`, which averages the processes' means, so that a smaller last minibatch counts too much
(Kurakin's divisor (m - k) + lambda k is of the whole step), keeps the first process's batch statistics, and does not
see gradients that `torch.autograd.grad` takes.
"""

import atexit
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, distributed

T = TypeVar("T")


@dataclass(frozen=True)
class Processes:
    """How many processes train this net, and which of them this one is."""

    rank: int
    size: int

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def check(self, key: str, n_minibatches: int) -> None:
        """Raises ValueError where the minibatches of a step cannot be shared equally; `key` is that of the net."""
        if n_minibatches % self.size:
            raise ValueError(
                f"{key}.minibatches = {n_minibatches}: {self.size} processes share the minibatches of a step, so it "
                f"must be a multiple of {self.size}; change it, or start another number of processes"
            )

    def share(self, minibatches: Sequence[T], n_minibatches: int) -> Sequence[T]:
        """Those that this process plays, of a step that has `n_minibatches` or, at the end of an epoch, fewer."""
        each = n_minibatches // self.size
        return minibatches[self.rank * each : (self.rank + 1) * each]

    def summed(self, rows: Iterable[Tensor], length: int, n_rows: int, n_minibatches: int) -> Tensor:
        """The sum (length,) of the rows of all `n_rows` minibatches of a step, added one by one in their order.

        `rows` are those (length,) of `share`. With several processes each adds a slice of every row, so that as many
        numbers are sent as in an all-reduce, whose order of additions would depend on the number of processes.
        """
        if self.size == 1:
            return _added(rows)
        each, width = n_minibatches // self.size, -(-length // self.size)
        mine = torch.zeros(each, self.size * width, device=_device())
        for place, row in zip(mine, rows, strict=False):  # fewer rows at the end of an epoch
            place[:length] = row
        theirs = torch.empty(self.size * each, width, device=mine.device)
        slices = mine.view(each, self.size, width).transpose(0, 1).contiguous()
        distributed.all_to_all_single(theirs.view(-1), slices.view(-1))
        whole = torch.empty(self.size * width, device=mine.device)
        distributed.all_gather_into_tensor(whole, _added(theirs[:n_rows]))
        return whole[:length]

    def of_first(self, value: T) -> T:
        """What the first process has."""
        if self.size == 1:
            return value
        values = [value]
        distributed.broadcast_object_list(values, src=0)
        return values[0]


ALONE = Processes(0, 1)


def started(device: torch.device) -> Processes:
    """The processes that torchrun started, this one among them, once all of them are there; else ALONE.

    On a GPU each takes the one of its LOCAL_RANK.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return ALONE
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    if not distributed.is_initialized():
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        atexit.register(distributed.destroy_process_group)
    return Processes(int(os.environ["RANK"]), size)


def _added(rows: Iterable[Tensor]) -> Tensor:
    """The rows' sum, one after another."""
    waiting = iter(rows)  # one row at a time is in memory
    total = next(waiting).clone()
    for row in waiting:
        total += row
    return total


def _device() -> torch.device:
    """Where tensors must be to be sent."""
    return torch.device("cuda" if distributed.get_backend() == "nccl" else "cpu")
