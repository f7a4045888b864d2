"""One net trained by two processes of one thread, as torchrun starts them, against one process of two threads.

Both take the same minibatches, two to a step, to the same loss. On a GPU this compares nothing: the chip is one.
"""

import os
import socket
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from nets import ARCHITECTURES, N_CLASSES, SHAPE, images_and_labels, untrained
from rounds import Line, Setting, compare
from torch import multiprocessing

from advlaw.core.images import Examples, Images
from advlaw.core.rng import Numbers
from advlaw.models.store import in_fast_layout
from advlaw.training.loop import train
from advlaw.training.parallel import ALONE, Processes, started
from advlaw.training.settings import Training

CPU, N_PROCESSES = torch.device("cpu"), 2
NETS = {**ARCHITECTURES, "ResNet-8": {"arch": "resnet", "depth": 8}}
IMAGES = {"FC 1000-1000": 12_000, "CNN 32-64": 2560, "ResNet-8": 1280}
SETTINGS = Training(dataset="x", epochs=1, learning_rate=0.001, batch_size=64, minibatches=2, watched=0)


def epoch(processes: Processes, name: str) -> float:
    """The mean loss of one."""
    images, labels = (values[: IMAGES[name]] for values in images_and_labels())
    fitted = Examples(Images(images.to(torch.uint8).numpy(), CPU), labels)
    numbers = Numbers(0, (name,))
    model = in_fast_layout(untrained({**NETS[name], "image_shape": SHAPE, "n_classes": N_CLASSES}, numbers, images))
    history = train("benchmark", model, fitted, fitted.first(1), SETTINGS, numbers, None, None, processes)
    return float(history.rows[-1]["train_loss"] or 0.0)


def work(rank: int, port: int, orders: Any, losses: Any) -> None:
    """One of several processes: trains the nets whose names it is given, until it is given none."""
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(N_PROCESSES), "MASTER_ADDR": "127.0.0.1"}
    os.environ["MASTER_PORT"] = str(port)
    torch.set_num_threads(1)
    processes = started(CPU)
    while name := orders[rank].get():
        losses.put(epoch(processes, name))


def lines(setting: Setting) -> Iterator[Line]:
    context = multiprocessing.get_context("spawn")
    orders, losses = [context.Queue() for _ in range(N_PROCESSES)], context.Queue()
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    workers = [context.Process(target=work, args=(rank, port, orders, losses)) for rank in range(N_PROCESSES)]
    for worker in workers:
        worker.start()

    def together(name: str) -> float:
        for queue in orders:
            queue.put(name)
        loss, *_ = [losses.get() for _ in workers]
        return loss

    threads = torch.get_num_threads()
    torch.set_num_threads(N_PROCESSES)
    try:
        for name, n_images in IMAGES.items():
            torch.testing.assert_close(together(name), epoch(ALONE, name), rtol=1e-3, atol=0.0)
            peers = {"1 process, 2 threads": partial(epoch, ALONE, name)}
            what = "training, 2 processes of 1 thread"
            yield from compare(what, name, f"{n_images:,} images", partial(together, name), peers, setting, False)
    finally:
        torch.set_num_threads(threads)
        for queue in orders:
            queue.put("")
        for worker in workers:
            worker.join()
