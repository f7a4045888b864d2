"""Train one model.

    python stages/train.py MODEL --params params.yaml      # a key of `models`
reads   data/datasets/<dataset>.npz
writes  models/<study>/MODEL/:  spec.json  ·  weights.safetensors  ·  row.json (its line of the table of models)
        ·  labels.npy where labels were shuffled  ·  snapshots/<accuracy>.safetensors
        ·  epochs/<number>.safetensors
        plots/<study>/training/MODEL.csv: the training curve
Several processes share the minibatches of each step:
    PYTHONPATH=src torchrun --nproc_per_node 2 stages/train.py MODEL --params params.yaml
"""

from advlaw.core.command import run, stage_arguments
from advlaw.core.runtime import configure
from advlaw.core.section import read_section, read_sections
from advlaw.training.settings import Net
from advlaw.trials.model import train_model


def main() -> None:
    arguments = stage_arguments(__doc__, "model")
    name, params = arguments.model, arguments.params
    net = read_section(params, f"models.{name}", Net)
    study, seed, threads, device, portable = read_sections(
        params, study=str, seed=int, threads=int, device=str, portable=bool
    )
    train_model(study, f"models.{name}", net, seed, configure(threads, device, portable))


if __name__ == "__main__":
    run(main)
