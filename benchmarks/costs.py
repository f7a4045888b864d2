"""What it costs that results can be trusted: the same bytes on every CPU, and the self-checks of every sweep.

    python benchmarks/costs.py
writes  benchmarks/costs.json: machine, date and all lines

`portable: true` is held against the fastest instructions of this CPU. They are chosen once a process, so each side
computes in processes of its own, and they take turns.
Self-checks are timed inside the sweeps that they belong to.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from rounds import Job, Line, Setting, machine, seconds

from advlaw.core.io import write_json
from advlaw.core.runtime import PORTABLE, configure

ROOT = Path(__file__).parents[1]
CPU = torch.device("cpu")
ROUNDS = 9
SIDES = {"portable": True, "fastest": False}
STAGES = (("train", "linear"), ("train", "fc"), ("train", "cnn"), ("sweep", "fc"), ("sweep", "clusters_fc"))
STAGE_ROUNDS = 5
FASTEST = "fastest instructions"
SWEEP_CHECKS = ("check_clean", "check_thresholds")
EACH_EPS_CHECKS = ("check_clean", "unmoved")
SWEPT: dict[str, dict[str, Any]] = {
    "linear": {},
    "fc": {"widths": [200, 200, 200]},
    "cnn": {"channels": [32, 64], "dropout": 0.25},
}
JOBS = {
    "matrix product": ("–", "1024 x 1024 x 1024, float32"),
    "convolution": ("–", "250 x 32 x 14 x 14 to 64 channels, 3 x 3"),
    "gradient step": ("FC-200-200-200", "64 images of 8 x 8"),
    "forward pass": ("FC-200-200-200", "500 images of 8 x 8"),
}


def jobs() -> dict[str, Job]:
    """What a side computes, by the names of JOBS."""
    from torch.nn.functional import conv2d, cross_entropy

    from advlaw.models.store import build

    torch.manual_seed(0)
    square = torch.randn(1024, 1024)
    pixels = torch.randn(250, 32, 14, 14).to(memory_format=torch.channels_last)
    kernels = torch.randn(64, 32, 3, 3).to(memory_format=torch.channels_last)
    net = build({"arch": "fc", "image_shape": [1, 8, 8], "n_classes": 10, "widths": [200, 200, 200]})
    images, labels = torch.rand(500, 1, 8, 8) * 255, torch.arange(64) % 10

    def gradient() -> object:
        return torch.autograd.grad(cross_entropy(net(images[:64]), labels), list(net.parameters()))

    def forward() -> object:
        with torch.inference_mode():
            return net(images)

    return {
        "matrix product": lambda: square @ square,
        "convolution": lambda: conv2d(pixels, kernels, padding=1),
        "gradient step": lambda: [gradient() for _ in range(20)],
        "forward pass": lambda: [forward() for _ in range(20)],
    }


def serve(portable: bool) -> None:
    """A side: reads a job's name, answers with the seconds that it took, until there are no more."""
    configure(threads=1, device="cpu", portable=portable)
    work = jobs()
    for job in work.values():
        job()  # the first time does not count
    for line in sys.stdin:
        print(seconds(work[line.strip()], CPU), flush=True)


