"""What the claims of a study are judged on, its params and its committed tables, and how views are made of these."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from advlaw.attacks.settings import Attacks
from advlaw.core.io import Cells
from advlaw.core.section import read_section, read_sections
from advlaw.core.tables import Tables, read_tables
from advlaw.training.settings import RobustNet

# the tables that the stage reads: those of the study's own folder, and whole folders
TABLES = ("error_curves", "exponents", "laws/exponents", "models")
FOLDERS = ("laws", "order_statistics", "published", "search", "theory", "trials", "worst_case")


@dataclass(frozen=True, eq=False)
class Evidence:
    """A study: what its params say of attacks and nets, and its tables by name, like `theory/predictions`."""

    name: str
    attacks: Attacks
    nets: dict[str, dict[str, Any]]
    robust_nets: dict[str, RobustNet]  # those of them that are trained on adversarial examples
    baselines: dict[str, str]  # net -> the net that it is compared with
    sources: dict[str, str]  # net -> the net that attacks are transferred from
    headline: list[str]
    tables: Tables

    def rows(self, table: str, **wanted: Any) -> pd.DataFrame:
        """The rows of a table whose columns have these values; none where the table was not made."""
        return self.tables.rows(table, **wanted)


def read_evidence(params: Path, plots: Path) -> Evidence:
    """The study of a params file with its tables in `plots`.

    Raises FileNotFoundError where a table of `TABLES` is missing, ParamsError (a ValueError) for wrong params.
    """
    name, attacks, models, robust, pretrained, baselines = read_sections(
        params,
        study=str,
        attacks=Attacks,
        models=dict[str, dict],
        robust_models=dict[str, RobustNet],
        pretrained_models=dict[str, dict],
        baselines=dict[str, str],
    )
    attacked = read_section(params, "worst_case.nets", dict[str, dict])
    dataset = read_section(params, "search.dataset", str)
    enlarged = read_section(params, "search.enlarged.nets", dict[str, dict])
    larger = {key: {"dataset": dataset, "arch": "cell"} for key in enlarged}
    return Evidence(
        name=name,
        attacks=attacks,
        nets={**models, **pretrained, **larger, **{key: net.entry() for key, net in robust.items()}},
        robust_nets=robust,
        baselines=baselines,
        sources={net: str(entry.get("source", "")) for net, entry in attacked.items()},
        headline=read_section(params, "fit.headline", list[str]),
        tables=read_tables(plots / name, *TABLES, *(f"{folder}/" for folder in FOLDERS)),
    )


def suffixed(row: Cells, suffix: str) -> Cells:
    """A row's cells beside those of another, to be subtracted: see `minus` in `advlaw.claims.checks`."""
    return {f"{name}_{suffix}": cell for name, cell in row.items()}


def nearest(frame: pd.DataFrame, column: str, value: float, within: float = 1.2) -> pd.DataFrame:
    """Of every curve the row whose `column` is nearest to `value`, in logarithms; none if it is farther off."""
    if frame.empty:
        return frame
    distance = np.log(frame[column].where(frame[column] > 0) / value).abs()
    close = distance[distance < math.log(within)]
    return frame.loc[close.groupby(frame["curve"], sort=False).idxmin()]
