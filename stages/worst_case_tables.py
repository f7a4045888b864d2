"""What is left of robustness under strong attacks: accuracies, worst cases, and gains over each net's baseline.

    python stages/worst_case_tables.py --params params.yaml
reads   data/<study>/worst_case/<net>.npz of every net in `worst_case.nets`
writes  plots/<study>/worst_case/:  accuracy.csv  ·  gains.csv, with verdicts
"""

from pathlib import Path

from advlaw.core.command import run, stage_arguments
from advlaw.core.io import read_npz
from advlaw.core.section import read_sections
from advlaw.core.tables import write_table
from advlaw.evaluation.settings import WorstCase
from advlaw.fitting.settings import Fit
from advlaw.tables.worst_case import ACCURACY_COLUMNS, GAIN_COLUMNS, accuracy_rows, gain_rows


def main() -> None:
    params = stage_arguments(__doc__).params
    study, baselines, fit, settings = read_sections(
        params, study=str, baselines=dict[str, str], fit=Fit, worst_case=WorstCase
    )
    outcomes = {net: read_npz(Path("data") / study / "worst_case" / f"{net}.npz") for net in settings.nets}
    accuracies = [
        row for net, found in outcomes.items() for row in accuracy_rows(net, found, settings.protocol, fit.confidence)
    ]
    gains = [
        row
        for net, of_net in outcomes.items()
        if (baseline := baselines.get(net)) in outcomes
        for row in gain_rows(net, baseline, of_net, outcomes[baseline], settings.protocol, fit.confidence)
    ]
    folder = Path("plots") / study / "worst_case"
    write_table(folder / "accuracy.csv", accuracies, ACCURACY_COLUMNS)
    write_table(folder / "gains.csv", gains, GAIN_COLUMNS)
    print(f"{folder}: {len(outcomes)} nets, {len(gains)} gains judged")


if __name__ == "__main__":
    run(main)
