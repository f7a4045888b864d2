"""Of how many images a share is: what a revision's own files say."""

import math
from typing import Any

from ruamel.yaml import YAML

from advlaw.comparison.tables import Row


class Sizes:
    """The splits' sizes in datasets/params.yaml, and how many images the nets of a set with curves are judged on."""

    def __init__(self, datasets: bytes, nets: list[Row]) -> None:
        entries: Any = YAML(typ="safe").load(datasets) if datasets else None
        self.splits = {
            (name, split): size
            for name, entry in ((entries or {}).get("datasets") or {}).items()
            for split, size in entry.items()
            if split in ("train", "validation", "test")
        }
        self.nets = {row["net"]: int(row["n_images"]) for row in nets if row.get("n_images")}

    def images(self, row: Row, source: str) -> float:
        """How many images a share in this row is of; NaN where no file says. `source`: see `tables.Table.shares`."""
        if source == "net":
            return self.nets.get(row.get("net", ""), math.nan)
        if source in row and source != "split":
            return float(row[source] or "nan")
        splits = row.get("split", "") if source == "split" else source
        return sum(self.splits.get((row.get("dataset", ""), split), math.nan) for split in splits.split("+"))
