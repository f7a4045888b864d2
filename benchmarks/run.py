"""Every benchmark in one run: each line is our code against a named peer doing the same work, in turns.

    python benchmarks/run.py [--device cuda] [--rounds 3] [--only attacks]
writes  benchmarks/results.json (results_cuda.json): machine, versions, date and all lines
"""

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import attacks
import children
import logits
import photographs
import pipeline
import population
import processes
import resnet
import response
import training
from rounds import Line, Setting, machine

from advlaw.core.io import write_json
from advlaw.core.runtime import configure

PARTS: dict[str, Callable[[Setting], Iterator[Line]]] = {
    "fgsm_clipped": lambda setting: attacks.fgsm(setting, clip=True),
    "fgsm": lambda setting: attacks.fgsm(setting, clip=False),
    "photographs": photographs.lines,
    "pgd": attacks.pgd,
    "thresholds": attacks.thresholds,
    "population": population.lines,
    "training": training.lines,
    "processes": processes.lines,
    "children": children.lines,
    "resnet": resnet.lines,
    "response": response.lines,
    "logits": logits.lines,
    "pipeline": lambda setting: pipeline.lines(),
}
ON_CPU_ALONE, ON_GPU_ALONE = ("processes", "pipeline"), ("resnet",)
PEERS = (
    "torchattacks",
    "foolbox",
    "adversarial-robustness-toolbox",
    "cleverhans",
    "torchvision",
    "timm",
    "numpy",
    "dvc",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=PARTS, nargs="+", default=list(PARTS), help="parts; nothing is written")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    start = time.monotonic()
    setting = Setting(configure(threads=1, device=arguments.device, portable=False), arguments.rounds)
    elsewhere = ON_GPU_ALONE if arguments.device == "cpu" else ON_CPU_ALONE
    parts = [part for part in arguments.only if part not in elsewhere]
    rows = [line.as_row() for part in parts for line in PARTS[part](setting)]
    print(f"{time.monotonic() - start:.0f} s")
    if arguments.only == list(PARTS):
        name = "results.json" if arguments.device == "cpu" else "results_cuda.json"
        write_json(Path(__file__).parent / name, {"lines": rows, **machine(setting, PEERS)})


if __name__ == "__main__":
    main()
