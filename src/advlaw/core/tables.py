"""Committed tables as pandas frames. A column's name says what it holds, the same in every table.

Columns of `TEXT` hold text (empty where there is none), those of `FLAGS` true or false, all others numbers (NaN where
there is none). A file has floats with 7 significant digits, and an empty cell for what is missing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from advlaw.core.io import Cells, replacing

TEXT = frozenset(
    "activation analogue arch arm as_a_law as_printed attack baseline best_on blind cell claim counts curve dataset "
    "defence device differs direction eps_law estimate estimator file given holds hyperparameters id images "
    "kernel_sizes kind label labels law model net nets network norm numbers official optimizer other others paper "
    "pixels prediction quantity question reason remark reward_attack rewarded_by role rule schedule search set sha256 "
    "sizes source speeds split stands_for statement straight study subject sweep target tier trained_as truth unit "
    "verdict what_to_compute where".split()
)
FLAGS = frozenset({"clip", "collapsed", "diverged", "is_chosen", "is_on_grid"})
LABELLED_BY = {  # a table -> the one that says what its rows are of, and by which columns
    "error_curves": ("curves", ("curve",)),
    "exponents": ("curves", ("curve",)),
    "local_slopes": ("curves", ("curve",)),
    "laws/exponents": ("curves", ("curve",)),
    "laws/lines": ("curves", ("curve",)),
    "laws/ranges": ("curves", ("curve",)),
    "logit_gap_distribution": ("logit_gaps", ("net", "split")),
}


def write_table(path: Path, rows: Iterable[Mapping[str, Any]], columns: Sequence[str] | None = None) -> None:
    """Rows as a CSV file, of these columns or all of the first row's; ValueError for a cell of another type."""
    write_frame(path, framed(rows, columns))


