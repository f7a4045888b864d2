"""Compare the study's tables and figures with the papers, on one page that opens without a network.

    python stages/report.py --params params.yaml        # one study
    python stages/report.py --summary                   # every study that was run
reads   plots/<study>/:  {claims,claim_parts,curves,error_curves,exponents,logit_gaps,models}.csv  ·  figures/*.svg
        ·  {laws,theory,order_statistics,pictures,published,search,trials,provenance,worst_case,figures}/*.csv
        claims/claims.csv  ·  datasets/params.yaml  ·  requirements.txt  ·  benchmarks/results.json
        with --summary plots/summary/claims.csv and the params file of every study
writes  plots/<study>/report.html, or plots/summary/report.html
"""

import argparse
import json
from pathlib import Path

import pandas as pd

from advlaw.claims.wording import displayed
from advlaw.core.command import run
from advlaw.core.io import read_text, write_text
from advlaw.core.section import read_yaml
from advlaw.core.tables import read_table, read_tables
from advlaw.report.page import Setting, StudyPage, report
from advlaw.report.versions import pinned_versions

TABLES = ("claim_parts", "claims", "error_curves", "exponents", "logit_gaps", "models")
FOLDERS = (
    *("laws/", "theory/", "order_statistics/", "pictures/", "published/", "search/"),
    *("trials/", "provenance/", "worst_case/", "figures/"),
)
PACKAGES = ("torch", "numpy", "scipy", "dvc")


def read_study(params: Path) -> StudyPage:
    """A study's committed tables and figures; raises FileNotFoundError where one of `TABLES` is missing."""
    values = read_yaml(params)
    plots = Path("plots") / values["study"]
    tables = read_tables(plots, *TABLES, *FOLDERS)
    figures = {file.stem: file.read_text(encoding="utf-8") for file in plots.glob("figures/*.svg")}
    return StudyPage(values["study"], values, read_text(params), tables, figures)


def read_setting() -> Setting:
    requirements = Path("requirements.txt").read_text(encoding="utf-8")
    measured = json.loads(Path("benchmarks/results.json").read_text(encoding="utf-8"))
    return Setting(read_yaml(Path("datasets/params.yaml")), pinned_versions(requirements, PACKAGES), measured)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), help="params file (default params.yaml)")
    parser.add_argument("--summary", action="store_true", help="write the page about all studies instead")
    arguments = parser.parse_args()
    if arguments.summary:
        files = (Path("params.yaml"), *sorted(Path("studies").glob("*/params.yaml")))
        judged = [file for file in files if (Path("plots") / read_yaml(file)["study"] / "claims.csv").exists()]
        studies = [read_study(file) for file in judged]
        parts = pd.concat(study.tables.rows("claim_parts").assign(study=study.name) for study in studies)
    else:
        studies = [read_study(arguments.params)]
        parts = studies[0].tables.rows("claim_parts")
    target = Path("plots") / ("summary" if arguments.summary else studies[0].name) / "report.html"
    claims = displayed(read_table(target.with_name("claims.csv")), parts, read_table(Path("claims/claims.csv")))
    page = report(claims, studies, read_setting(), arguments.summary)
    write_text(target, page)
    print(f"{target}: {len(page.encode()) / 1e6:.1f} MB")


if __name__ == "__main__":
    run(main)
