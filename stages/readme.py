"""Fill the tables of README.md and docs/ (not a DVC stage: `make readme`, after a repro).

    python stages/readme.py
reads   plots/<study>/*.csv and {laws,theory,order_statistics,published,search,trials,worst_case}/*.csv of every
        study there is
        plots/summary/claims.csv  ·  claims/claims.csv  ·  benchmarks/{results,costs}.json and
        {coverage,validation,faults}.csv
        src/advlaw/*/settings.py: the typed sections, for docs/params.md
writes  README.md and docs/**/*.md, between their markers
"""

import json
from pathlib import Path

import pandas as pd

from advlaw.claims.wording import displayed
from advlaw.core.command import run
from advlaw.core.io import write_text
from advlaw.core.section import read_section
from advlaw.core.tables import Tables, read_table, read_tables, records
from advlaw.reference.keys import Reference
from advlaw.report import benchmarks, claims, coverage
from advlaw.report.headlines import headlines, last_lines, verdict_counts
from advlaw.report.pages import filled, studies_grid
from advlaw.report.render import Grid, Right, markdown

PARAMS = Path("docs/params.md")
FOLDERS = ("./", "laws/", "theory/", "order_statistics/", "published/", "search/", "trials/", "worst_case/")


def commands() -> dict[str, str]:
    """Every study and how it is run; the default study first."""
    others = sorted(Path("studies").glob("*/params.yaml"))
    default = {read_section(Path("params.yaml"), "study", str): "make repro"}
    return default | {read_section(file, "study", str): f"make study STUDY={file.parent.name}" for file in others}


def study_tables() -> dict[str, Tables]:
    """The committed tables of every study that was run."""
    folders = {name: Path("plots") / name for name in commands()}
    return {name: read_tables(plots, *FOLDERS) for name, plots in folders.items() if (plots / "exponents.csv").exists()}


def shared_blocks(studies: dict[str, Tables]) -> dict[str, str]:
    """The tables over all studies: a line for each, the claims and the benchmarks."""
    judged = {name: tables.rows("claims") for name, tables in studies.items() if "claims" in tables}
    on_best = read_table(Path("plots/summary/claims.csv"))
    parts = pd.concat(studies[name].rows("claim_parts").assign(study=name) for name in judged)
    shown = displayed(on_best, parts, read_table(Path("claims/claims.csv")))
    verdicts = {name: table["verdict"] for name, table in {**judged, "each on its best study": on_best}.items()}
    measured = {
        name: json.loads(Path("benchmarks", file).read_text(encoding="utf-8"))
        for name, file in (("benchmarks", "results.json"), ("costs", "costs.json"))
    }
    known = {name: (command, studies.get(name)) for name, command in commands().items()}
    return {
        "studies": markdown(studies_grid(known)),
        "speed": markdown(benchmarks.few_times(measured["benchmarks"])),
        "headlines": markdown(headlines(studies)),
        "verdict counts": verdict_counts(shown),
        **last_block(next(iter(known))),
        "claims": paragraphs(markdown(claims.counts(verdicts)), markdown(claims.questions(shown))),
        "claims one by one": paragraphs(markdown(claims.one_by_one(shown)), claims.not_run(shown)),
        **exponent_blocks(),
        "faults": markdown(faults(read_table(Path("benchmarks/faults.csv")))),
        **{
            name: paragraphs(benchmarks.measured_on(results), markdown(benchmarks.times(results)))
            for name, results in measured.items()
        },
    }


def last_block(default: str) -> dict[str, str]:
    """What `make repro` prints last, if the default study was run."""
    if not Path("metrics", default, "summary.json").is_file():
        return {}
    return {"last lines": "\n".join(["```", *last_lines(default), "```"])}


def exponent_blocks() -> dict[str, str]:
    """How well the estimator of exponents does if the truth is known."""
    simulated, validated = (read_table(Path("benchmarks", f"{name}.csv")) for name in ("coverage", "validation"))
    return {
        "coverage": markdown(coverage.coverage(simulated)),
        "coverage of nets": markdown(coverage.together(simulated)),
        "validation": markdown(coverage.validation(validated)),
    }


def faults(frame: pd.DataFrame) -> Grid:
    """A line for each kind of fault that the campaign tried."""
    rows = [[row["kind"], f"{row['tried']:.0f}", f"{row['as_promised']:.0f}"] for row in records(frame)]
    return Grid(["fault", Right("tried"), Right("as promised")], rows)


def paragraphs(*texts: str) -> str:
    return "\n\n".join(text for text in texts if text)


def main() -> None:
    studies = study_tables()
    shared = shared_blocks(studies)
    for page in (Path("README.md"), *sorted(Path("docs").rglob("*.md"))):
        text = filled(page.read_text(encoding="utf-8"), studies, shared)
        write_text(page, Reference(text).filled() if page == PARAMS else text)
    print(f"README.md and docs/: tables of {', '.join(studies)}")


if __name__ == "__main__":
    run(main)
