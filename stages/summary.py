"""Put the verdicts of all studies side by side (its own small pipeline: it reads committed tables only).

    python stages/summary.py
reads   claims/claims.csv  ·  plots/<study>/claims.csv of every study that has one
writes  plots/summary/claims.csv  ·  metrics/summary/summary.json
"""

from pathlib import Path

from advlaw.claims.registry import counts
from advlaw.claims.summary import SUMMARY_COLUMNS, summarise
from advlaw.core.command import run, stage_arguments
from advlaw.core.io import read_csv, write_csv, write_json
from advlaw.core.section import read_section


def study_names(default: Path) -> list[str]:
    """The default study, then those in studies/."""
    return [read_section(params, "study", str) for params in (default, *sorted(Path("studies").glob("*/params.yaml")))]


def main() -> None:
    files = {name: Path("plots") / name / "claims.csv" for name in study_names(stage_arguments(__doc__).params)}
    studies = {name: read_csv(file) for name, file in files.items() if file.exists()}
    if not studies:
        raise ValueError("plots/: no study has a claims.csv; run the claims stage of one first")
    rows = summarise(studies, read_csv(Path("claims/claims.csv")))
    write_csv(Path("plots/summary/claims.csv"), SUMMARY_COLUMNS, rows)
    write_json(Path("metrics/summary/summary.json"), {"claims": counts(rows)})
    print(f"plots/summary/claims.csv: {len(rows)} claims, from {', '.join(studies)}")


if __name__ == "__main__":
    run(main)
