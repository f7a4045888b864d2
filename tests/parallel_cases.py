"""Small trainings with steps of several minibatches, to be played by one process or by several (`test_parallel`)."""

import os
from pathlib import Path

import torch
from torch import multiprocessing

from advlaw.attacks.settings import IterativeAttack, OneStepAttack, RelativeStep
from advlaw.core.images import Examples
from advlaw.core.rng import Numbers
from advlaw.data.clusters import clusters
from advlaw.models.store import build, in_fast_layout
from advlaw.training import loop
from advlaw.training.checkpoint import Checkpoint
from advlaw.training.loop import train
from advlaw.training.parallel import ALONE, Processes, started
from advlaw.training.settings import Adversarial, FixedEps, RandomEps, Training
from advlaw.trials.defence import adversarial_defence

SIDE, CLASSES = 8, 10
N_IMAGES, SIZE = 104, 16  # with four minibatches a step the last one has three, one of them half as large
NUMBERS = Numbers(7, ("net",))
KEY = "models.net"
STEP_LL = OneStepAttack(direction="sign", target="least_likely", clip=True)
FAST_L2 = OneStepAttack(direction="l2", target="true_label", clip=True)
STEP_RND = OneStepAttack(direction="sign", target="random_class", clip=True)
PGD = IterativeAttack(
    norm="l2", steps=3, step_size=RelativeStep(relative=0.4), target="true_label", clip=True, random_start=True
)
KURAKIN = Adversarial(
    attack="one_step.x", images=8, weight=0.3, eps=RandomEps(sigma=8.0, largest=16.0), delay=0.2, probe_eps=8.0
)
MADRY = Adversarial(attack="iterative.x", images=12, weight=0.5, eps=FixedEps(fixed=30.0), probe_eps=8.0)
NETS = {
    "cnn": {"arch": "cnn", "channels": [6, 8], "dropout": 0.3},
    "fc": {"arch": "fc", "widths": [20]},
    "resnet": {"arch": "resnet", "depth": 8},
    "conv": {"arch": "conv", "channels": [4, 6], "width": 1.5, "activation": "elu", "dropout": 0.2},
    "maxout": {"arch": "maxout", "units": 12, "pieces": 3, "dropout": 0.2},
}
CASES = {  # net, what its training says, adversarial examples and their attack
    "dropout": ("cnn", {"optimizer": "adam"}, None, None),
    "kurakin": ("fc", {"optimizer": "sgd", "label_smoothing": 0.1, "entropy_weight": 0.1}, KURAKIN, STEP_LL),
    "madry": ("fc", {"optimizer": "rmsprop", "learning_rate": 0.05}, MADRY, PGD),
    "batch norm": ("resnet", {"optimizer": "sgd", "augment": "crop_flip", "weight_decay": 1e-3}, None, None),
    "batch norm, kurakin": ("resnet", {"optimizer": "adam"}, KURAKIN, STEP_LL),
    "conv, kurakin": ("conv", {"optimizer": "rmsprop", "label_smoothing": 0.1}, KURAKIN, FAST_L2),
    "maxout, kurakin": ("maxout", {"optimizer": "adam"}, KURAKIN, STEP_RND),
}


def examples(n_images: int, seed: int) -> Examples:
    """Images of ten overlapping classes."""
    images, labels = clusters({"all": n_images}, CLASSES, SIDE, 24.0, 0.02, seed).split("all")
    return Examples(torch.from_numpy(images).float(), torch.from_numpy(labels))


def training(name: str, minibatches: int, **changes) -> Training:
    values = {"dataset": "x", "epochs": 2, "learning_rate": 0.01, "batch_size": SIZE, **CASES[name][1], **changes}
    return Training(minibatches=minibatches, **values)


def fresh(name: str) -> torch.nn.Module:
    """The net of a case before training."""
    torch.manual_seed(2)
    net = build({**NETS[CASES[name][0]], "image_shape": [1, SIDE, SIDE], "n_classes": CLASSES})
    net.head.set_statistics(examples(N_IMAGES, 0).images)
    return in_fast_layout(net)


def play(
    name: str, minibatches: int, processes: Processes = ALONE, checkpoint: Checkpoint | None = None, **changes
) -> tuple[dict[str, torch.Tensor], list]:
    """The weights and statistics, and the rows, that the training of a case ends with."""
    net, settings, validation = fresh(name), training(name, minibatches, **changes), examples(50, 1)
    _, _, adversarial, attack = CASES[name]
    defence = adversarial_defence(adversarial, attack, SIZE, validation) if adversarial else None
    fitted = examples(N_IMAGES, 0)
    history = train(KEY, net, fitted, validation, settings, NUMBERS, checkpoint, defence, processes)
    return {key: value.clone() for key, value in net.state_dict().items()}, history.rows


def play_resumed(processes: Processes, folder: Path) -> tuple[dict[str, torch.Tensor], list]:
    """A training of three epochs that is stopped in the last; only the first process finds a checkpoint."""
    os.environ["DVC_ROOT"] = str(folder / str(processes.rank))
    loop.SECONDS_BETWEEN_CHECKPOINTS = -1.0
    real = loop._run_epoch

    def stopped(*args):
        if args[3] == 3:
            raise KeyboardInterrupt
        return real(*args)

    loop._run_epoch = stopped
    try:
        play("dropout", 4, processes, Checkpoint({}, []), epochs=3)
    except KeyboardInterrupt:
        loop._run_epoch = real
    assert (Checkpoint({}, []).load() is not None) == processes.is_first
    return play("dropout", 4, processes, Checkpoint({}, []), epochs=3)


def of_processes(size: int, steps: list[int], folder: Path) -> list[dict]:
    """What each of `size` processes has, for each number of minibatches in `steps`, after all cases.

    And after a training that is stopped and resumed.
    """
    multiprocessing.spawn(_one_process, (size, steps, str(folder)), nprocs=size)
    return [torch.load(folder / f"{rank}.pt") for rank in range(size)]


def _one_process(rank: int, size: int, steps: list[int], folder: str) -> None:
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(size), "LOCAL_RANK": str(rank)}
    store = f"file://{folder}/store"  # no port that another test could have taken
    torch.distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=size)
    processes = started(torch.device("cpu"))
    found = {(name, minibatches): play(name, minibatches, processes) for name in CASES for minibatches in steps}
    found["resumed", 4] = play_resumed(processes, Path(folder))
    torch.save(found, Path(folder) / f"{rank}.pt")
