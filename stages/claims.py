"""Judge every claim of the two papers on one study: verdicts, their numbers, and the study's headline numbers.

    python stages/claims.py --params params.yaml
reads   claims/*.csv  ·  plots/<study>/*.csv and {laws,order_statistics,published,search,trials,theory,worst_case}/*.csv
writes  plots/<study>/:  claims.csv  ·  claim_parts.csv
        metrics/<study>/summary.json
"""

from pathlib import Path

from advlaw.claims.judge import judge, read_judges, summary
from advlaw.claims.printed import printed_parts
from advlaw.claims.study import read_evidence
from advlaw.core.command import run, stage_arguments
from advlaw.core.io import write_json
from advlaw.core.tables import write_table

CLAIMS, PLOTS, METRICS = Path("claims"), Path("plots"), Path("metrics")


def main() -> None:
    study = read_evidence(stage_arguments(__doc__).params, PLOTS)
    rows, parts = judge(study, read_judges(CLAIMS), printed_parts(CLAIMS))
    found = summary(study, rows)
    write_table(PLOTS / study.name / "claims.csv", rows)
    write_table(PLOTS / study.name / "claim_parts.csv", parts)
    write_json(METRICS / study.name / "summary.json", found)
    print(f"plots/{study.name}/claims.csv: " + ", ".join(f"{count} {name}" for name, count in found["claims"].items()))


if __name__ == "__main__":
    run(main)
