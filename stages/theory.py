"""Predict the adversarial error from clean logits and their response, and hold it against what was measured.

    python stages/theory.py --params params.yaml
reads   data/<study>/responses/<model>/ of every net in the params
writes  plots/<study>/theory/:  predictions  ·  curves  ·  agreement  ·  deciles  ·  histograms  ·  takeovers
        ·  followed  ·  residuals  ·  gap_densities  ·  gap_exponents  ·  ties  ·  near_ties  ·  label_blind
        ·  label_blind_curves  ·  ideal: .csv (docs/params.md says what a row of each is)
"""

from pathlib import Path

from advlaw.attacks.settings import OneStepAttack
from advlaw.core.command import run, stage_arguments
from advlaw.core.io import read_npz
from advlaw.core.progress import progress
from advlaw.core.section import read_section, read_sections
from advlaw.fitting.settings import Fit
from advlaw.tables.theory import TheoryTables
from advlaw.theory.settings import Rays, ResponseNet, Theory


def main() -> None:
    params = stage_arguments(__doc__).params
    study, seed, fit, theory = read_sections(params, study=str, seed=int, fit=Fit, theory=Theory)
    rays = read_section(params, "response.rays", Rays)
    nets = read_section(params, "response.nets", dict[str, ResponseNet])
    attacks = read_section(params, "attacks.one_step", dict[str, OneStepAttack])
    tables = TheoryTables(rays, fit, theory, seed)
    for name, net in progress(nets.items(), "theory", total=len(nets)):
        folder = Path("data") / study / "responses" / name
        epochs = {int(path.stem): read_npz(path)["logits"] for path in folder.glob("epochs/*.npz")}
        tables.add_net(name, read_npz(folder / "logits.npz"), dict(sorted(epochs.items())))
        tables.add_rays(read_npz(folder / "rays.npz"))
        for attack in ("l2", *net.attacks):
            is_blind = attack != "l2" and attacks[attack].target != "true_label"
            tables.add_attack(attack, read_npz(folder / f"{attack}.npz"), is_blind)
    tables.write(Path("plots") / study / "theory")
    print(f"plots/{study}/theory: {len(nets)} nets")


if __name__ == "__main__":
    run(main)
