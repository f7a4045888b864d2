"""Measure how long the net of an audit takes for an image, before the part in question.

    python probe.py MODEL {attacks,response} --params params.yaml
writes  .done/seconds: JSON, by what is computed
"""

import json
import os
from pathlib import Path

from advlaw.audit.estimate import SECONDS
from advlaw.core.command import run, stage_arguments
from advlaw.core.examples import examples_of
from advlaw.core.images import is_small
from advlaw.core.runtime import configure
from advlaw.core.section import read_sections
from advlaw.evaluation.seconds import FIRST, of_attacks, of_response
from advlaw.models.store import load_model


def main() -> None:
    arguments = stage_arguments(__doc__, "model", "part")
    study, threads, device_name, portable = read_sections(
        arguments.params, study=str, threads=int, device=str, portable=bool
    )
    is_of_attacks = arguments.part == "attacks"
    device = configure(1 if is_of_attacks else threads, device_name, portable)  # a worker of a sweep has one thread
    folder = Path("models") / study / arguments.model
    model, examples = load_model(folder, device), examples_of(folder, "test", device)
    few = examples.first(FIRST[is_small(examples.images.shape)])
    measured = of_attacks(model, few) if is_of_attacks else of_response(model, few)
    workers = min(threads, os.cpu_count() or 1) if device.type == "cpu" else 1
    SECONDS.write_text(json.dumps({**measured, "workers": workers}), encoding="utf-8")


if __name__ == "__main__":
    run(main)