def lines() -> Iterator[Line]:
    """The fastest instructions over the portable ones, for every job."""
    clean = {**_clean(), "PYTHONPATH": os.environ["PYTHONPATH"]}
    sides = {
        side: subprocess.Popen(
            [sys.executable, __file__, side], env=clean, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for side in SIDES
    }
    for what, (net, work) in JOBS.items():
        times: dict[str, list[float]] = {side: [] for side in sides}
        for _ in range(ROUNDS):
            for side, process in sides.items():
                assert process.stdin is not None
                assert process.stdout is not None
                print(what, file=process.stdin, flush=True)
                times[side].append(float(process.stdout.readline()))
        yield line(what, net, work, FASTEST, *times.values())
    for process in sides.values():
        process.communicate()


def stages() -> Iterator[Line]:
    """Stages of the default study as DVC runs them, from the first import to the last file."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["git", "clone", "-q", str(ROOT), folder], check=True)
        subprocess.run(["dvc", "repro", "-q", "dvc.yaml:train"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        text = Path(folder, "params.yaml").read_text("utf-8")
        for side, portable in SIDES.items():
            wanted = text.replace("portable: true", f"portable: {str(portable).lower()}")
            (Path(folder) / f"{side}.yaml").write_text(wanted, encoding="utf-8")
        for stage, key in STAGES:
            times: dict[str, list[float]] = {side: [] for side in SIDES}
            for _ in range(STAGE_ROUNDS):
                for side, found in times.items():
                    command = [sys.executable, f"stages/{stage}.py", key, "--params", f"{side}.yaml"]
                    start = time.perf_counter()
                    subprocess.run(command, cwd=folder, env=_clean(), check=True, stdout=subprocess.DEVNULL)
                    found.append(time.perf_counter() - start)
            yield line(f"stage {stage}", key, "whole, 2 threads", FASTEST, *times.values())


def _clean() -> dict[str, str]:
    """The environment without pinned instructions, for a stage of the folder where it runs."""
    return {**{name: value for name, value in os.environ.items() if name not in PORTABLE}, "PYTHONPATH": "src"}


def self_checks() -> Iterator[Line]:
    """The time of a sweep's self-checks over all of its time: of one-step and of iterative attacks."""
    import numpy as np

    from advlaw.attacks import iterative
    from advlaw.attacks.settings import IterativeAttack, OneStepAttack, RelativeStep
    from advlaw.evaluation import each_eps, sweep
    from advlaw.models.store import build

    configure(threads=1, device="cpu", portable=True)
    spent: list[float] = []

    def timed(check: Callable[..., object]) -> Callable[..., object]:
        def run(*arguments: object) -> object:
            start = time.perf_counter()
            found = check(*arguments)
            spent.append(time.perf_counter() - start)
            return found

        return run

    for module, names in ((sweep, SWEEP_CHECKS), (each_eps, EACH_EPS_CHECKS)):
        for name in names:
            setattr(module, name, timed(getattr(module, name)))
    fgsm = OneStepAttack(direction="sign", target="true_label", clip=False)
    step = RelativeStep(relative=0.125)
    pgd = IterativeAttack(norm="linf", steps=20, step_size=step, target="true_label", clip=False)
    images = torch.randint(0, 256, (540, 1, 8, 8), generator=torch.Generator().manual_seed(0)).float()
    eps, randomness = np.geomspace(0.01, 64.0, 40), sweep.Randomness(0, ("x",))
    for arch, sizes in SWEPT.items():
        torch.manual_seed(0)
        net = build({"arch": arch, "image_shape": [1, 8, 8], "n_classes": 10, **sizes}).eval().requires_grad_(False)
        labels = net(images).argmax(dim=1)
        sweeps: dict[str, Job] = {
            "FGSM": partial(sweep.sweep_one_step, net, images, labels, fgsm, eps, randomness),
            "PGD": partial(each_eps.sweep_each_eps, net, images, labels, pgd, iterative.perturbed, eps, randomness),
        }
        for name, job in sweeps.items():
            times: dict[str, list[float]] = {"whole": [], "checks": []}
            for _ in range(ROUNDS):
                spent.clear()
                times["whole"].append(seconds(job, CPU))
                times["checks"].append(sum(spent))
            work = f"540 images of 8 x 8, 40 ε, {name}"
            yield line("sweep and, as its peer, its self-checks", arch, work, "self-checks", *times.values())


def line(what: str, net: str, work: str, peer: str, ours: list[float], theirs: list[float]) -> Line:
    ratios = [their / our for their, our in zip(theirs, ours, strict=True)]
    extremes = median(ratios), min(ratios), max(ratios)
    found = Line(what, net, work, peer, median(ours), median(theirs), *extremes, None, None, len(ours))
    print(json.dumps(found.as_row(), ensure_ascii=False), flush=True)
    return found


def main() -> None:
    rows = [found.as_row() for found in [*lines(), *stages(), *self_checks()]]
    write_json(Path(__file__).parent / "costs.json", {"lines": rows, **machine(Setting(CPU, ROUNDS), ("dvc", "numpy"))})


if __name__ == "__main__":
    if len(sys.argv) > 1:
        serve(SIDES[sys.argv[1]])
    else:
        main()
