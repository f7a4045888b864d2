"""Copy the studies' tables into README.md (not a DVC stage: `make readme`, after a repro).

    python stages/readme.py
reads   plots/<study>/{exponents,models,logit_gaps}.csv of every study that was run
writes  README.md, between its markers
"""

from pathlib import Path

from advlaw.config.section import read_section
from advlaw.core.command import run
from advlaw.core.io import read_csv, write_text
from advlaw.report.markdown import Row, filled

TABLES = ("exponents", "models", "logit_gaps")


def study_tables() -> dict[str, tuple[str, dict[str, list[Row]] | None]]:
    """Every study's command and its committed tables, None where it has none; the default study first."""
    studies: dict[str, tuple[str, dict[str, list[Row]] | None]] = {}
    for params in (Path("params.yaml"), *sorted(Path("studies").glob("*/params.yaml"))):
        name = read_section(params, "study", str)
        command = "make repro" if params == Path("params.yaml") else f"make study STUDY={params.parent.name}"
        files = {table: Path("plots") / name / f"{table}.csv" for table in TABLES}
        was_run = all(file.exists() for file in files.values())
        studies[name] = command, {table: read_csv(file) for table, file in files.items()} if was_run else None
    return studies


def main() -> None:
    studies = study_tables()
    readme = Path("README.md")
    write_text(readme, filled(readme.read_text(encoding="utf-8"), studies))
    print(f"README.md: tables of {', '.join(name for name, (_, tables) in studies.items() if tables)}")


if __name__ == "__main__":
    run(main)
