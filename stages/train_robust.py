"""Train one model on adversarial examples (Kurakin Algorithm 1).

    python stages/train_robust.py MODEL --params params.yaml      # a key of `robust_models`
reads   data/datasets/<dataset>.npz
writes  models/<study>/MODEL/ and plots/<study>/training/MODEL.csv, as stages/train.py does; the curve also has the
        accuracy under the attack that is trained on and under PGD, on validation images after every epoch
Several processes share the minibatches of each step:
    PYTHONPATH=src torchrun --nproc_per_node 2 stages/train_robust.py MODEL --params params.yaml
"""

from functools import partial

from advlaw.attacks.settings import KINDS
from advlaw.core.command import run, stage_arguments
from advlaw.core.runtime import configure
from advlaw.core.section import read_section, read_sections
from advlaw.training.settings import RobustNet
from advlaw.trials.defence import adversarial_defence
from advlaw.trials.model import train_model


def main() -> None:
    arguments = stage_arguments(__doc__, "model")
    name, params = arguments.model, arguments.params
    net = read_section(params, f"robust_models.{name}", RobustNet)
    adversarial = net.adversarial
    attack = read_section(params, f"attacks.{adversarial.attack}", KINDS[adversarial.family])
    study, seed, threads, device, portable = read_sections(
        params, study=str, seed=int, threads=int, device=str, portable=bool
    )
    defend = partial(adversarial_defence, adversarial, attack, net.training.batch_size)
    row = train_model(study, f"robust_models.{name}", net, seed, configure(threads, device, portable), defend, attack)
    if row["overfitted_at"] is not None:
        print(f"warning: {name}: catastrophic overfitting: its accuracy under PGD fell in epoch {row['overfitted_at']}")


if __name__ == "__main__":
    run(main)