def framed(rows: Iterable[Mapping[str, Any]], columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Rows as a frame, each column of the type that its name says."""
    listed = list(rows)
    names = list(columns) if columns is not None else list(listed[0]) if listed else []
    try:
        return pd.DataFrame({name: _typed(name, [row[name] for row in listed]) for name in names})
    except KeyError as error:
        raise ValueError(f"a row has no {error}; the columns are {', '.join(names)}") from None


def _typed(name: str, values: list[Any]) -> pd.Series:
    for value in values:
        if not _fits(name, value):
            raise ValueError(f"column {name!r}: {value!r} is {type(value).__name__}; {_what(name)}")
    if name in TEXT:
        return pd.Series(["" if value is None else value for value in values], dtype=object)
    return pd.Series(values, dtype="bool" if name in FLAGS else _number_type(values))


def _fits(name: str, value: Any) -> bool:
    if name in FLAGS:
        return isinstance(value, bool | np.bool_)
    if name in TEXT:
        return value is None or isinstance(value, str)
    return not isinstance(value, str | bool | np.bool_)


def _number_type(values: list[Any]) -> str:
    """Whole numbers may be missing; float32 is written with the fewest digits that give it back."""
    if all(value is None or isinstance(value, int | np.integer) for value in values):
        return "Int64"
    return "float32" if all(isinstance(value, np.float32) for value in values) else "float64"


def _what(name: str) -> str:
    kind = "text" if name in TEXT else "true or false" if name in FLAGS else "a number"
    return f"it must be {kind}: TEXT and FLAGS in src/advlaw/core/tables.py say which columns hold what"


def write_frame(path: Path, frame: pd.DataFrame) -> None:
    """A frame as a CSV file, the same bytes for the same values."""
    shown = frame.assign(
        **{name: frame[name].map({True: "true", False: "false"}) for name in frame.columns if name in FLAGS},
        **{str(name): list(map(str, values.to_numpy())) for name, values in frame.items() if values.dtype == "float32"},
    )
    with replacing(path) as temporary:
        shown.to_csv(temporary, index=False, float_format="%.7g", lineterminator="\n", encoding="utf-8")


def read_table(path: Path) -> pd.DataFrame:
    """A CSV file as a frame. Raises FileNotFoundError, and ValueError for a cell of another type than its column's."""
    cells = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    return pd.DataFrame({name: _parsed(path, str(name), cells[name]) for name in cells.columns})


def _parsed(path: Path, name: str, cells: pd.Series) -> pd.Series:
    if name in TEXT:
        return cells.astype(object)
    if name in FLAGS:
        wrong = ~cells.isin(["true", "false"])
        found = cells == "true"
    else:
        found = pd.to_numeric(cells.replace("", None), errors="coerce")
        wrong = found.isna() & (cells != "")
    if wrong.any():
        row = int(np.argmax(wrong.to_numpy()))
        raise ValueError(f"{path}: line {row + 2}: column {name!r}: {cells.iloc[row]!r}; {_what(name)}")
    return found


@dataclass(frozen=True)
class Tables:
    """The tables of a study by their paths below plots/<study>, like `theory/predictions`."""

    frames: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return name in self.frames

    def rows(self, name: str, **wanted: Any) -> pd.DataFrame:
        """The rows whose columns have these values, one of several where a tuple is given, none where None.

        An empty frame where the study has no such table; KeyError for a column that it has not.
        """
        frame = self.frames.get(name, pd.DataFrame())
        return frame if frame.empty else chosen(frame, **wanted)

    def of_sets(self, table: str, *columns: str) -> pd.DataFrame:
        """The rows of a table of every set of nets, one set after another, each with its `set`.

        Of the sets whose table has these columns: those over a grid of eps and those at a few eps have others.
        """
        found = [
            frame.assign(set=name.split("/")[1])
            for name, frame in self.frames.items()
            if fnmatch(name, f"trials/*/{table}") and set(columns) <= set(frame)
        ]
        return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def chosen(frame: pd.DataFrame, **wanted: Any) -> pd.DataFrame:
    """The rows of a frame whose columns have these values, one of several where a tuple is given, none where None."""
    for column, value in wanted.items():
        cells = frame[column]
        frame = frame[cells.isna() if value is None else cells.isin(value if isinstance(value, tuple) else (value,))]
    return frame


def groups(frame: pd.DataFrame, *columns: str) -> Iterator[tuple[Any, pd.DataFrame]]:
    """Rows by their value of one column, or of several (a tuple), in order of appearance."""
    if not frame.empty:
        yield from frame.groupby(columns[0] if len(columns) == 1 else list(columns), sort=False, dropna=False)


def records(frame: pd.DataFrame) -> list[Cells]:
    """The rows, each by its columns."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def read_tables(plots: Path, *names: str) -> Tables:
    """The tables of a study: those named, and all in the folders named, `theory/` (`./` is the study's own).

    Each row has the cells that say what it is of (`LABELLED_BY`); of `trials/` there are the sets that the params have.
    A folder may be missing, where a study has no such part. Raises FileNotFoundError for a table that is.
    """
    wanted = list(names)
    sets = plots / "trials" / "sets.csv"
    if "trials/" in wanted and sets.exists():  # what a removed set has left behind is none of them
        wanted += [f"trials/{name}/" for name in read_table(sets)["set"]]
    found: dict[str, None] = {}
    for name in wanted:
        files = sorted((plots / name).glob("*.csv")) if name.endswith("/") else [plots / f"{name}.csv"]
        found |= dict.fromkeys(file.relative_to(plots).with_suffix("").as_posix() for file in files)
    return Tables({name: read_labelled(plots, name) for name in found})


def read_labelled(plots: Path, name: str) -> pd.DataFrame:
    """One table of a study, each row with the cells that say what it is of."""
    frame = read_table(plots / f"{name}.csv")
    if name not in LABELLED_BY:
        return frame
    labels, keys = LABELLED_BY[name]
    return frame.merge(read_table(plots / f"{labels}.csv"), on=list(keys), how="left", validate="many_to_one")
