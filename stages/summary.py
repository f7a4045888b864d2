"""Put the verdicts of all studies side by side (its own small pipeline: it reads committed tables only).

    python stages/summary.py
reads   claims/claims.csv  ·  plots/<study>/claims.csv of every study that has one
writes  plots/summary/claims.csv  ·  metrics/summary/summary.json
"""

from pathlib import Path

from advlaw.claims.judge import counts
from advlaw.claims.summary import summarise
from advlaw.core.command import run, stage_arguments
from advlaw.core.io import write_json
from advlaw.core.section import read_section
from advlaw.core.tables import read_table, write_table


def study_names(default: Path) -> list[str]:
    """The default study, then those in studies/."""
    return [read_section(params, "study", str) for params in (default, *sorted(Path("studies").glob("*/params.yaml")))]


def main() -> None:
    files = {name: Path("plots") / name / "claims.csv" for name in study_names(stage_arguments(__doc__).params)}
    studies = {name: read_table(file) for name, file in files.items() if file.exists()}
    if not studies:
        raise ValueError("plots/: no study has a claims.csv; run a study first")
    rows = summarise(studies, read_table(Path("claims/claims.csv")))
    write_table(Path("plots/summary/claims.csv"), rows)
    write_json(Path("metrics/summary/summary.json"), {"claims": counts(rows)})
    print(f"plots/summary/claims.csv: {len(rows)} claims, from {', '.join(studies)}")


if __name__ == "__main__":
    run(main)
