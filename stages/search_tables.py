"""The tables of a study's searches for architectures.

    python stages/search_tables.py --params params.yaml
reads   data/<study>/search/:  children/<search>.json of every search  ·  enlarged/<net>.json of every enlarged net
writes  plots/<study>/search/:  children.csv  ·  rounds.csv  ·  repeated.csv  ·  regret.csv  ·  comparison.csv
        ·  correlations.csv  ·  running.csv  ·  reliability.csv  ·  spread.csv  ·  enlarged.csv  ·  settings.csv
"""

import json
from pathlib import Path

from advlaw.core.command import run, stage_arguments
from advlaw.core.rng import generator
from advlaw.core.section import read_sections
from advlaw.core.tables import write_table
from advlaw.fitting.settings import Fit
from advlaw.search.settings import Searches
from advlaw.tables.search import children, enlarged, regret, statistics


def main() -> None:
    params = stage_arguments(__doc__).params
    study, seed, fit, settings = read_sections(params, study=str, seed=int, fit=Fit, search=Searches)
    data, confidence, count = Path("data") / study / "search", fit.confidence, fit.bootstrap
    found = {name: json.loads((data / "children" / f"{name}.json").read_text("utf-8")) for name in settings.searches}
    larger = {
        name: json.loads((data / "enlarged" / f"{name}.json").read_text("utf-8")) for name in settings.enlarged.nets
    }
    rewards = {name: search.reward for name, search in settings.searches.items()}
    correlations = statistics.correlation_rows(found, generator(seed, "search", "correlations"), count, confidence)
    spread = statistics.spread_rows(found, generator(seed, "search", "spread"), count, confidence)
    tables = {
        "children": (children.CHILD_COLUMNS, children.child_rows(found)),
        "rounds": (children.ROUND_COLUMNS, children.round_rows(found)),
        "repeated": (children.REPEATED_COLUMNS, children.repeated_rows(found)),
        "regret": (regret.REGRET_COLUMNS, regret.regret_rows(found)),
        "comparison": (regret.COMPARISON_COLUMNS, regret.comparison_rows(found, rewards, confidence)),
        "correlations": (statistics.CORRELATION_COLUMNS, correlations),
        "running": (statistics.RUNNING_COLUMNS, statistics.running_rows(found, confidence)),
        "reliability": (statistics.RELIABILITY_COLUMNS, statistics.reliability_rows(found, confidence)),
        "spread": (statistics.SPREAD_COLUMNS, spread),
        "enlarged": (enlarged.ENLARGED_COLUMNS, enlarged.enlarged_rows(larger)),
        "settings": (enlarged.SETTINGS_COLUMNS, enlarged.settings_rows(settings)),
    }
    for name, (columns, rows) in tables.items():
        write_table(Path("plots") / study / "search" / f"{name}.csv", rows, columns)
    print(f"plots/{study}/search: {len(found)} searches, {len(larger)} enlarged nets")


if __name__ == "__main__":
    run(main)
