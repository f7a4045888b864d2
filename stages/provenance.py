"""Record what a data set was made from: its files, their checksums, and whether they are the official ones.

    python stages/provenance.py DATASET --params params.yaml      # one of `datasets`
reads   data/datasets/DATASET.json
writes  plots/<study>/provenance/DATASET.csv
"""

import json
from pathlib import Path

from advlaw.core.command import run, stage_arguments
from advlaw.core.section import read_section
from advlaw.core.tables import write_table

COLUMNS = ("dataset", "source", "file", "sha256", "official")


def main() -> None:
    arguments = stage_arguments(__doc__, "dataset")
    study = read_section(arguments.params, "study", str)
    found = json.loads(Path("data/datasets", f"{arguments.dataset}.json").read_text(encoding="utf-8"))
    files = found.get("files", {None: {"sha256": None, "official": None}})  # none of its own: made or bundled
    rows = [
        {
            "dataset": arguments.dataset,
            "source": found["source"],
            "file": name,
            "sha256": file["sha256"],
            "official": None if file["official"] is None else str(file["official"]).lower(),
        }
        for name, file in files.items()
    ]
    target = Path("plots") / study / "provenance" / f"{arguments.dataset}.csv"
    write_table(target, rows, COLUMNS)
    print(f"{target}: {found['source']}")


if __name__ == "__main__":
    run(main)
