"""Attack one net with everything: gradients of several kinds, restarts, APGD, random search, and images of another net.

    python stages/worst_case.py MODEL --params params.yaml      # a key of `worst_case.nets`
reads   models/<study>/MODEL/ and models/<study>/<source>/  ·  the data set that MODEL's row.json names
writes  data/<study>/worst_case/MODEL.npz:  clean (N,) and, for every attack, which images (E, N) are right, bool;
        with "not_finite " before them: which (N,) were left without numbers
"""

from pathlib import Path

from advlaw.attacks.settings import Attacks
from advlaw.core.command import run, stage_arguments
from advlaw.core.examples import examples_of
from advlaw.core.io import write_npz
from advlaw.core.runtime import configure
from advlaw.core.section import read_section, read_sections
from advlaw.evaluation.settings import Protocol, WorstCaseNet
from advlaw.evaluation.worst_case import Method, under_attacks
from advlaw.models.store import load_model


def main() -> None:
    arguments = stage_arguments(__doc__, "model")
    name, params = arguments.model, arguments.params
    protocol = read_section(params, "worst_case.protocol", Protocol)
    net = read_section(params, f"worst_case.nets.{name}", WorstCaseNet)
    attacks = read_section(params, "attacks", Attacks)
    study, seed, threads, device_name, portable = read_sections(
        params, study=str, seed=int, threads=int, device=str, portable=bool
    )
    device = configure(threads, device_name, portable)
    model, source = (load_model(Path("models") / study / which, device) for which in (name, net.source))
    test = examples_of(Path("models") / study / name, "test", device).first(protocol.images)
    methods = [
        Method(
            label, key.split(".")[0], attacks.by_key(key), source if label.startswith("transferred:") else model, seed
        )
        for label, key in protocol.methods().items()
    ]
    path = Path("data") / study / "worst_case" / f"{name}.npz"
    write_npz(path, under_attacks(model, test.images, test.labels, methods, protocol.eps))
    print(f"{path}: {len(methods)} attacks on {len(test.images)} images")


if __name__ == "__main__":
    run(main)
