"""Copy the studies' tables into README.md and docs/ (not a DVC stage: `make readme`, after a repro).

    python stages/readme.py
reads   plots/<study>/*.csv and {theory,order_statistics,trials,worst_case}/*.csv of every study that was run
        plots/summary/claims.csv  ·  benchmarks/results.json
writes  README.md and docs/*.md, between their markers
"""

import json
from pathlib import Path

from advlaw.core.command import run
from advlaw.core.io import Row, read_csv, read_tables, write_text
from advlaw.core.section import read_section
from advlaw.report.benchmarks import benchmarks_table
from advlaw.report.claims_tables import claims_table, counts_table, least_squares_line
from advlaw.report.markdown import filled, replace_block

FOLDERS = (".", "theory", "order_statistics", "trials", "worst_case")


def study_tables() -> dict[str, tuple[str, dict[str, list[Row]] | None]]:
    """Every study's command and its committed tables, None where it has none; the default study first."""
    studies: dict[str, tuple[str, dict[str, list[Row]] | None]] = {}
    for params in (Path("params.yaml"), *sorted(Path("studies").glob("*/params.yaml"))):
        name = read_section(params, "study", str)
        command = "make repro" if params == Path("params.yaml") else f"make study STUDY={params.parent.name}"
        tables = read_tables(Path("plots") / name, *FOLDERS)
        studies[name] = command, tables if "exponents" in tables else None
    return studies


def shared_blocks(studies: dict[str, tuple[str, dict[str, list[Row]] | None]]) -> dict[str, str]:
    """What is of no single study: the claims and the benchmarks."""
    on_best = read_csv(Path("plots/summary/claims.csv"))
    claims = {name: tables["claims"] for name, (_, tables) in studies.items() if tables and "claims" in tables}
    return {
        "claims": counts_table({**claims, "each on its best study": on_best}) + least_squares_line(on_best),
        "claims one by one": claims_table(on_best),
        **{
            name: benchmarks_table(json.loads(Path("benchmarks", file).read_text(encoding="utf-8")))
            for name, file in (("benchmarks", "results.json"), ("costs", "costs.json"))
        },
    }


def main() -> None:
    studies = study_tables()
    shared = shared_blocks(studies)
    for page in (Path("README.md"), *sorted(Path("docs").glob("*.md"))):
        text = filled(page.read_text(encoding="utf-8"), studies)
        for name, content in shared.items():
            if f"<!-- {name} -->" in text:
                text = replace_block(text, name, content)
        write_text(page, text)
    print(f"tables of {', '.join(name for name, (_, tables) in studies.items() if tables)}")


if __name__ == "__main__":
    run(main)
